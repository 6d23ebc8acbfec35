package room

import (
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// Check says whether the event may be in the room, which depends on it and on its past
// alone. The error is as of [Room.Add]. The node of an act is not complete: only Add gives
// acts their numbers.
func (r *Room) Check(e *event.Event) (Node, error) {
	if e.Room != r.id {
		return Node{}, refused("it is of another room")
	}
	links := e.Links()
	nodes := make([]Node, len(links))
	var missing []event.ID
	for i, id := range links {
		n, ok := r.past.Node(id)
		if nodes[i] = n; !ok {
			missing = append(missing, id)
		}
	}
	if missing != nil {
		return Node{}, &MissingError{missing}
	}
	find := func(id event.ID) Node { return nodes[slices.Index(links, id)] }
	n := Node{Time: e.Time, Seq: e.Seq, Kind: e.Kind}
	pasts := make([][]uint32, 0, 8)
	for i := range nodes {
		if nodes[i].Time >= e.Time {
			return Node{}, refused("it is not later than what it stands on")
		}
		pasts = append(pasts, nodes[i].Past)
	}
	if e.Seq > 1 {
		prev := find(e.Parents[0])
		if prev.Seq+1 != e.Seq || r.acts[prev.Root].e.Device != e.Device {
			return Node{}, refused("it does not follow what its device has done before")
		}
		n.Root, n.Prev = prev.Root, e.Parents[0]
	}
	if !e.Epoch.IsZero() && find(e.Epoch).Kind != event.KindEpoch {
		return Node{}, refused("its epoch is none")
	}
	if len(pasts) > 0 {
		n.Past = r.merge(pasts)
	}
	return n, r.checkBody(e, n, find)
}

func (r *Room) checkBody(e *event.Event, n Node, find func(event.ID) Node) error {
	owner := true // only an owner may do it
	switch b := e.Body.(type) {
	case *event.Enter:
		return r.checkEnter(e, b)
	case *event.Remove:
		owner = b.Member != r.identity(n.Root)
		if !r.areOf(b.Cuts, find, b.Member) {
			return refused("it cuts somebody else")
		}
	case *event.SetRole:
		owner = b.Member != r.identity(n.Root)
		if !r.areOf(b.Cuts, find, b.Member) {
			return refused("it cuts somebody else")
		}
	case *event.RemoveDevice:
		root, ok := r.actOf(b.Enter)
		if !ok || root.e.Seq != 1 {
			return refused("no device has entered there")
		}
		if slices.ContainsFunc(b.Cuts, func(c event.ID) bool { return r.acts[find(c).Root].e.Device != root.e.Device }) {
			return refused("it cuts another device")
		}
		if owner = b.Proof == [64]byte{}; !owner && !event.VerifyRevoke(root.author, r.id, root.e.Device, b.Proof) {
			return refused("the identity of the device does not want it")
		}
	case *event.Revoke:
		if a, ok := r.actOf(b.Invite); !ok || a.e.Kind != event.KindInvite {
			return refused("it revokes what is no invite")
		}
	case *event.Share:
		owner = false
		if find(b.Of).Kind != event.KindEpoch {
			return refused("it shares what is no epoch")
		}
	case *event.Add, *event.Invite, *event.Meta:
	default:
		owner = false
	}
	// Who has never been named an owner in the past of the event has no right to it, whatever else
	// there is. So strangers to a right cannot fill the memory of others with acts.
	if owner && !slices.ContainsFunc(r.owners[r.identity(n.Root)], func(a uint32) bool { return r.knows(n.Past, a) }) {
		return refused("its author is no owner")
	}
	return nil
}

func (r *Room) actOf(id event.ID) (*act, bool) {
	i, ok := r.numbers[id]
	if !ok {
		return nil, false
	}
	return r.acts[i], true
}

func (r *Room) identity(root uint32) event.Identity { return r.acts[root].author }

func (r *Room) areOf(cuts []event.ID, find func(event.ID) Node, who event.Identity) bool {
	return !slices.ContainsFunc(cuts, func(c event.ID) bool { return r.identity(find(c).Root) != who })
}

// checkEnter says whether what the event names vouches for the identity.
func (r *Room) checkEnter(e *event.Event, b *event.Enter) error {
	via, ok := r.actOf(b.Via)
	if !ok {
		return refused("it enters by what gives no right")
	}
	who := b.Cert.Identity
	if i, ok := via.e.Body.(*event.Invite); ok {
		if i.Expiry != 0 && e.Time>>16 > i.Expiry {
			return refused("the invite had expired")
		}
		if !event.VerifyInvited(i.Key, r.id, b.Via, who, e.Device, b.Proof) {
			return refused("it has not the key of the invite")
		}
		return nil
	}
	if add, ok := via.e.Body.(*event.Add); ok && add.Member == who && b.Proof == [64]byte{} {
		return nil
	}
	if via.e.Seq == 1 && via.author == who && b.Proof == [64]byte{} {
		return nil
	}
	return refused("it enters by what gives somebody else a right")
}
