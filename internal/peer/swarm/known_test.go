package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

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

// A stream does not go over a connection from before the direct link, which the other side has cut
// or is about to, even if the end of the link of that time was not told here yet; and when it is
// told, it does not cut what has come with the new link.
func TestDirectOfEarlierLink(t *testing.T) {
	a, b := couple(t, loopback)
	s := say(t, a, b, "hello")
	before := s.LocalAddr().String()
	finish(t, s)
	awaitIdle(t, a, b, 1)
	a.direct.mu.Lock()
	for _, x := range a.direct.peer(b.lib()).idle {
		x.made = x.made.Add(-time.Hour)
	}
	a.direct.mu.Unlock()
	s = say(t, a, b, "again")
	if !isDirect(s) || s.LocalAddr().String() == before {
		t.Errorf("%T from %v, and before from %v", s, s.LocalAddr(), before)
	}
	a.direct.closeUnlinked(b.lib())
	finish(t, s)
}

// Once the direct link is closed, no stream goes over the connections that there were beside it, even
// if its end was not told yet.
func TestDirectWithoutLink(t *testing.T) {
	a, b := couple(t, loopback)
	finish(t, say(t, a, b, "hello"))
	awaitIdle(t, a, b, 1)
	l := a.links.to(b.lib())[0]
	l.conn.Close() //nolint:errcheck // it is gone
	if s, err := a.direct.open(t.Context(), l, b.lib(), "echo"); !errors.Is(err, errNoDirect) {
		t.Errorf("%T, %v", s, err)
	}
}

// A link over which nothing comes any more is closed, and its streams fail.
func TestDeadLink(t *testing.T) {
	a, b := newNet(t, nil), newNet(t, nil, loopback)
	at, stick := sticky(t, b)
	a.AddAddrs(b.Self(), at)
	if err := a.Connect(t.Context(), b.Self()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	stick()
	awaitLinks(t, a, func() bool { return len(a.links.to(b.lib())) == 0 })
	t.Logf("found out after %v", time.Since(begin))
}

// sticky returns an address that leads to b, and what has nothing pass there any more though
// the connections stay.
func sticky(t *testing.T, b *Network) (at string, stick func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var stuck atomic.Bool
	var work sync.WaitGroup
	pass := func(from, to net.Conn) {
		defer from.Close()
		defer context.AfterFunc(ctx, func() { from.Close() })()
		p := make([]byte, 4<<10)
		for {
			n, err := from.Read(p)
			if stuck.Load() {
				<-ctx.Done()
			}
			if _, werr := to.Write(p[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", listensAt(t, b))
			if err != nil {
				c.Close()
				continue
			}
			work.Go(func() { pass(c, to) })
			work.Go(func() { pass(to, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		work.Wait()
	})
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port), func() { stuck.Store(true) }
}

// listensAt is where b listens.
func listensAt(t *testing.T, b *Network) string {
	t.Helper()
	for _, text := range b.Addrs() {
		if a, err := ma.NewMultiaddr(text); err == nil {
			if family, addr, err := manet.DialArgs(a); err == nil && family == "tcp4" {
				return addr
			}
		}
	}
	t.Fatal("it does not listen by TCP")
	return ""
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
