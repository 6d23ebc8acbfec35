package swarm

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Who has a new key shows in the handshake that the old one has named it, whoever of the
// two dials: before it is looked at whether the key is let in, and also where another key was
// expected.
func TestRotationsAreShown(t *testing.T) {
	for name, listen := range map[string]string{
		"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1",
	} {
		t.Run(name, func(t *testing.T) {
			old, now := peer.NewKey(), peer.NewKey()
			statement := peer.MarshalRotations([]peer.Rotation{peer.NewRotation(old, now, 1, time.Now())})
			alice := newNet(t, func(c *Config) { c.Key, c.Rotations = now, statement }, listen)
			bobs := func() *Network { // bob knows the old key and nobody else, and follows
				var mu sync.Mutex
				known := old.ID()
				return newNet(t, func(c *Config) {
					c.Admit = func(id peer.ID) peer.Admission {
						mu.Lock()
						defer mu.Unlock()
						if id == known {
							return peer.Known
						}
						return peer.Refused
					}
					c.Succeeds = func(b []byte) {
						mu.Lock()
						defer mu.Unlock()
						if _, heir, err := peer.Succession(b, func(id peer.ID) bool { return id == known }); err == nil && bytes.Equal(b, statement) {
							known = heir
						}
					}
				}, listen)
			}
			opens := func(a *Network, to peer.ID) error {
				s, err := a.Open(t.Context(), to, "/x")
				if err == nil {
					s.Close()
				}
				return err
			}
			bob := bobs()
			for _, n := range []*Network{alice, bob} {
				n.Serve("/x", func(transport.Stream) {})
			}
			alice.AddAddrs(bob.Self(), bob.Addrs()...)
			if err := opens(alice, bob.Self()); err != nil {
				t.Errorf("alice turns to bob: %v", err)
			}

			bob = bobs()
			bob.AddAddrs(old.ID(), alice.Addrs()...)
			bob.AddAddrs(now.ID(), alice.Addrs()...)
			if err := opens(bob, old.ID()); !errors.Is(err, peer.ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("bob turns to the old key: %v", err)
			}
			if err := opens(bob, now.ID()); err != nil {
				t.Errorf("and to the new one: %v", err)
			}

			stranger := bobs()
			stranger.config.Succeeds = nil
			alice.AddAddrs(stranger.Self(), stranger.Addrs()...)
			if err := opens(alice, stranger.Self()); err == nil {
				t.Error("who does not follow lets alice in")
			}
		})
	}
}
