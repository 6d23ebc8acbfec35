package node

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

func mapKeys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// addrs returns where this node is.
func (n *Node) addrs() []string {
	p, err := n.here()
	if err != nil {
		return nil
	}
	if a, ok := p.(Addresser); ok {
		return a.Addrs()
	}
	return nil
}

// addAddrs tells the network where a peer may be.
func (n *Node) addAddrs(id peer.ID, addrs []string) {
	p, err := n.here()
	if err != nil || len(addrs) == 0 {
		return
	}
	if a, ok := p.(Addresser); ok {
		a.AddAddrs(id, addrs...)
	}
}

// knownAddrs returns where a peer was before.
func (n *Node) knownAddrs(id peer.ID) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.facts.people[id]; p != nil {
		return slices.Clone(p.addrs)
	}
	if r := n.rooms.Load(); r != nil {
		return r.Places(id)
	}
	return nil
}

// remember notes where a peer has been reached.
func (n *Node) remember(id peer.ID, addrs []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.facts.people[id]
	if was == nil {
		if r := n.rooms.Load(); r != nil {
			n.all.Go(func() { r.Remember(id, mergeAddrs(addrs, nil)) })
		}
		return
	}
	p := *was
	p.addrs, p.seen = mergeAddrs(addrs, p.addrs), time.Now()
	if slices.Equal(p.addrs, was.addrs) && time.Since(was.seen) < time.Minute {
		return // not worth a write
	}
	ctx := context.WithoutCancel(n.life)
	if err := n.db.Update(ctx, func(tx *sql.Tx) error { return put(ctx, tx, &p) }); err != nil {
		n.tell(api.Event{Type: "warning", Text: err.Error()})
		return
	}
	n.facts.people[id] = &p
}

// sawLast notes that until now there was a way to these.
func (n *Node) sawLast(ids iter.Seq[peer.ID]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []*person
	for id := range ids {
		if was := n.facts.people[id]; was != nil {
			p := *was
			p.seen = time.Now()
			n.facts.people[id] = &p // known, also if it cannot be written
			all = append(all, &p)
		}
	}
	if len(all) == 0 {
		return
	}
	ctx := context.WithoutCancel(n.life)
	err := n.db.Update(ctx, func(tx *sql.Tx) error {
		for _, p := range all {
			if err := put(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.tell(api.Event{Type: "warning", Text: err.Error()})
	}
}

// mergeAddrs puts what is new first, and keeps a few.
func mergeAddrs(fresh, old []string) []string {
	var all []string
	for _, a := range append(slices.Clone(fresh), old...) {
		if len(a) <= 256 && len(all) < maxAddrs && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// linksNow returns the ways that there are, the best to each peer first. It asks the
// network, and is called without mu.
func (n *Node) linksNow() map[peer.ID][]peer.Link {
	all := map[peer.ID][]peer.Link{}
	p, err := n.here()
	if err != nil {
		return all
	}
	for l := range p.Links() {
		all[l.Peer] = append(all[l.Peer], l)
	}
	for _, links := range all {
		slices.SortStableFunc(links, func(a, b peer.Link) int {
			switch {
			case better(a, b):
				return -1
			case better(b, a):
				return 1
			}
			return 0
		})
	}
	return all
}

// describePeer tells all about a peer. It is called with mu held.
func (n *Node) describePeer(id peer.ID, all map[peer.ID][]peer.Link) api.Peer {
	out := api.Peer{ID: id.String(), Short: id.Short(), State: api.Offline, Joints: n.joints.count(id, "")}
	if p := n.facts.people[id]; p != nil {
		out.Name, out.Said, out.Paired, out.Seen, out.Blocked = string(p.name), p.said, p.paired, p.seen, p.blocked
	}
	for key := range n.facts.held {
		out.Held = out.Held || key.issuer == id && out.Paired.IsZero()
	}
	links := all[id]
	if out.Ways = len(links); out.Ways > 0 {
		best := links[0]
		out.State, out.Addr, out.RTT, out.Since = api.State(best.Path), best.Addr, api.Duration(best.RTT), best.Since
		if !best.Via.IsZero() {
			out.Via = n.facts.call(best.Via)
		}
		out.Seen = time.Now()
	}
	return out
}

// A Reasoner is a [Presence] that can say why there is no direct way to a peer.
type Reasoner interface{ Why(peer.ID) string }

func (n *Node) why(id peer.ID) string {
	if p, err := n.here(); err == nil {
		if r, ok := p.(Reasoner); ok {
			return r.Why(id)
		}
	}
	return ""
}

// Peers lists all that are known, in the order of their names.
func (n *Node) Peers() []api.Peer {
	links := n.linksNow()
	all := []api.Peer{}
	n.mu.Lock()
	for id := range n.facts.people {
		all = append(all, n.describePeer(id, links))
	}
	n.mu.Unlock()
	for i := range all {
		if id, err := peer.ParseID(all[i].ID); err == nil && all[i].State != api.Direct {
			all[i].Why = n.why(id)
		}
	}
	slices.SortFunc(all, func(a, b api.Peer) int {
		if c := compare(a.Name, b.Name); c != 0 {
			return c
		}
		return compare(a.ID, b.ID)
	})
	return all
}

// mayCall tells whether a peer can have that name. It is called with mu held.
func (n *Node) mayCall(id peer.ID, name peer.Name) error {
	if p := n.facts.rival(id, name); p != nil {
		return transport.WithHint(transport.Mark(fmt.Errorf("%q could be taken for %q, which is another peer", name, p.name), api.ErrConflict),
			"tenon peers rename gives either another name")
	}
	return nil
}

// Rename calls a peer something else.
func (n *Node) Rename(ctx context.Context, who, text string) (api.Peer, error) {
	name, err := peer.ParseName(text)
	if err != nil {
		return api.Peer{}, transport.Usage(err)
	}
	links := n.linksNow()
	n.mu.Lock()
	defer n.mu.Unlock()
	id, err := n.facts.find(who)
	if err == nil {
		err = n.mayCall(id, name)
	}
	if err == nil {
		err = n.edit(ctx, id, func(p *person) { p.name = name })
	}
	if err != nil {
		return api.Peer{}, err
	}
	return n.describePeer(id, links), nil
}

// edit changes what is on record of a peer. It is called with mu held.
func (n *Node) edit(ctx context.Context, id peer.ID, f func(*person)) error {
	p := person{id: id}
	if was := n.facts.people[id]; was != nil {
		p = *was
	}
	f(&p)
	_, err := n.change(ctx, func(tx *sql.Tx) error { return put(ctx, tx, &p) }, func() { n.facts.people[id] = &p })
	return err
}

// Block keeps a peer out, or lets it in again.
func (n *Node) Block(ctx context.Context, who string, blocked bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, err := n.facts.find(who)
	if err != nil {
		return err
	}
	event := "block"
	if !blocked {
		event = "unblock"
	}
	n.audit.add(entry{event: event, peer: id.String(), name: n.facts.call(id)})
	return n.edit(ctx, id, func(p *person) { p.blocked = blocked })
}

// Forget forgets a peer, and what it was granted.
func (n *Node) Forget(ctx context.Context, who string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, err := n.facts.find(who)
	if err != nil {
		return err
	}
	if n.facts.people[id] == nil {
		return transport.Mark(fmt.Errorf("%s is not known", id.Short()), api.ErrNotFound)
	}
	n.audit.add(entry{event: "forget", peer: id.String(), name: n.facts.call(id)})
	_, err = n.change(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{`DELETE FROM peers WHERE id = ?`, `DELETE FROM grants WHERE subject = ?`, `DELETE FROM held WHERE issuer = ?`, `DELETE FROM successors WHERE now = ?`} {
			if _, err := tx.ExecContext(ctx, query, id.String()); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		delete(n.facts.people, id)
		for name, to := range n.facts.grants {
			n.facts.grants[name] = slices.DeleteFunc(to, func(s peer.Subject) bool { return s == peer.Only(id) })
		}
		maps.DeleteFunc(n.facts.held, func(k heldKey, _ held) bool { return k.issuer == id })
		maps.DeleteFunc(n.facts.heirs, func(_, now peer.ID) bool { return now == id })
	})
	return err
}

// watchLinks notes who comes and goes.
func (n *Node) watchLinks(ctx context.Context, p Presence) {
	was := map[peer.ID]peer.Path{}
	for {
		changed := p.LinksChanged()
		is := map[peer.ID]peer.Path{}
		for l := range p.Links() {
			if is[l.Peer] != peer.Direct {
				is[l.Peer] = l.Path
			}
		}
		for id, path := range is {
			if was[id] != path {
				n.tell(api.Event{Type: "peer", Peer: id.String(), Text: n.called(id) + " is connected, " + string(path)})
				if was[id] == "" {
					n.all.Go(func() { n.greet(ctx, p, id) })
				}
			}
		}
		var gone []peer.ID
		for id := range was {
			if is[id] == "" {
				gone = append(gone, id)
			}
		}
		n.sawLast(slices.Values(gone))
		for _, id := range gone {
			n.tell(api.Event{Type: "peer", Peer: id.String(), Text: n.called(id) + " is gone"})
		}
		was = is
		select {
		case <-changed:
		case <-ctx.Done():
			n.sawLast(maps.Keys(was))
			return
		}
	}
}

func (n *Node) called(id peer.ID) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.facts.call(id)
}

// seek connects to the peers that are paired, when the node appears and now and then
// while one is away: so that both sides know that the other is there, and hear of new
// addresses and keys. Peers whose address is not known are left alone.
func (n *Node) seek(ctx context.Context, c Connecter) {
	for wait := time.Second; ; wait = min(2*wait, seekMost) {
		slots := make(chan struct{}, 4)
		var all sync.WaitGroup
		links := n.linksNow()
		for _, id := range n.paired() {
			if len(links[id]) > 0 || ctx.Err() != nil {
				continue
			}
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				c.Connect(ctx, id) //nolint:errcheck // it is tried again
			})
		}
		all.Wait()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

// seekMost is how often the node looks for peers that are away.
const seekMost = 5 * time.Minute
