package swarm

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/punch"
)

// relayedPair makes two that know of each other by a relay only.
func relayedPair(t *testing.T, change func(*Config), listen ...string) (a, b *Network) {
	t.Helper()
	relay, at := newRelay(t, loopback)
	o, _, err := relay.observe([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() }) //nolint:errcheck // it returns nil
	keys := []*peer.Key{peer.NewKey(), peer.NewKey()}
	var all []*Network
	for _, key := range keys {
		all = append(all, newNet(t, func(c *Config) {
			c.Key, c.Relays, c.Admit = key, at, only(keys[0].ID(), keys[1].ID())
			c.changePunch = func(p *punch.Config) { p.Loopback = true }
			if change != nil {
				change(c)
			}
		}, listen...))
	}
	for _, n := range all {
		awaitLinks(t, n, func() bool { return len(n.Reserved()) > 0 })
	}
	all[1].Serve("echo", echo)
	return all[0], all[1]
}

// What begins over a relay goes on directly: where the peer says that it listens.
func TestRelayedBecomesDirect(t *testing.T) {
	a, b := relayedPair(t, nil, loopback)
	s := say(t, a, b, "hello")
	awaitLinks(t, a, func() bool { return a.linkedDirectly(b.lib()) })
	if p := s.(peer.Pathed).Path(); p != peer.Relayed { //nolint:forcetypeassert // all streams are
		t.Errorf("the stream says that it is %s", p)
	}
	finish(t, s)                                                           // over the relay still
	if p := say(t, a, b, "hello").(peer.Pathed).Path(); p != peer.Direct { //nolint:forcetypeassert // all streams are
		t.Errorf("a new stream is %s", p)
	}
}

// Two that listen nowhere punch.
func TestRelayedIsPunched(t *testing.T) {
	a, b := relayedPair(t, nil)
	finish(t, say(t, a, b, "hello"))
	awaitLinks(t, a, func() bool { return a.linkedDirectly(b.lib()) })
	awaitLinks(t, b, func() bool { return b.linkedDirectly(a.lib()) })
	finish(t, say(t, a, b, "hello"))
	finish(t, say(t, a, b, "again"))
}

// A way that is lost is replaced: first by the relay, then by a direct one again.
func TestDirectIsLostAndComesBack(t *testing.T) {
	a, b := relayedPair(t, nil, loopback)
	finish(t, say(t, a, b, "hello"))
	for range 3 {
		awaitLinks(t, a, func() bool { return a.linkedDirectly(b.lib()) })
		for _, l := range a.links.to(b.lib()) {
			if l.over != overRelay {
				l.conn.Close() //nolint:errcheck // it is gone
			}
		}
		finish(t, say(t, a, b, "and on"))
	}
}

// A link over which nothing comes any more is closed, and its streams fail.
func TestDeadLink(t *testing.T) {
	a, b := couple(t, loopback)
	hold := make(chan struct{})
	defer close(hold)
	b.swarm.SetStreamHandler(func(s network.Stream) { <-hold }) // it answers no pings from now on
	if err := a.Connect(t.Context(), b.Self()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	awaitLinks(t, a, func() bool { return len(a.links.to(b.lib())) == 0 })
	t.Logf("found out after %v", time.Since(begin))
}

// A change of the network has everything looked at.
func TestNetworkChanged(t *testing.T) {
	a, b := couple(t, loopback)
	finish(t, say(t, a, b, "hello"))
	changed := a.changes.wait()
	a.direct.pause(b.lib())
	a.networkChanged()
	<-changed
	if s := say(t, a, b, "hello"); !isDirect(s) {
		t.Errorf("%T", s)
	}
}
