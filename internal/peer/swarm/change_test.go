package swarm

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	p2pswarm "github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
)

// What a node says of connections that it has forgotten, others believe after it was killed, too.
func TestResetKey(t *testing.T) {
	key, other := peer.KeyFromSeed([32]byte{1}), peer.KeyFromSeed([32]byte{2})
	if first := resetKey(key); first != resetKey(key) {
		t.Error("it is another one each time")
	}
	if resetKey(key) == resetKey(other) {
		t.Error("two nodes have the same")
	}
}

// A node that is killed and starts again has others notice at once that their QUIC connections are over.
func TestKilledAndStartedAgain(t *testing.T) {
	const over = "/ip4/127.0.0.1/udp/0/quic-v1"
	key := peer.NewKey()
	a, b := newNet(t, nil, over), newNet(t, func(c *Config) { c.Key = key }, over)
	a.AddAddrs(b.Self(), b.Addrs()...)
	b.Serve("echo", echo)
	finish(t, say(t, a, b, "hello"))
	s, err := a.Open(t.Context(), b.Self(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	at := b.Addrs()[0]
	b.overQUIC.mu.Lock()
	for _, s := range b.overQUIC.sockets {
		s.socket.Close() //nolint:errcheck // it dies without a word
	}
	b.overQUIC.mu.Unlock()
	newNet(t, func(c *Config) { c.Key = key }, at)
	s.Write([]byte("are you there?")) //nolint:errcheck // it would show below
	_, err = s.Read(make([]byte, 1))
	if err == nil || !strings.Contains(err.Error(), "stateless reset") { // for want of answers it would take longer
		t.Errorf("it ends with %v", err)
	}
}

// What is begun before the network changes begins again, and only that.
func TestWhileMoving(t *testing.T) {
	n := newNet(t, nil)
	began := make(chan context.Context)
	end := make(chan error)
	done := make(chan error, 1)
	go func() {
		done <- n.whileMoving(t.Context(), func(ctx context.Context) error {
			began <- ctx
			select {
			case <-ctx.Done():
				return ctx.Err()
			case err := <-end:
				return err
			}
		})
	}()
	<-began
	n.networkChanged()
	<-began
	failed := errors.New("no")
	end <- failed
	if err := <-done; !errors.Is(err, failed) {
		t.Error(err)
	}
}

// A dial that hangs is over when the peer comes by itself.
func TestDialEndsWhenLinked(t *testing.T) {
	a, b := couple(t, loopback)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close() //nolint:errcheck // it takes connections and says nothing
	addr, err := ma.NewMultiaddr("/ip4/127.0.0.1/tcp/" + portOf(mute.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	a.host.Peerstore().ClearAddrs(b.lib())
	a.host.Peerstore().AddAddrs(b.lib(), []ma.Multiaddr{addr}, permanent)
	found := make(chan error, 1)
	go func() {
		_, err := a.dialPeer(t.Context(), b.lib())
		found <- err
	}()
	c, err := mute.Accept() // it is being dialed
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing was said
	if err := b.Connect(t.Context(), a.Self()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-found:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(handshakeTimeout / 2):
		t.Error("it still waits")
	}
}

func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String()) //nolint:errcheck // it is one
	return port
}

// The pauses before a relay is asked again begin short and have an end.
func TestReserveAgain(t *testing.T) {
	for failed, most := range map[int]time.Duration{0: 100, 1: 200, 4: 1600, 5: 2000, 60: 2000, 61: 20000, 1000: 20000} {
		most *= time.Millisecond
		for range 100 {
			if d := reserveAgain(failed); d < most/2 || d > most {
				t.Fatalf("%v after %d failures", d, failed)
			}
		}
	}
}

// Little that is written is no sign of life: it goes into buffers.
func TestMoveCount(t *testing.T) {
	l := &link{over: overQUIC}
	m := moveCount{all: &l.moved}
	for range 100 {
		m.write(20)
	}
	if l.moved.Load() != 0 {
		t.Error("little counts")
	}
	m.write(writeStep)
	m.read()
	if l.moved.Load() != 2 {
		t.Errorf("%d", l.moved.Load())
	}
}

// Links by relays follow those in front of them, and are for dials the first to be tried.
func TestRankRelaysFirst(t *testing.T) {
	relay, _ := lpeer.Decode("12D3KooWKpigHXhVhX12EbnZmxFv9crHRrLNJR7KJwosJkJXMzR1") //nolint:errcheck // it is one
	direct := ma.StringCast("/ip4/192.0.2.1/tcp/1")
	by := ma.StringCast("/ip4/192.0.2.2/tcp/1/p2p/" + relay.String() + "/p2p-circuit")
	if got := rankDials([]ma.Multiaddr{direct, by}); !got[0].Addr.Equal(by) || got[0].Delay != 0 || got[1].Delay != 0 {
		t.Errorf("%v", got)
	}
}

// In a network without IPv6, dials by IPv6 fail, many of them. They are made all the same,
// for the next network may have it.
func TestNoFamilyIsGivenUp(t *testing.T) {
	a, b := newNet(t, nil), peer.NewKey().ID()
	a.AddAddrs(b, "/ip6/2a0e:4242::1/tcp/4001")
	id, err := lib(b)
	if err != nil {
		t.Fatal(err)
	}
	for range 150 {
		a.swarm.Backoff().Clear(id)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := a.swarm.DialPeer(ctx, id)
		cancel()
		var dial *p2pswarm.DialError
		if !errors.As(err, &dial) {
			continue // it takes its time
		}
		for _, e := range dial.DialErrors {
			if errors.Is(e.Cause, p2pswarm.ErrDialRefusedBlackHole) {
				t.Fatal(e.Cause)
			}
		}
	}
}
