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

// rekey puts all that is on record of a peer under another key. It is called with mu
// held.
func (n *Node) rekey(ctx context.Context, was *person, now peer.ID) error {
	old := was.id
	p := *was
	p.id = now
	_, err := n.change(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{
			`DELETE FROM peers WHERE id = ?1 OR id = ?2`,
			`UPDATE OR REPLACE grants SET subject = ?2 WHERE subject = ?1`,
			`UPDATE OR REPLACE held SET issuer = ?2 WHERE issuer = ?1`,
		} {
			if _, err := tx.ExecContext(ctx, query, old.String(), now.String()); err != nil {
				return err
			}
		}
		return put(ctx, tx, &p)
	}, func() {
		delete(n.facts.people, old)
		n.facts.people[now] = &p
		for name, to := range n.facts.grants {
			for i, s := range to {
				if s == peer.Only(old) {
					to[i] = peer.Only(now)
				}
			}
			n.facts.grants[name] = slices.Compact(to)
		}
		for key, h := range maps.Clone(n.facts.held) {
			if key.issuer == old {
				delete(n.facts.held, key)
				h.issuer = now
				n.facts.held[heldKey{now, key.service}] = h
			}
		}
	})
	return err
}

// Rotate gives the node a new key. Peers that are connected are told by the old one
// before it goes; joints end, for they are between two keys.
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
	var missed []string
	var all sync.WaitGroup
	for _, id := range n.paired() {
		all.Go(func() {
			if err := n.greet(ctx, p, id); err != nil {
				mu.Lock()
				defer mu.Unlock()
				missed = append(missed, n.called(id))
			}
		})
	}
	all.Wait()
	if len(missed) > 0 {
		slices.Sort(missed)
		n.tell(api.Event{Type: "warning", Text: "not told of the new key, and to be paired with again: " + strings.Join(missed, ", ")})
	}
	if err := n.vanish(fmt.Errorf("this node has a new key")); err != nil {
		n.tell(api.Event{Type: "warning", Text: err.Error()})
	}
	if n.life.Err() != nil {
		return api.Identity{}, errors.New("the node ends")
	}
	return n.Identity(), n.appear(ctx)
}

// Identity tells who the node is.
func (n *Node) Identity() api.Identity {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := n.identity.ID()
	return api.Identity{ID: id.String(), Short: id.Short(), Name: n.suggested(), Rotations: len(n.identity.Rotations())}
}
