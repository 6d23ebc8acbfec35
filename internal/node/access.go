package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// decide works out who may do what, from all that is known now, and cuts what goes on
// and may not any more. It is called with mu held; joints are cut without waiting for
// them. It returns how many were.
func (n *Node) decide() (cut int) {
	a := &peer.Access{Self: n.identity.ID(), Earlier: map[peer.ID]bool{}, Paired: map[peer.ID]bool{}, Blocked: map[peer.ID]bool{},
		Grants: map[peer.Service][]peer.Subject{}, Revoked: map[peer.Serial]bool{}, Held: map[peer.ID]bool{}}
	for _, r := range n.identity.Rotations() {
		a.Earlier[r.Old] = true
	}
	for id, p := range n.facts.people {
		if !p.paired.IsZero() {
			a.Paired[id] = true
		}
		if p.blocked {
			a.Blocked[id] = true
		}
	}
	for service := range n.serviceNames() {
		if n.config.Passing && n.live[service] == nil {
			continue
		}
		a.Grants[service] = n.subjects(service)
	}
	a.Hold = n.holdsFor()
	for serial, r := range n.facts.tickets {
		if r.Revoked {
			a.Revoked[serial] = true
		}
	}
	for key := range n.facts.held {
		a.Held[key.issuer] = true
	}
	n.access.Store(a)
	n.expected.Store(n.expectations())
	n.limits.setRate(n.settings.peerRate())
	cut = n.joints.cut(func(j *joint) error {
		if j.out {
			return a.DecideOut(j.peer)
		}
		switch {
		case j.released && a.Blocked[j.peer]:
			return peer.Blocked
		case j.released:
			return nil
		case !n.isServed(j.service):
			return errUnserved
		}
		return a.Still(j.peer, j.right, j.ticket, time.Now())
	})
	n.recheck()
	return cut
}

// recheck has the network ask again who may be connected.
func (n *Node) recheck() {
	if p, err := n.here(); err == nil {
		if c, ok := p.(Checker); ok {
			n.all.Go(c.Recheck)
		}
	}
}

// errUnserved is why the joints of a service end that is not offered any more.
var errUnserved = transport.Mark(fmt.Errorf("the service is not offered any more"), transport.ErrDenied)

// serviceNames returns the services that there are. It is called with mu held.
func (n *Node) serviceNames() map[peer.Service]bool {
	all := map[peer.Service]bool{}
	for name := range n.facts.services {
		all[name] = true
	}
	for name := range n.settings.Services {
		all[peer.Service(name)] = true
	}
	for name := range n.live {
		all[name] = true
	}
	return all
}

// isServed tells whether there is such a service. It is called with mu held.
func (n *Node) isServed(name peer.Service) bool {
	_, command := n.facts.services[name]
	_, config := n.settings.Services[string(name)]
	_, live := n.live[name]
	return command || config || live
}

// subjects returns to whom a service is granted. It is called with mu held.
func (n *Node) subjects(name peer.Service) []peer.Subject {
	all := slices.Clone(n.facts.grants[name])
	all = append(all, n.declared(name)...)
	if o, ok := n.live[name]; ok {
		all = append(all, o.to...)
	}
	slices.SortFunc(all, func(a, b peer.Subject) int { return compare(a.String(), b.String()) })
	return slices.Compact(all)
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// declared returns to whom the configuration grants a service. Names are looked up
// every time: that of a peer that is not known grants nothing. It is called with mu
// held.
func (n *Node) declared(name peer.Service) (all []peer.Subject) {
	c := n.settings.Services[string(name)]
	for _, text := range c.To {
		if s, err := n.facts.subject(text); err == nil {
			all = append(all, s)
		}
	}
	if c.Anyone {
		all = append(all, peer.Anyone)
	}
	return all
}

// Admit tells how far a peer is let in. Who comes to be paired comes another way, by a
// [Meeting].
func (n *Node) Admit(id peer.ID) peer.Admission {
	return n.access.Load().Admit(id, n.expects(id))
}

// admitGuests is Admit for a relay for everybody.
func (n *Node) admitGuests(id peer.ID) peer.Admission {
	if a := n.Admit(id); a != peer.Refused || id == n.access.Load().Self || n.access.Load().Blocked[id] {
		return a
	}
	return peer.Guest
}

// paired returns those who are paired and not blocked.
func (n *Node) paired() (all []peer.ID) {
	a := n.access.Load()
	for id := range a.Paired {
		if !a.Blocked[id] {
			all = append(all, id)
		}
	}
	return all
}

// subject reads to whom something is to be granted: "paired", a name, or an ID. It is
// called with mu held.
func (f *facts) subject(text string) (peer.Subject, error) {
	if text == "paired" {
		return peer.Paired, nil
	}
	if text == "anyone" {
		return peer.Subject{}, transport.WithHint(transport.Usage(fmt.Errorf("anyone is not a peer")), "--anyone lets everybody in")
	}
	id, err := f.find(text)
	if err != nil {
		return peer.Subject{}, err
	}
	return peer.Only(id), nil
}

// change writes to the database and then changes what is in memory; then all that goes
// on is decided anew. It is called with mu held.
func (n *Node) change(ctx context.Context, write func(*sql.Tx) error, then func()) (cut int, err error) {
	if err := n.db.Update(ctx, write); err != nil {
		return 0, err
	}
	then()
	return n.decide(), nil
}

// exec returns a write of one statement.
func exec(ctx context.Context, query string, args ...any) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}
}

// Grant lets peers use a service.
func (n *Node) Grant(ctx context.Context, r api.GrantRequest) (api.Granted, error) {
	return n.regrant(ctx, r, func(name peer.Service, s peer.Subject) error {
		if slices.Contains(n.facts.grants[name], s) {
			return nil
		}
		if len(n.facts.grants[name]) >= maxGrants {
			return transport.Usage(fmt.Errorf("a service is granted to %d peers at most; paired is all of them", maxGrants))
		}
		_, err := n.change(ctx, exec(ctx, `INSERT OR IGNORE INTO grants VALUES (?, ?)`, string(name), s.String()),
			func() { n.facts.grants[name] = append(n.facts.grants[name], s) })
		return err
	}, "grant")
}

// Revoke takes a service from peers, and cuts their joints.
func (n *Node) Revoke(ctx context.Context, r api.GrantRequest) (granted api.Granted, err error) {
	cut := 0
	granted, err = n.regrant(ctx, r, func(name peer.Service, s peer.Subject) error {
		if slices.Contains(n.declared(name), s) {
			return transport.WithHint(transport.Mark(fmt.Errorf("%s is granted to %s in %s", name, n.facts.callSubject(s), n.config.ConfigFile), api.ErrConflict),
				"take it out there, and tenon reload")
		}
		c, err := n.change(ctx, exec(ctx, `DELETE FROM grants WHERE service = ? AND subject = ?`, string(name), s.String()), func() {
			n.facts.grants[name] = slices.DeleteFunc(n.facts.grants[name], func(o peer.Subject) bool { return o == s })
			if o := n.live[name]; o != nil {
				o.to = slices.DeleteFunc(o.to, func(o peer.Subject) bool { return o == s })
			}
		})
		cut += c
		return err
	}, "revoke")
	granted.Cut = cut
	return granted, err
}

// regrant changes the grants of a service by f, for each subject.
func (n *Node) regrant(ctx context.Context, r api.GrantRequest, f func(peer.Service, peer.Subject) error, event string) (api.Granted, error) {
	name, err := peer.ParseService(r.Service)
	if err != nil {
		return api.Granted{}, transport.Usage(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	holding := name == peer.Hold && !n.isServed(name)
	if !holding && !n.isServed(name) {
		return api.Granted{}, n.noService(name)
	}
	var subjects []peer.Subject
	for _, text := range r.To {
		if text == "anyone" && holding {
			return api.Granted{}, transport.Usage(errors.New("shares are held for peers, or all that are paired, and not for anyone"))
		}
		if text == "anyone" {
			subjects = append(subjects, peer.Anyone)
			continue
		}
		s, err := n.facts.subject(text)
		if err != nil {
			return api.Granted{}, err
		}
		subjects = append(subjects, s)
	}
	for _, s := range subjects {
		if err := f(name, s); err != nil {
			return api.Granted{}, err
		}
		called := n.facts.callSubject(s)
		n.audit.add(entry{event: event, peer: s.String(), name: called, service: string(name)})
		n.tell(api.Event{Type: "service", Service: string(name), Text: event + " " + string(name) + ": " + called})
	}
	return api.Granted{Service: n.describe(name)}, nil
}

// noService says that there is no such service.
func (n *Node) noService(name peer.Service) error {
	return transport.WithHint(transport.Mark(fmt.Errorf("there is no service %s here", name), api.ErrNotFound), "tenon services lists them")
}
