package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

// Rotate gives the node a new key. Peers that can be reached are told by the old one
// before it goes; others see in the handshake, when they meet the node again, that the old
// key has named the new one. Joints end, for they are between two keys.
func (n *Node) Rotate(ctx context.Context) (api.Identity, error) {
	n.rotating.Lock()
	defer n.rotating.Unlock()
	p, err := n.here()
	if err != nil {
		return api.Identity{}, err
	}
	n.mu.Lock()
	old := n.identity.ID()
	r, err := n.identity.Rotate(time.Now())
	if err == nil {
		n.decide()
	}
	n.mu.Unlock()
	if err != nil {
		return api.Identity{}, err
	}
	n.audit.add(entry{event: "rotate", peer: r.New.String(), outcome: "was " + old.String()})
	var mu sync.Mutex
	var away []string
	var all sync.WaitGroup
	for _, id := range n.paired() {
		all.Go(func() {
			if err := n.greet(ctx, p, id); err != nil {
				mu.Lock()
				defer mu.Unlock()
				away = append(away, n.called(id))
			}
		})
	}
	all.Wait()
	if slices.Sort(away); len(away) > 0 {
		n.tell(api.Event{Type: "network", Text: "they will see the new key when they meet this node again: " + strings.Join(away, ", ")})
	}
	rooms := n.rooms.Load()
	linked := rooms != nil && rooms.Linked()
	n.endRooms()
	if err := n.vanish(fmt.Errorf("this node has a new key")); err != nil {
		n.tell(api.Event{Type: "warning", Text: err.Error()})
	}
	if n.life.Err() != nil {
		return api.Identity{}, errors.New("the node ends")
	}
	n.closeShares()
	is := n.Identity()
	is.Away, is.Unlinked = away, linked
	if err := n.appear(ctx); err != nil {
		return is, err
	}
	return is, errors.Join(n.openShares(ctx), n.beginRooms(ctx))
}

// succeed is told what somebody shows of the keys that he has had. It is asked before
// [Node.Admit].
func (n *Node) succeed(rotations []byte) {
	a, expected := n.access.Load(), n.expected.Load()
	r := n.rooms.Load()
	old, now, err := peer.Succession(rotations, func(id peer.ID) bool {
		_, awaited := expected.only[id]
		return awaited || a.Knows(id) || r != nil && r.Meets(id)
	})
	if err != nil {
		return
	}
	n.follow(old, now)
	if r != nil {
		r.Succeed(old, now)
	}
}

// follow gives everything of a peer to the new key that its old one has named.
func (n *Node) follow(old, now peer.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now == old || n.access.Load().IsSelf(now) {
		return
	}
	name := n.facts.call(old)
	warn := func(text string) { n.tell(api.Event{Type: "warning", Peer: now.String(), Text: text}) }
	if other := n.facts.people[now]; other != nil && !other.paired.IsZero() {
		if n.facts.people[old] != nil {
			warn(fmt.Sprintf("%s says that its new key is that of %s, which is known already", name, n.facts.call(now)))
		}
		return
	}
	switch had, err := n.rekey(context.WithoutCancel(n.life), old, now); {
	case err != nil:
		warn(err.Error())
	case had:
		n.audit.add(entry{event: "rotate", peer: now.String(), name: name, outcome: "was " + old.String()})
		n.tell(api.Event{Type: "peer", Peer: now.String(), Text: name + " has a new key, " + now.Short() + ", which its old one has signed"})
	}
}

// rekey puts all that is on record of a peer under another key, and tells whether there
// was anything. It is called with mu held.
func (n *Node) rekey(ctx context.Context, old, now peer.ID) (had bool, err error) {
	var p *person
	if was := n.facts.people[old]; was != nil {
		clone := *was
		p, had = &clone, true
		p.id = now
		if other := n.facts.people[now]; other != nil {
			p.blocked = p.blocked || other.blocked
		}
	}
	had = had || n.access.Load().Knows(old)
	tickets := n.facts.ticketsFor(old, now)
	if had = had || len(tickets) > 0; !had {
		return false, nil
	}
	keys := 0
	for _, heir := range n.facts.heirs {
		if heir == old {
			keys++
		}
	}
	if keys >= peer.MaxRotations {
		return false, fmt.Errorf("%s has changed its key %d times: its new one is not followed any more", n.facts.call(old), keys)
	}
	_, err = n.change(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{
			`DELETE FROM peers WHERE id = ?1 AND id <> ?2`,
			`UPDATE OR REPLACE grants SET subject = ?2 WHERE subject = ?1`,
			`UPDATE OR REPLACE held SET issuer = ?2 WHERE issuer = ?1`,
			`DELETE FROM successors WHERE old = ?2 AND old <> ?1`,
			`UPDATE successors SET now = ?2 WHERE now = ?1`,
			`INSERT OR REPLACE INTO successors VALUES (?1, ?2)`,
		} {
			if _, err := tx.ExecContext(ctx, query, old.String(), now.String()); err != nil {
				return err
			}
		}
		for serial, r := range tickets {
			if err := putTicket(ctx, tx, serial, n.facts.made[serial], r); err != nil {
				return err
			}
		}
		if p == nil {
			return nil
		}
		return put(ctx, tx, p)
	}, func() { n.facts.rekey(old, now, p, tickets) })
	return true, err
}

// rekey changes what is in memory.
func (f *facts) rekey(old, now peer.ID, p *person, tickets map[peer.Serial]*peer.TicketRecord) {
	if delete(f.people, old); p != nil {
		f.people[now] = p
	}
	for name, to := range f.grants {
		for i, s := range to {
			if s == peer.Only(old) {
				to[i] = peer.Only(now)
			}
		}
		f.grants[name] = slices.Compact(to)
	}
	for key, h := range maps.Clone(f.held) {
		if key.issuer == old {
			delete(f.held, key)
			h.issuer = now
			f.held[heldKey{now, key.service}] = h
		}
	}
	maps.Copy(f.tickets, tickets)
	for key, heir := range f.heirs {
		if heir == old {
			f.heirs[key] = now
		}
	}
	delete(f.heirs, now)
	f.heirs[old] = now
}

// ticketsFor returns the records of the tickets that a peer has redeemed, or that are for
// it, with its new key in place of the old one.
func (f *facts) ticketsFor(old, now peer.ID) map[peer.Serial]*peer.TicketRecord {
	all := map[peer.Serial]*peer.TicketRecord{}
	for serial, was := range f.tickets {
		i := slices.Index(was.Redeemed, old)
		if i < 0 && was.Invite.For != old {
			continue
		}
		r := *was
		if r.Redeemed = slices.Clone(was.Redeemed); i >= 0 {
			r.Redeemed[i] = now
		}
		if r.Invite.For == old {
			r.Invite.For = now
		}
		all[serial] = &r
	}
	return all
}

// heir returns the key that a peer has now who has had, or has, this one.
func (n *Node) heir(id peer.ID) peer.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.facts.heir(id)
}

// turnTo calls f with a peer, and again if the peer has shown meanwhile that it has another
// key: then the first call has failed, for whoever was reached had not the key that was
// asked for.
func (n *Node) turnTo(find func() (peer.ID, error), f func(peer.ID) error) error {
	id, err := find()
	if err != nil {
		return err
	}
	if err = f(id); err != nil {
		if n.heir(id) != id {
			if id, err = find(); err == nil {
				err = f(id)
			}
		}
	}
	return err
}

// Identity tells who the node is.
func (n *Node) Identity() api.Identity {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := n.identity.ID()
	return api.Identity{ID: id.String(), Short: id.Short(), Name: n.suggested(), Rotations: len(n.identity.Rotations())}
}
