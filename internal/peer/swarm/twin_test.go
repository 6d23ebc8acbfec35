package swarm

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	sessions "github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// twin makes a Network with a key that another one has, too. What it is told of others
// with the key goes to met.
func twin(t *testing.T, key *peer.Key, change func(*Config), listen ...string) (n *Network, met chan Event) {
	t.Helper()
	met = make(chan Event, 16)
	return newNet(t, func(c *Config) {
		c.Key, c.NoPunch = key, true
		c.Events = func(e Event) {
			if e.What == Doubled {
				met <- e
			}
		}
		if change != nil {
			change(c)
		}
	}, listen...), met
}

// awaitTwins waits until all have noticed that another machine has their key, which they
// say once.
func awaitTwins(t *testing.T, key *peer.Key, all ...chan Event) {
	t.Helper()
	late := time.After(patience)
	for i, met := range all {
		select {
		case e := <-met:
			t.Logf("number %d: at %s", i+1, e.Addr)
			if e.Peer != key.ID() || e.Addr == "" {
				t.Errorf("%+v", e)
			}
		case <-late:
			t.Fatalf("number %d notices nothing", i+1)
		}
	}
}

// Two machines that have one key notice it: at the relay where both reserve, in the table
// where both write, and where one hears of the other on the local network.
func TestTwinsNotice(t *testing.T) {
	t.Run("at a relay", func(t *testing.T) {
		_, _, at := ownRelay(t, guestsOnly, RelayConfig{}, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
		key := peer.NewKey()
		reserves := func(c *Config) { c.Relays = at }
		a, metA := twin(t, key, reserves)
		awaitLinks(t, a, func() bool { return len(a.Reserved()) > 0 && len(a.links.to(a.relays[0].ID)) > 1 })
		_, metB := twin(t, key, reserves)
		awaitTwins(t, key, metA, metB)
	})
	t.Run("in the table", func(t *testing.T) {
		server, at := tableOf(t)
		key := peer.NewKey()
		find := func(c *Config) { c.Discovery, c.Bootstrap = PrivateDiscovery, at }
		a, metA := twin(t, key, find, loopback)
		awaitPublished(t, server, a)
		_, metB := twin(t, key, find, loopback)
		awaitTwins(t, key, metA, metB)
	})
	for name, listen := range map[string]string{"TCP": loopback, "QUIC": "/ip4/127.0.0.1/udp/0/quic-v1"} {
		t.Run("where it was heard of over "+name, func(t *testing.T) {
			key := peer.NewKey()
			a, metA := twin(t, key, nil, listen)
			b, metB := twin(t, key, nil, listen)
			a.LookForTwin(b.Addrs()...)
			awaitTwins(t, key, metA, metB)
			a.dialTwin(t.Context(), b.Addrs())
			if is, ok := a.Twin(); !ok || len(metA) > 0 || is.When.IsZero() {
				t.Errorf("met again: %+v, told of again: %d", is, len(metA))
			}
			if n := len(a.swarm.Conns()) + len(b.swarm.Conns()); n > 0 {
				t.Errorf("%d links of a node with itself", n)
			}
		})
	}
}

// Whoever has not got the key cannot have anybody believe that it is on two machines: not
// by saying so, not by sending a node to itself, and not as the relay.
func TestNobodyElseIsATwin(t *testing.T) {
	_, _, at := ownRelay(t, guestsOnly, RelayConfig{}, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	listen := []string{loopback, "/ip4/127.0.0.1/udp/0/quic-v1"}
	a, met := twin(t, peer.NewKey(), func(c *Config) { c.Relays = at }, listen...)
	awaitLinks(t, a, func() bool { return len(a.Reserved()) > 0 && len(a.links.to(a.relays[0].ID)) > 1 })
	mallory := newNet(t, nil, listen...)
	a.config.Announce = []string{"/ip4/192.0.2.1/tcp/1"} // so that it does not know its own addresses
	own, err := a.swarm.InterfaceListenAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for name, addrs := range map[string][]string{
		"another":        mallory.Addrs(),
		"itself":         texts(own),
		"by the relay":   texts(through(a.relays[0])),
		"no address":     {"rubbish", "", "/ip4/127.0.0.1"},
		"nobody's there": {"/ip4/127.0.0.1/tcp/1"},
	} {
		a.dialTwin(t.Context(), addrs)
		if is, ok := a.Twin(); ok || len(met) > 0 {
			t.Errorf("%s is taken for a twin: %+v", name, is)
		}
	}
}

// A session with one of two machines that have one key is never taken up by the other. It
// is an error at both ends, and neither reads an end, nor a byte of another session. Both
// machines stay usable.
func TestTwinsDoNotResumeForEachOther(t *testing.T) {
	key := peer.NewKey()
	var two [2]*Network
	served := make(chan transport.Stream, 4)
	done := make(chan struct{})
	for i := range two {
		two[i], _ = twin(t, key, nil, loopback)
		l := sessions.New(two[i], sessions.Options{})
		t.Cleanup(func() { l.Close() }) //nolint:errcheck // it returns nil
		name := []byte{byte('1' + i)}
		l.Serve("/who", func(s transport.Stream) {
			s.Write(name) //nolint:errcheck // the reader shows it
			served <- s
			<-done
		})
	}
	t.Cleanup(func() { close(done) }) // before the links are closed, which wait for the handlers
	bob := newNet(t, func(c *Config) { c.NoPunch = true })
	bobs := sessions.New(bob, sessions.Options{})
	t.Cleanup(func() { bobs.Close() }) //nolint:errcheck // it returns nil
	var at [2]ma.Multiaddr
	for i, n := range two {
		at[i] = n.addrs()[0]
	}
	bob.AddAddrs(key.ID(), at[0].String())
	off := func(which int) {
		n := two[which]
		n.swarm.ListenClose(at[which])
		for _, c := range n.swarm.ConnsToPeer(bob.self) {
			c.Close() //nolint:errcheck // it is gone
		}
		awaitLinks(t, bob, func() bool {
			return !slices.ContainsFunc(bob.links.to(n.self), func(l *link) bool { return l.conn.RemoteMultiaddr().Equal(at[which]) })
		})
	}
	on := func(which int) {
		if err := two[which].swarm.AddListenAddr(at[which]); err != nil {
			t.Fatal(err)
		}
		bob.AddAddrs(key.ID(), at[which].String())
	}
	forgotten := func(end string, s transport.Stream) {
		t.Helper()
		s.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // sessions have deadlines
		if n, err := s.Read(make([]byte, 64)); n > 0 || !errors.Is(err, sessions.ErrForgotten) {
			t.Errorf("%s reads %d bytes and %v", end, n, err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, sessions.ErrForgotten) {
			t.Errorf("%s writes: %v", end, err)
		}
	}
	open := func(which int) (mine, theirs transport.Stream) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s, err := bobs.Open(ctx, key.ID(), "/who")
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if _, err := io.ReadFull(s, b); err != nil || b[0] != byte('1'+which) {
			t.Fatalf("number %q answers, want %d: %v", b, which+1, err)
		}
		return s, <-served
	}
	off(1)
	for which, other := range []int{1, 0} {
		mine, theirs := open(which)
		on(other)
		off(which)
		forgotten("bob", mine)
		open(other)
		on(which)
		if err := bob.dialAddr(t.Context(), two[which].self, at[which]); err != nil {
			t.Fatal(err)
		}
		forgotten("the machine", theirs)
		off(which)
	}
}
