package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// errResettled is why joints end when the settings of the network have changed.
var errResettled = errors.New("the settings of the network have changed")

// A ListenChecker is a Presence that can tell why another one in its place could not listen
// at addresses.
type ListenChecker interface {
	CheckListen(ctx context.Context, addrs []string) error
}

// checkListen tells whether the network can be left for one with the new settings.
func (n *Node) checkListen(ctx context.Context, next *Network) error {
	p, err := n.here()
	if err != nil {
		return nil //nolint:nilerr // there is nothing to be left
	}
	c, ok := p.(ListenChecker)
	if !ok {
		return nil
	}
	return transport.Mark(c.CheckListen(ctx, next.Listen), api.ErrConflict)
}

// Reload reads the configuration again, and has all ends that are in use read their
// files again. If there is a mistake in it, or something that cannot be had, nothing changes:
// what can fail is tried first, and the network, with which all joints end, is left last.
func (n *Node) Reload(ctx context.Context) (api.Reloaded, error) {
	n.rotating.Lock()
	defer n.rotating.Unlock()
	next, err := n.readSettings()
	if err != nil {
		return api.Reloaded{}, err
	}
	n.mu.Lock()
	was := n.settings
	n.mu.Unlock()
	anew := !reflect.DeepEqual(was.Network, next.Network)
	if anew {
		if err := n.checkListen(ctx, &next.Network); err != nil {
			return api.Reloaded{}, err
		}
	}
	servers, err := n.setServers(was, next)
	if err != nil {
		return api.Reloaded{}, err
	}
	if err := n.opener.Reload(); err != nil {
		return api.Reloaded{}, errors.Join(err, servers.undo())
	}
	n.mu.Lock()
	n.settings = next
	n.mu.Unlock()
	if anew {
		n.endRooms()
		err := n.vanish(errResettled)
		if err == nil {
			err = n.appear(ctx)
		}
		if err != nil {
			n.mu.Lock()
			n.settings = was
			n.mu.Unlock()
			ctx := context.WithoutCancel(ctx)
			return api.Reloaded{}, errors.Join(err, servers.undo(), n.appear(ctx), n.beginRooms(ctx))
		}
		if err := n.beginRooms(ctx); err != nil {
			return api.Reloaded{}, err
		}
	}
	n.mu.Lock()
	cut := n.decide()
	n.mu.Unlock()
	n.links.set(n, next.Links)
	out := api.Reloaded{Config: n.config.ConfigFile, Changes: changes(was, next)}
	if cut > 0 {
		out.Changes = append(out.Changes, fmt.Sprintf("%d joints were cut", cut))
	}
	n.notifier.set(n, next.Notify)
	what := fmt.Sprintf("%d changes", len(out.Changes))
	switch len(out.Changes) {
	case 0:
		what = "nothing has changed"
	case 1:
		what = out.Changes[0]
	}
	n.tell(api.Event{Type: "config", Text: "the configuration was read again: " + what})
	return out, nil
}

// servers are those of the node for other programs than its own, as they have been set.
type servers struct {
	n   *Node
	was *Settings
}

// setServers has metrics and IRC served as the settings say, both or none.
func (n *Node) setServers(was, next *Settings) (servers, error) {
	s := servers{n, was}
	err := n.metrics.set(n, next.Metrics)
	if err == nil {
		err = n.gateway.set(n, next.IRC)
	}
	if err != nil {
		err = errors.Join(err, s.undo())
	}
	return s, err
}

func (s servers) undo() error {
	return errors.Join(s.n.metrics.set(s.n, s.was.Metrics), s.n.gateway.set(s.n, s.was.IRC))
}

// changes says what is different.
func changes(was, is *Settings) (all []string) {
	if was.Name != is.Name {
		all = append(all, "name: "+is.Name)
	}
	if was.Metrics != is.Metrics {
		all = append(all, "metrics: "+is.Metrics)
	}
	if !slices.Equal(was.Notify, is.Notify) {
		all = append(all, fmt.Sprintf("notify: %d", len(is.Notify)))
	}
	if was.IRC != is.IRC {
		all = append(all, "irc: "+is.IRC.At)
	}
	if !reflect.DeepEqual(was.Network, is.Network) {
		all = append(all, "network: connected anew")
	}
	return append(append(all, diff("service", was.Services, is.Services)...), diff("link", was.Links, is.Links)...)
}

func diff[T any](what string, was, is map[string]T) (all []string) {
	names := slices.Sorted(maps.Keys(was))
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		a, old := was[name]
		b, now := is[name]
		switch {
		case !now:
			all = append(all, what+" "+name+": gone")
		case !old:
			all = append(all, what+" "+name+": new")
		case !reflect.DeepEqual(a, b):
			all = append(all, what+" "+name+": changed")
		}
	}
	return all
}

// warnings says what a person should know of the configuration and the node.
func (n *Node) warnings() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(n.settings.Services)) {
		for _, to := range n.settings.Services[name].To {
			if _, err := n.facts.subject(to); err != nil {
				all = append(all, fmt.Sprintf("%s: service %s: %v", n.config.ConfigFile, name, err))
			}
		}
		if _, ok := n.facts.services[peer.Service(name)]; ok {
			all = append(all, fmt.Sprintf("the service %s of %s hides the one of tenon serve", name, n.config.ConfigFile))
		}
	}
	if err := n.audit.failure(); err != nil {
		all = append(all, "the audit log cannot be written: "+err.Error())
	}
	return all
}
