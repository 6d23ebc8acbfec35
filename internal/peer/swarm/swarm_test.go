package swarm

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

// admissions are what setAdmit has set.
var admissions sync.Map

// setAdmit changes whom a Network of newNet lets in.
func setAdmit(n *Network, f func(peer.ID) peer.Admission) { admissions.Store(n.Self(), f) }

// newNet makes a Network that listens on listen and admits everybody but those in
// strangers.
func newNet(t testing.TB, change func(*Config), listen ...string) *Network {
	t.Helper()
	c := Config{Key: peer.NewKey(), Listen: listen}
	key := c.Key
	c.Admit = func(id peer.ID) peer.Admission {
		if f, ok := admissions.Load(key.ID()); ok {
			return f.(func(peer.ID) peer.Admission)(id) //nolint:forcetypeassert // nothing else is in it
		}
		return peer.Known
	}
	if change != nil {
		change(&c)
	}
	n, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() }) //nolint:errcheck // it returns nil
	return n
}

// meet tells all where the others are.
func meet(all ...*Network) {
	for _, a := range all {
		for _, b := range all {
			a.AddAddrs(b.Self(), b.Addrs()...)
		}
	}
}

func set(t *testing.T, listen ...string) peertest.Set {
	stranger := newNet(t, nil, listen...)
	shy := func(c *Config) {
		c.Admit = func(id peer.ID) peer.Admission {
			if id == stranger.Self() {
				return peer.Refused
			}
			return peer.Known
		}
	}
	a, b := newNet(t, shy, listen...), newNet(t, shy, listen...)
	meet(a, b, stranger)
	return peertest.Set{A: a, B: b, Stranger: stranger, Datagrams: strings.Contains(listen[0], "/quic"), Break: func() { breakAll(a) }}
}

// breakAll has the connections of a end as those do that time out.
func breakAll(a *Network) {
	for _, c := range a.swarm.Conns() {
		c.CloseWithError(network.ConnGarbageCollected) //nolint:errcheck // it is gone
	}
}

func TestSuite(t *testing.T) {
	for name, listen := range map[string]string{
		"tcp":  "/ip4/127.0.0.1/tcp/0",
		"quic": "/ip4/127.0.0.1/udp/0/quic-v1",
		"tcp6": "/ip6/::1/tcp/0",
	} {
		t.Run(name, func(t *testing.T) {
			peertest.Run(t, func(t *testing.T) peertest.Set { return set(t, listen) })
		})
	}
}

// lib returns who n is as libp2p calls it.
func (n *Network) lib() lpeer.ID { return n.self }
