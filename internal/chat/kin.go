package chat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
)

// maxOwnShared is of how many epochs another device of the user's gets the secrets.
const maxOwnShared = 64

// relate does what the user's devices owe each other in a room: those are removed that were, those are offered it that are
// not in it, and get the secrets that they lack. It returns when the next look is due.
func (r *Room) relate(ctx context.Context) time.Time {
	if !r.kin.Swap(false) {
		return time.Time{}
	}
	err := r.oust(ctx)
	s := r.now.Load()
	if s.State != Inside || s.Role == event.Nobody {
		return time.Time{}
	}
	err = errors.Join(err, r.offerOwn(ctx, s))
	next, err2 := r.endow(ctx)
	if err != nil || err2 != nil || !next.IsZero() {
		r.kin.Store(true) // another try follows, in a minute at the latest
	}
	return next
}

// offerOwn offers the room to those of the user's devices that are not in it, once in the life of this Room.
func (r *Room) offerOwn(ctx context.Context, s *snapshot) error {
	for _, x := range r.chat.Devices() {
		_, in := s.devices[event.Device(x.ID.Bytes())]
		if x.This || in || r.offered[x.ID] {
			continue
		}
		if err := r.Offer(ctx, x.ID); err != nil {
			return err
		}
		r.offered[x.ID] = true
	}
	return nil
}

// oust removes the devices of the user's that were removed, if this one has the key of the identity; otherwise it notes
// which that one has removed.
func (r *Room) oust(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	c := r.chat
	for d, x := range r.acts.entries {
		if x.revoked && x.who == c.me && !c.gone(d) {
			if err := c.note(ctx, d, true); err != nil {
				return err
			}
		}
	}
	if c.key == nil || r.may(event.Reader) != nil {
		return nil
	}
	for d, gone := range c.others() {
		if who, in := r.state.Device(d); in && who == c.me && gone {
			if err := r.removeDevice(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeDevice removes a device of the user's by the proof of the identity. It is called with the turn.
func (r *Room) removeDevice(ctx context.Context, d event.Device) error {
	cuts, err := r.ends(ctx, d)
	if err != nil {
		return err
	}
	_, err = r.control(ctx, &event.RemoveDevice{Enter: r.acts.entries[d].id, Proof: event.RevokeDevice(r.chat.key, r.id, d), Cuts: cuts})
	return err
}

// ends returns the latest events of a device of the user's: one of each branch, so that nothing is lost that was said on either
// when it was copied. It is called with the turn.
func (r *Room) ends(ctx context.Context, d event.Device) ([]event.ID, error) {
	fork := r.state.Forked(d)
	if fork == 0 {
		return []event.ID{r.state.Tip(d)}, nil
	}
	latest, followed := map[event.ID]event.Key{}, map[event.ID]bool{}
	err := r.log.By(ctx, log.ID(r.chat.me), func(part []log.Event) error {
		for i := range part {
			row := &part[i]
			if event.Device(row.Device) != d || row.Seq < fork {
				continue
			}
			n, err := room.ParseNode(row.Node)
			if err != nil {
				return err
			}
			latest[row.ID], followed[n.Prev] = eventKey(row.Key), true
		}
		return nil
	})
	keys := slices.Collect(maps.Values(latest))
	keys = slices.DeleteFunc(keys, func(k event.Key) bool { return followed[k.ID] })
	slices.SortFunc(keys, func(a, b event.Key) int { return b.Compare(a) })
	var ids []event.ID
	for _, k := range keys[:min(len(keys), event.MaxCuts)] {
		ids = append(ids, k.ID)
	}
	slices.SortFunc(ids, func(a, b event.ID) int { return bytes.Compare(a[:], b[:]) }) // as fields are
	return ids, err
}

// ousted tells whether a device has been in the room and was removed, or its user was. It is called with the turn.
func (r *Room) ousted(d event.Device) bool {
	_, in := r.state.Device(d)
	_, was := r.acts.entries[d]
	return was && !in
}

// endow shares the secrets that this device has with the user's others that are in the room: they may read what the user
// may. Of several, one does it at once, the others a second later each. It returns when it is this one's turn.
func (r *Room) endow(ctx context.Context) (next time.Time, err error) {
	give, err := r.take(ctx)
	if err != nil {
		return next, err
	}
	defer give()
	c := r.chat
	if r.may(event.Member) != nil {
		return next, nil
	}
	for _, x := range r.state.Lacking(maxOwnShared, r.knows) {
		var to []*event.Prekey
		for _, d := range x.Missing {
			if who, in := r.state.Device(d); in && who == c.me {
				to = append(to, r.prekeyOf(d))
			}
		}
		if len(to) == 0 {
			continue
		}
		if !r.due(&r.endowing, r.before(x.Missing)) {
			return r.endowing, nil
		}
		if err := r.share(ctx, x.Epoch, to); err != nil {
			return next, err
		}
	}
	r.endowing = time.Time{}
	return next, nil
}

// before counts the user's devices in the room that have what those in missing have not, and come before this one.
func (r *Room) before(missing []event.Device) (n int) {
	for d, who := range r.now.Load().devices {
		if who == r.chat.me && bytes.Compare(d[:], r.chat.self[:]) < 0 && !slices.Contains(missing, d) {
			n++
		}
	}
	return n
}

// tellRead tells the user's other devices that are connected how far he has read: nobody else is told by it. A stream
// ends with what was told in it. It is called by tend alone.
func (r *Room) tellRead(ctx context.Context) {
	give, err := r.take(ctx)
	if err != nil {
		return
	}
	read := r.read
	give()
	m := r.meets.Load()
	if m == nil || read == (event.Key{}) {
		return
	}
	devices, told := r.now.Load().devices, map[peer.ID]toldRead{}
	for _, p := range m.Peers() {
		if devices[event.Device(p.ID.Bytes())] != r.chat.me {
			continue
		}
		is := toldRead{p.Since, read}
		if told[p.ID] = is; r.toldRead[p.ID] != is {
			m.Say(append(binary.BigEndian.AppendUint64([]byte{noteRead}, read.Time), read.ID[:]...), p.ID)
		}
	}
	r.toldRead = told
}

// toldRead is what a device was told last of how far the user has read, and in which session.
type toldRead struct {
	since time.Time
	read  event.Key
}

// readElsewhere takes note of how far the user has read on another device.
func (r *Room) readElsewhere(on peer.ID, note []byte) {
	if len(note) != 1+8+32 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.elsewhere[on] = event.Key{Time: binary.BigEndian.Uint64(note[1:]), ID: event.ID(note[9:])}
	r.poke()
}

// followRead has that read here what was read on other devices, once it is here: what comes meanwhile is not late.
func (r *Room) followRead(ctx context.Context) error {
	var read event.Key
	r.mu.Lock()
	for on, k := range r.elsewhere {
		if r.index.Has(meetKey(k)) {
			delete(r.elsewhere, on)
			if read.Less(k) {
				read = k
			}
		}
	}
	r.mu.Unlock()
	if read == (event.Key{}) {
		return nil
	}
	return r.SetRead(ctx, read)
}
