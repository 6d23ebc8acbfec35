package swarm

import (
	"bytes"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

const (
	loopbackQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
	datagramWait = 20 * time.Second
)

// awaitDatagrams waits until a has a way to b that carries datagrams, by LinksChanged alone.
func awaitDatagrams(t testing.TB, a, b *Network) {
	t.Helper()
	for end := time.After(datagramWait); ; {
		changed := a.LinksChanged()
		if a.MaxDatagram(b.Self()) > 0 {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatal("there is no way that carries datagrams")
		}
	}
}

// listenTo has the datagrams that come to a Network put into a channel.
func listenTo(t testing.TB, n *Network) chan []byte {
	came := make(chan []byte, 1<<10)
	t.Cleanup(n.ServeDatagrams(func(_ peer.ID, _ uint32, p []byte) {
		select {
		case came <- p:
		default:
		}
	}))
	return came
}

// arrives sends a datagram until it comes.
func arrives(t testing.TB, a, b *Network, came chan []byte, text string) {
	t.Helper()
	for end, again := time.After(datagramWait), time.After(0); ; {
		select {
		case p := <-came:
			if bytes.Equal(p, []byte(text)) {
				return
			}
			t.Fatalf("%q comes", p)
		case <-again:
			if err := a.SendDatagram(b.Self(), 1, []byte(text)); err != nil && !errors.Is(err, peer.ErrDropped) {
				t.Fatal(err)
			}
			again = time.After(50 * time.Millisecond)
		case <-end:
			t.Fatalf("%q never comes", text)
		}
	}
}

// Two that have a connection of TCP, which is best for streams, get one of QUIC as well when
// one of them has datagrams to send.
func TestDatagramsSeekQUIC(t *testing.T) {
	a, b := couple(t, loopback, loopbackQUIC)
	finish(t, say(t, a, b, "hello"))
	if all := a.links.to(b.lib()); len(all) != 1 || all[0].over != overTCP {
		t.Skipf("the first link is not of TCP, on a machine this busy: %v", all)
	}
	awaitDatagrams(t, a, b)
	arrives(t, a, b, listenTo(t, b), "a datagram")
	arrives(t, b, a, listenTo(t, a), "and one back")
	if all := a.links.to(b.lib()); all[0].over != overTCP {
		t.Errorf("the best link for streams is %s", all[0].addr)
	}
}

// A peer that is older than datagrams, or wants none, is sent none, and is not dialed again
// and again for that.
func TestDatagramsOldPeer(t *testing.T) {
	old := newNet(t, func(c *Config) { c.noDatagrams = true }, loopback, loopbackQUIC)
	a := newNet(t, nil, loopback, loopbackQUIC)
	meet(a, old)
	old.Serve("echo", echo)
	finish(t, say(t, a, old, "hello"))
	over := func() int { return len(a.links.to(old.lib())) }
	for end := time.After(datagramWait); over() < 2; {
		changed := a.LinksChanged()
		if a.MaxDatagram(old.Self()) != 0 {
			t.Fatal("an old peer takes datagrams")
		}
		if a.links.to(old.lib())[0].over == overQUIC {
			break // the machine is so busy that this one was first
		}
		select {
		case <-changed:
		case <-end:
			t.Fatal("QUIC was not tried")
		}
	}
	had := over()
	for range 3 {
		if err := a.SendDatagram(old.Self(), 1, nil); a.MaxDatagram(old.Self()) != 0 || !errors.Is(err, peer.ErrNoDatagrams) {
			t.Errorf("%v", err)
		}
	}
	a.datagrams.mu.Lock()
	tried := 0
	for _, s := range a.datagrams.seeks {
		if tried += s.tried; s.trying {
			tried++
		}
	}
	a.datagrams.mu.Unlock()
	if tried > 1 {
		t.Errorf("QUIC was tried %d times", tried)
	}
	finish(t, say(t, a, old, "it goes on as ever"))
	if n := over(); n != had {
		t.Errorf("%d links, and %d before", n, had)
	}
}

// What is no datagram of ours is thrown away, as are those of a peer that is not let in any
// more, even before its connection is ended.
func TestDatagramsHostile(t *testing.T) {
	a, b := couple(t, loopbackQUIC)
	finish(t, say(t, a, b, "hello"))
	awaitDatagrams(t, a, b)
	came := listenTo(t, b)
	w := a.datagrams.way(b.Self())
	for _, rubbish := range [][]byte{nil, {1}, {1, 2, 3}} {
		if err := w.conn.SendDatagram(rubbish); err != nil {
			t.Fatal(err)
		}
	}
	arrives(t, a, b, came, "the first that is one")
	setAdmit(b, func(peer.ID) peer.Admission { return peer.Refused })
	l := b.links.to(a.lib())[0]
	before := l.moved.Load()
	for end := time.Now().Add(datagramWait); l.moved.Load() < before+5; {
		if time.Now().After(end) {
			t.Fatal("nothing comes")
		}
		err := a.SendDatagram(b.Self(), 1, []byte("refused"))
		if errors.Is(err, peer.ErrNoDatagrams) {
			break // a stream, such as that of a ping, was refused meanwhile, and the connection with it
		}
		if err != nil && !errors.Is(err, peer.ErrDropped) {
			t.Fatal(err)
		}
	}
	for len(came) > 0 {
		if p := <-came; string(p) == "refused" {
			t.Fatal("a datagram of one that is not let in")
		}
	}
	b.Recheck()
	for end := time.After(datagramWait); ; {
		changed := a.LinksChanged()
		if a.datagrams.way(b.Self()) == nil {
			break
		}
		select {
		case <-changed:
		case <-end:
			t.Fatal("there is still a way")
		}
	}
	if err := a.SendDatagram(b.Self(), 1, nil); !errors.Is(err, peer.ErrNoDatagrams) {
		t.Errorf("%v", err)
	}
}

// A hole is a socket through which nothing passes any more once it is open.
type hole struct {
	net.PacketConn
	open atomic.Bool
}

func (h *hole) WriteTo(p []byte, to net.Addr) (int, error) {
	if h.open.Load() {
		return len(p), nil
	}
	return h.PacketConn.WriteTo(p, to)
}

// Who sends on a way that is dead waits for nothing, holds no more than is allowed, and
// nothing when it is over.
func TestDatagramsOnADeadWay(t *testing.T) {
	var holes []*hole
	a := newNet(t, func(c *Config) {
		c.packets = func(at *net.UDPAddr) (net.PacketConn, error) {
			s, err := net.ListenUDP("udp4", at)
			h := &hole{PacketConn: s}
			holes = append(holes, h)
			return h, err
		}
	}, loopbackQUIC)
	b := newNet(t, nil, loopbackQUIC)
	meet(a, b)
	b.Serve("echo", echo)
	finish(t, say(t, a, b, "hello"))
	awaitDatagrams(t, a, b)
	for _, h := range holes {
		h.open.Store(true)
	}
	w := a.datagrams.way(b.Self())
	dropped, most := 0, int64(0)
	for range 5000 {
		if err := w.send(1, make([]byte, 1000)); errors.Is(err, peer.ErrDropped) {
			dropped++
		}
		most = max(most, w.sending.Used()) // others may have a few that answer
	}
	if dropped == 0 || most > maxWaySending {
		t.Errorf("%d were dropped, and %d bytes have waited", dropped, most)
	}
	w.conn.CloseWithError(0, "") //nolint:errcheck // the rest shows it
	<-w.conn.Context().Done()
	a.Close() //nolint:errcheck // it returns nil, when whoever sends has ended
	if n := a.datagrams.sending.Used(); n != 0 {
		t.Errorf("%d bytes are still booked", n)
	}
	if err := w.send(1, nil); !errors.Is(err, peer.ErrNoDatagrams) {
		t.Errorf("after the end: %v", err)
	}
}
