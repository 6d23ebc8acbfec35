package swarm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

func echo(s transport.Stream) {
	io.Copy(s, s)  //nolint:errcheck // the other side sees it
	s.CloseWrite() //nolint:errcheck // the other side sees it
}

// couple makes two that know each other, the second of which echoes.
func couple(t testing.TB, listen ...string) (a, b *Network) {
	a, b = newNet(t, nil, listen...), newNet(t, nil, listen...)
	meet(a, b)
	b.Serve("echo", echo)
	return a, b
}

// say sends something over a new stream and returns the stream, open.
func say(t testing.TB, a, b *Network, what string) transport.Stream {
	t.Helper()
	s, err := a.Open(t.Context(), b.Self(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // it would show below
	io.WriteString(s, what)                         //nolint:errcheck // it would show below
	got := make([]byte, len(what))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != what {
		t.Fatalf("%q, %v", got, err)
	}
	return s
}

// finish ends both directions of a stream.
func finish(t testing.TB, s transport.Stream) {
	t.Helper()
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(s); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
	s.Close() //nolint:errcheck // it returns nil
}

func isDirect(s transport.Stream) bool {
	_, ok := s.(*directStream)
	return ok
}

// A stream has a connection of its own, and the next one has that connection.
func TestDirect(t *testing.T) {
	a, b := couple(t, loopback)
	var ports []string
	for range 3 {
		s := say(t, a, b, "hello")
		if !isDirect(s) {
			t.Fatalf("%T", s)
		}
		ports = append(ports, s.LocalAddr().String())
		finish(t, s)
		awaitIdle(t, a, b, 1)
	}
	if ports[0] != ports[1] || ports[1] != ports[2] {
		t.Errorf("%v", ports)
	}
	if _, err := a.Open(t.Context(), b.Self(), "nothing"); !errors.Is(err, peer.ErrNoProtocol) {
		t.Error(err)
	}
	if _, err := a.Open(t.Context(), b.Self(), strings.Repeat("x", 300)); !errors.Is(err, peer.ErrNoProtocol) {
		t.Error(err)
	}
	finish(t, say(t, a, b, "and on"))
}

// awaitIdle waits until so many connections wait for a stream.
func awaitIdle(t testing.TB, a, b *Network, want int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		a.direct.mu.Lock()
		got := len(a.direct.peer(b.lib()).idle)
		a.direct.mu.Unlock()
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections are idle, want %d", got, want)
		}
	}
}

// A connection that was lost while it was idle costs nobody a stream.
func TestDirectLostWhileIdle(t *testing.T) {
	a, b := couple(t, loopback)
	finish(t, say(t, a, b, "hello"))
	awaitIdle(t, a, b, 1)
	a.direct.mu.Lock()
	a.direct.peer(b.lib()).idle[0].tcp.Close() //nolint:errcheck // it is gone
	a.direct.mu.Unlock()
	if s := say(t, a, b, "again"); !isDirect(s) {
		t.Errorf("%T", s)
	}
}

// A stream soon after another one of the same protocol does not wait for an answer, and a
// peer that is to speak first does so.
func TestDirectAgain(t *testing.T) {
	a, b := couple(t, loopback)
	b.Serve("greet", func(s transport.Stream) { io.WriteString(s, "hi") }) //nolint:errcheck // the other side sees it
	finish(t, say(t, a, b, "hello"))
	awaitIdle(t, a, b, 1)
	b.serve.mu.Lock() // it cannot look for what is asked for
	s, err := a.Open(t.Context(), b.Self(), "echo")
	b.serve.mu.Unlock()
	if err != nil || !isDirect(s) {
		t.Fatalf("%T, %v", s, err)
	}
	big := strings.Repeat("and again ", 1<<20)
	go io.WriteString(s, big) //nolint:errcheck // it would show below
	got := make([]byte, len(big))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != big {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	finish(t, s)
	for range 3 {
		awaitIdle(t, a, b, 1)
		s, err := a.Open(t.Context(), b.Self(), "greet")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(s); err != nil || string(got) != "hi" {
			t.Errorf("%q, %v", got, err)
		}
		s.Close() //nolint:errcheck // it returns nil
	}
}

// The last bytes go with the end, be they few or many, and the connection carries on.
func TestDirectWriteLast(t *testing.T) {
	a, b := couple(t, loopback)
	got := make(chan string, 1)
	b.Serve("read", func(s transport.Stream) {
		all, err := io.ReadAll(s)
		if err != nil {
			t.Error(err)
		}
		got <- string(all)
	})
	for _, size := range []int{1, 0, smallData, smallData + 1, 3 * maxFrame} {
		s, err := a.Open(t.Context(), b.Self(), "read")
		if err != nil || !isDirect(s) {
			t.Fatalf("%T, %v", s, err)
		}
		what := strings.Repeat("x", size)
		if err := s.(*directStream).WriteLast([]byte(what)); err != nil { //nolint:forcetypeassert // it is one
			t.Error(err)
		}
		if all := <-got; all != what {
			t.Errorf("%d bytes in place of %d", len(all), size)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
		finish(t, s)
		awaitIdle(t, a, b, 1)
	}
}

// A stream that does not wait for an answer is asked about all the same: whoever is not
// let in any more gets none, nor one of a protocol that is not served any more.
func TestDirectAgainRefused(t *testing.T) {
	for name, refuse := range map[string]func(b *Network, stop func()){
		"not served":   func(_ *Network, stop func()) { stop() },
		"not let in":   func(b *Network, _ func()) { setAdmit(b, only()) },
		"only a guest": func(b *Network, _ func()) { setAdmit(b, func(peer.ID) peer.Admission { return peer.Guest }) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newNet(t, nil, loopback), newNet(t, nil, loopback)
			meet(a, b)
			var served atomic.Int32
			stop := b.Serve("echo", func(s transport.Stream) {
				served.Add(1)
				echo(s)
			})
			finish(t, say(t, a, b, "hello"))
			awaitIdle(t, a, b, 1)
			refuse(b, stop)
			s, err := a.Open(t.Context(), b.Self(), "echo")
			if err == nil {
				io.WriteString(s, "again") //nolint:errcheck // it would show below
				if n, err := s.Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
					t.Errorf("%d bytes, %v", n, err)
				}
				s.Close() //nolint:errcheck // it returns nil
			}
			if got := served.Load(); got != 1 {
				t.Errorf("%d streams were served", got)
			}
		})
	}
}

// An address that a peer is said to have, as the local network says it of every IP, may be wrong: then
// the next one is dialed, and not the wrong one again.
func TestDirectWrongAddress(t *testing.T) {
	a, b := couple(t, loopback)
	a.Serve("echo", echo)
	if err := a.Connect(t.Context(), b.Self()); err != nil {
		t.Fatal(err)
	}
	awaitLinks(t, b, func() bool { return b.linkedDirectly(a.lib()) })
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wrong := nobody.Addr()
	nobody.Close() //nolint:errcheck // nobody is there
	at, err := a.swarmAddr()
	if err != nil {
		t.Fatal(err)
	}
	right, err := net.ResolveTCPAddr("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []net.Addr{wrong, right} { // of what is dialed
		if !b.direct.begin(a.lib()) {
			t.Fatal("no try is made")
		}
		all := []net.Addr{wrong, right}
		x := b.direct.dialAny(t.Context(), all, a.lib(), directPatience)
		if x == nil {
			t.Fatal("the next one was not dialed")
		}
		x.cut()
		if all[0] != first {
			t.Errorf("%v was dialed first, want %v", all[0], first)
		}
	}
}

// A peer that has dialed us over an IP at which it does not listen tells where it does.
func TestDirectOtherIP(t *testing.T) {
	a, b := couple(t, loopback, "/ip6/::1/tcp/0")
	c := newNet(t, nil, loopback)
	meet(a, c)
	meet(b, c)
	c.Serve("echo", echo)
	for _, at := range b.Addrs() {
		if strings.HasPrefix(at, "/ip6/") {
			c.swarm.Peerstore().ClearAddrs(b.lib())
			c.AddAddrs(b.Self(), at)
		}
	}
	if err := c.Connect(t.Context(), b.Self()); err != nil {
		t.Skip("no IPv6: ", err)
	}
	awaitLinks(t, b, func() bool { return b.linkedDirectly(c.lib()) })
	if !strings.HasPrefix(b.links.to(c.lib())[0].addr, "/ip6/") {
		t.Fatal(b.links.to(c.lib())[0].addr)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		s := say(t, b, c, "hello")
		direct := isDirect(s)
		finish(t, s)
		if direct {
			break
		}
		if time.Now().After(end) {
			t.Fatal("streams stay on libp2p's connection")
		}
	}
}

// Of the addresses that a peer has told, those are dialed that mean the peer here, too.
func TestListeners(t *testing.T) {
	parse := func(texts ...string) (all []ma.Multiaddr) {
		for _, text := range texts {
			all = append(all, ma.StringCast(text))
		}
		return all
	}
	for name, x := range map[string]struct {
		remote string
		told   []ma.Multiaddr
		want   []string
		sure   bool
	}{
		"the same IP":                     {"/ip4/10.0.0.7/tcp/9", parse("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.7/tcp/2"), []string{"10.0.0.7:2", "10.0.0.1:1"}, true},
		"the same IP, which may be wrong": {"/ip6/::1/tcp/9", parse("/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"), []string{"[::1]:1", "127.0.0.1:1"}, true},
		"the other family, as near": {"/ip6/fd00::7/tcp/9", parse("/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.7/tcp/1"),
			[]string{"10.0.0.7:1"}, false},
		"the other family, and only a public address": {"/ip6/fd00::7/udp/9/quic-v1", parse("/ip4/127.0.0.1/tcp/1", "/ip4/198.41.0.4/tcp/1"),
			[]string{"198.41.0.4:1"}, false},
		"on this machine, the nearest first": {"/ip6/::1/tcp/9", parse("/ip4/198.41.0.4/tcp/1", "/ip4/10.0.0.7/tcp/1", "/ip4/127.0.0.1/tcp/1"),
			[]string{"127.0.0.1:1", "10.0.0.7:1", "198.41.0.4:1"}, false},
		"from outside":  {"/ip6/2001:7fd::1/tcp/9", parse("/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.7/tcp/1", "/ip6/fe80::7/tcp/1"), nil, false},
		"not TCP alone": {"/ip4/10.0.0.7/udp/9/quic-v1", parse("/ip4/10.0.0.7/udp/9/quic-v1", "/ip4/10.0.0.7/tcp/1/ws"), nil, false},
		"too many": {"/ip4/10.0.0.7/tcp/9", parse("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.3/tcp/1", "/ip4/10.0.0.4/tcp/1", "/ip4/10.0.0.5/tcp/1"),
			[]string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"}, false},
		"the same IP behind too many": {"/ip4/10.0.0.7/tcp/9", parse("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.3/tcp/1", "/ip4/10.0.0.4/tcp/1", "/ip4/10.0.0.7/tcp/1"),
			[]string{"10.0.0.7:1", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}, true},
	} {
		all, sure := listeners(ma.StringCast(x.remote), x.told)
		var got []string
		for _, at := range all {
			got = append(got, at.String())
		}
		if !slices.Equal(got, x.want) || sure != x.sure {
			t.Errorf("%s: %v, %v, want %v, %v", name, got, sure, x.want, x.sure)
		}
	}
}

// Where the peer's port cannot be reached for it, streams go over libp2p's connection.
func TestDirectFallsBack(t *testing.T) {
	a, b := couple(t, "/ip4/127.0.0.1/udp/0/quic-v1")
	if s := say(t, a, b, "hello"); isDirect(s) {
		t.Errorf("%T", s)
	}
	a, b = couple(t, loopback)
	a.direct.pause(b.lib())
	if s := say(t, a, b, "hello"); isDirect(s) {
		t.Errorf("%T", s)
	}
	// The other direction: b is dialed by nobody, and its address is told by identify.
	a.Serve("echo", echo)
	if s := say(t, b, a, "hello"); !isDirect(s) {
		t.Errorf("%T", s)
	}
}

// Recheck cuts the streams of those who are not let in any more.
func TestRecheck(t *testing.T) {
	a, b := couple(t, loopback)
	s := say(t, a, b, "hello")
	setAdmit(b, only())
	b.Recheck()
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	if _, err := a.Open(t.Context(), b.Self(), "echo"); !errors.Is(err, peer.ErrNotAdmitted) {
		t.Errorf("%v", err)
	}
}

// A guest reaches what is for guests, and does not find out what else there is.
func TestGuests(t *testing.T) {
	a, b := couple(t, loopback)
	setAdmit(b, func(peer.ID) peer.Admission { return peer.Guest })
	b.ServeGuests("hello", echo)
	for _, direct := range []bool{true, false} {
		if !direct {
			a.direct.pause(b.lib())
			a.direct.closePeer(b.lib())
			a.direct.pause(b.lib())
		}
		if _, err := a.Open(t.Context(), b.Self(), "echo"); !errors.Is(err, peer.ErrNoProtocol) {
			t.Errorf("direct %v: %v", direct, err)
		}
		s, err := a.Open(t.Context(), b.Self(), "hello")
		if err != nil || isDirect(s) != direct {
			t.Fatalf("%T, %v", s, err)
		}
	}
}

// dialTLS makes a connection as for a stream, in the name of somebody.
func dialTLS(t *testing.T, as, to *Network, want *Network) (*directConn, error) {
	t.Helper()
	at, err := to.swarmAddr()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return as.direct.handshake(t.Context(), c.(*net.TCPConn), transport.Dialed, want.lib()) //nolint:forcetypeassert // it is one
}

// swarmAddr returns where n listens for TCP.
func (n *Network) swarmAddr() (string, error) {
	for _, a := range n.addrs() {
		if at := tcpAddr(a); at != nil {
			return at.String(), nil
		}
	}
	return "", errors.New("it does not listen")
}

// Whoever is not let in, or has no link, is cut before anything of his is read.
func TestDirectStranger(t *testing.T) {
	a, b := couple(t, loopback)
	setAdmit(b, only(a.Self()))
	stranger := newNet(t, nil)
	for name, as := range map[string]*Network{"a stranger": stranger, "a peer without a link": a} {
		x, err := dialTLS(t, as, b, b)
		if err != nil {
			continue
		}
		if err := x.request(t.Context(), "echo"); err == nil || errors.Is(err, peer.ErrNoProtocol) {
			t.Errorf("%s: %v", name, err)
		}
		x.cut()
	}
}

// The key that the listener shows has to be that of the peer that was dialed.
func TestDirectWrongKey(t *testing.T) {
	a, b := couple(t, loopback)
	if x, err := dialTLS(t, a, b, a); err == nil {
		x.cut()
		t.Error("somebody else was taken for the peer")
	}
	// And over libp2p's connections.
	c := peer.NewKey().ID()
	a.AddAddrs(c, b.Addrs()...)
	if _, err := a.Open(t.Context(), c, "echo"); !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

// Frames that should not come end the connection, and the handler sees no end of file.
func TestDirectHostileFrames(t *testing.T) {
	for name, hostile := range map[string][]byte{
		"no data":         head(frameData, 0),
		"a long end":      frame(frameEnd, "x"),
		"a long abort":    frame(frameAbort, "x"),
		"another open":    frame(frameOpen, "echo"),
		"an answer":       frame(frameAnswer, "x"),
		"again":           head(frameAgain, 0),
		"unknown":         head(200, 3),
		"cut in a head":   {0, 0},
		"cut in the data": head(frameData, 100),
		"cut between":     frame(frameData, "x"),
		"aborted":         head(frameAbort, 0),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := couple(t, loopback)
			got := make(chan error, 1)
			b.Serve("read", func(s transport.Stream) {
				_, err := io.Copy(io.Discard, s)
				got <- err
			})
			if err := a.Connect(t.Context(), b.Self()); err != nil {
				t.Fatal(err)
			}
			awaitLinks(t, b, func() bool { return b.linkedDirectly(a.lib()) })
			x, err := dialTLS(t, a, b, b)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.request(t.Context(), "read"); err != nil {
				t.Fatal(err)
			}
			x.tls.Write(hostile) //nolint:errcheck // the other side sees it
			x.tls.CloseWrite()   //nolint:errcheck // the other side sees it
			if err := <-got; err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%v", err)
			}
			if n, err := x.tls.Read(make([]byte, 1)); n > 0 && err == nil {
				t.Error("it answers")
			}
		})
	}
}

// Before a stream has begun, nothing but a name is taken.
func TestDirectHostileRequests(t *testing.T) {
	for name, hostile := range map[string][]byte{
		"data":        frame(frameData, "x"),
		"no name":     head(frameOpen, 0),
		"a long name": append(head(frameOpen, maxName+1), bytes.Repeat([]byte("x"), maxName+1)...),
		"again":       head(frameAgain, 0),
		"http":        []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := couple(t, loopback)
			if err := a.Connect(t.Context(), b.Self()); err != nil {
				t.Fatal(err)
			}
			awaitLinks(t, b, func() bool { return b.linkedDirectly(a.lib()) })
			x, err := dialTLS(t, a, b, b)
			if err != nil {
				t.Fatal(err)
			}
			x.tls.Write(hostile)                                    //nolint:errcheck // the other side sees it
			x.tls.SetReadDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // sockets have deadlines
			if n, err := x.tls.Read(make([]byte, 1)); n > 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// Those who say nothing keep nobody out who comes from elsewhere, and are cut.
func TestHalfOpenFlood(t *testing.T) {
	a, b := couple(t, "/ip4/127.0.0.1/tcp/0")
	at, err := b.swarmAddr()
	if err != nil {
		t.Fatal(err)
	}
	var silent []net.Conn
	defer func() {
		for _, c := range silent {
			c.Close() //nolint:errcheck // it is gone
		}
	}()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	for range 2 * maxHalfOpenIP {
		c, err := from.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	finish(t, say(t, a, b, "hello"))
	cut := 0
	for _, c := range silent {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) //nolint:errcheck // sockets have deadlines
		if _, err := c.Read(make([]byte, 1)); err != nil && !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			cut++
		}
	}
	if cut < maxHalfOpenIP {
		t.Errorf("%d of %d were cut at once", cut, len(silent))
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
