package node

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// addressOf returns the address of a service. It is called with mu held.
func (n *Node) addressOf(name peer.Service) string {
	if c, ok := n.settings.Services[string(name)]; ok {
		return c.Address
	}
	return n.facts.services[name]
}

// carries returns what goes through a service, as far as its address tells.
func (n *Node) carries(name peer.Service) api.Carries {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.carriesLocked(name)
}

func (n *Node) carriesLocked(name peer.Service) api.Carries {
	if o := n.live[name]; o != nil {
		return o.carries
	}
	e, err := n.opener.Explain(n.addressOf(name))
	if err != nil {
		return api.Bytes
	}
	k, _ := n.kinds.Lookup(e.Parts[0].Kind)
	switch {
	case k.Traits.Lossy:
		return api.Datagrams
	case k.Traits.Messages:
		return api.Messages
	}
	for _, o := range e.Parts[len(e.Parts)-1].Options {
		if o.Name == "pty" && o.Given {
			return api.Terminal
		}
	}
	return api.Bytes
}

// describe tells all about a service. It is called with mu held.
func (n *Node) describe(name peer.Service) api.Service {
	s := api.Service{Name: string(name), Carries: n.carriesLocked(name), From: "command",
		Joints: n.joints.count(peer.ID{}, name), Used: n.used[name], Error: neutral.Line(n.failed[name])}
	switch _, config := n.settings.Services[string(name)]; {
	case n.live[name] != nil:
		s.From = "live"
	case config:
		s.From = "config"
	}
	if a := n.addressOf(name); a != "" {
		s.Address = n.shown(a)
	}
	for _, to := range n.subjects(name) {
		if to == peer.Anyone {
			s.Anyone = true
			continue
		}
		s.To = append(s.To, n.facts.callSubject(to))
	}
	slices.Sort(s.To)
	return s
}

// Services lists what this node offers, in order.
func (n *Node) Services() []api.Service {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []api.Service{}
	for _, name := range slices.Sorted(maps.Keys(n.serviceNames())) {
		all = append(all, n.describe(name))
	}
	return all
}

// Serve offers what an address names, until Unserve.
func (n *Node) Serve(ctx context.Context, r api.ServeRequest) (api.Service, error) {
	name, err := peer.ParseService(r.Name)
	if err == nil {
		err = notHold(name)
	}
	if err != nil {
		return api.Service{}, transport.Usage(err)
	}
	if err := n.mustServe(r.Address); err != nil {
		return api.Service{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch _, config := n.settings.Services[string(name)]; {
	case config:
		return api.Service{}, transport.WithHint(transport.Mark(fmt.Errorf("the service %s is declared in %s", name, n.config.ConfigFile), api.ErrConflict), "change it there, and tenon reload")
	case n.live[name] != nil:
		return api.Service{}, transport.Mark(fmt.Errorf("the service %s is being offered by peer-listen", name), api.ErrConflict)
	case n.facts.services[name] == "" && len(n.facts.services) >= maxServices:
		return api.Service{}, fmt.Errorf("there are %d services already", maxServices)
	}
	if err := n.mayLead(name, r.Address, r.Replace); err != nil {
		return api.Service{}, err
	}
	var to []peer.Subject
	for _, text := range r.To {
		s, err := n.facts.subject(text)
		if err != nil {
			return api.Service{}, err
		}
		to = append(to, s)
	}
	if r.Anyone {
		to = append(to, peer.Anyone)
	}
	_, err = n.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO services VALUES (?, ?)`, string(name), r.Address); err != nil {
			return err
		}
		if len(to) == 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM grants WHERE service = ?`, string(name)); err != nil {
			return err
		}
		for _, s := range to {
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO grants VALUES (?, ?)`, string(name), s.String()); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		n.facts.services[name] = r.Address
		if len(to) > 0 {
			n.facts.grants[name] = to
		}
		delete(n.failed, name)
	})
	if err != nil {
		return api.Service{}, err
	}
	for _, s := range to {
		n.audit.add(entry{event: "grant", peer: s.String(), name: n.facts.callSubject(s), service: string(name)})
	}
	n.tell(api.Event{Type: "service", Service: string(name), Text: string(name) + " is served"})
	return n.describe(name), nil
}

// mayLead tells whether a service may lead to that address. Those whom it is granted to
// were let in to the one on record, and nowhere else. It is called with mu held.
func (n *Node) mayLead(name peer.Service, address string, replace bool) error {
	if is := n.facts.services[name]; is != "" && address != "" && is != address && !replace {
		return transport.WithHint(transport.Mark(fmt.Errorf("the service %s leads to %s, for those whom it is granted to", name, n.shown(is)), api.ErrConflict),
			fmt.Sprintf("--replace lets them in to the new address; tenon unserve %s takes their grants back", name))
	}
	return nil
}

// Unserve ends a service, its grants and its joints.
func (n *Node) Unserve(ctx context.Context, text string) (cut int, err error) {
	name, err := peer.ParseService(text)
	if err != nil {
		return 0, transport.Usage(err)
	}
	n.mu.Lock()
	if o := n.live[name]; o != nil {
		delete(n.live, name)
		cut := n.decide()
		n.mu.Unlock()
		o.end(errUnserved)
		return cut, nil
	}
	defer n.mu.Unlock()
	if _, ok := n.facts.services[name]; !ok {
		if _, config := n.settings.Services[string(name)]; config {
			return 0, transport.WithHint(transport.Mark(fmt.Errorf("the service %s is declared in %s", name, n.config.ConfigFile), api.ErrConflict), "take it out there, and tenon reload")
		}
		return 0, n.noService(name)
	}
	cut, err = n.change(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{`DELETE FROM services WHERE name = ?`, `DELETE FROM grants WHERE service = ?`} {
			if _, err := tx.ExecContext(ctx, query, string(name)); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		delete(n.facts.services, name)
		delete(n.facts.grants, name)
		delete(n.failed, name)
	})
	if err == nil {
		n.tell(api.Event{Type: "service", Service: string(name), Text: string(name) + " is not served any more"})
	}
	return cut, err
}
