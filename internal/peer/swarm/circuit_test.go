package swarm

import (
	"testing"
	"time"

	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

// newRelay makes a relay for tests, and returns its addresses with its ID.
func newRelay(t testing.TB, listen ...string) (*Network, []string) {
	t.Helper()
	r := newNet(t, nil, listen...)
	resources := circuit.DefaultResources()
	resources.Limit = nil
	resources.MaxCircuits, resources.MaxReservationsPerIP = 1000, 1000
	service, err := circuit.New(r.host, circuit.WithResources(resources))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Close() }) //nolint:errcheck // it returns nil
	var addrs []string
	for _, a := range r.Addrs() {
		addrs = append(addrs, a+"/p2p/"+LibID(r.Self()))
	}
	return r, addrs
}

// awaitLinks waits until ok, at each change of the links.
func awaitLinks(t testing.TB, n *Network, ok func() bool) {
	t.Helper()
	for late := time.After(20 * time.Second); ; {
		changed := n.LinksChanged()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatal("it does not happen")
		}
	}
}

func only(ids ...peer.ID) func(peer.ID) peer.Admission {
	return func(id peer.ID) peer.Admission {
		for _, x := range ids {
			if x == id {
				return peer.Known
			}
		}
		return peer.Refused
	}
}

// relayedSet is three peers that listen nowhere.
func relayedSet(t *testing.T, listen ...string) peertest.Set {
	_, at := newRelay(t, listen...)
	keys := []*peer.Key{peer.NewKey(), peer.NewKey(), peer.NewKey()}
	var all []*Network
	for i, key := range keys {
		admit := only(keys[0].ID(), keys[1].ID())
		if i == 2 {
			admit = func(peer.ID) peer.Admission { return peer.Known }
		}
		n := newNet(t, func(c *Config) { c.Key, c.Admit, c.Relays, c.NoPunch = key, admit, at, true })
		all = append(all, n)
	}
	for _, n := range all {
		awaitLinks(t, n, func() bool { return len(n.Reserved()) > 0 })
	}
	return peertest.Set{A: all[0], B: all[1], Stranger: all[2], Break: func() { breakTo(all[0], all[1].Self()) }}
}

// breakTo has the connections of a to a peer end as those do that time out.
func breakTo(a *Network, to peer.ID) {
	id, _ := lib(to) //nolint:errcheck // it is one
	for _, l := range a.links.to(id) {
		l.conn.Close() //nolint:errcheck // it is gone
	}
}

func TestSuiteRelayed(t *testing.T) {
	peertest.Run(t, func(t *testing.T) peertest.Set { return relayedSet(t, "/ip4/127.0.0.1/tcp/0") })
}

// A relay is spoken to by both transports, so that each side learns its address for both.
func TestBothWaysToTheRelay(t *testing.T) {
	r, at := newRelay(t, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	n := newNet(t, func(c *Config) { c.Relays = at })
	id, _ := lib(r.Self()) //nolint:errcheck // it is one
	awaitLinks(t, n, func() bool {
		seen := map[overlay]bool{}
		for _, l := range n.links.to(id) {
			seen[l.over] = true
		}
		return seen[overTCP] && seen[overQUIC]
	})
}

// A reservation comes back when the relay does.
func TestRelayComesBack(t *testing.T) {
	r, at := newRelay(t, "/ip4/127.0.0.1/tcp/0")
	n := newNet(t, func(c *Config) { c.Relays = at })
	reserved := func() bool { return len(n.Reserved()) == 1 }
	awaitLinks(t, n, reserved)
	since := func() (at time.Time) {
		for l := range n.Links() {
			if l.Peer == r.Self() {
				at = l.Since
			}
		}
		return at
	}
	was := since()
	breakAll(r)
	awaitLinks(t, n, func() bool { return since().After(was) && reserved() })
}
