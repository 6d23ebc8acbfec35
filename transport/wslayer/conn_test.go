package wslayer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// pair returns both sides of a WebSocket in memory. Their Close does not wait, for
// a test closes one after the other.
func pair(t testing.TB, client, server *wslayer.Layer) (c, s *wslayer.Conn) {
	t.Helper()
	if client.CloseTimeout == 0 {
		client.CloseTimeout, server.CloseTimeout = -1, -1
	}
	a, b := mem.Pair()
	x, y, cerr, serr := transporttest.Wrap(t, a, b, client, server)
	if cerr != nil || serr != nil {
		t.Fatalf("handshake: %v, %v", cerr, serr)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.(*wslayer.Conn), y.(*wslayer.Conn)
}

func harness() transporttest.Harness {
	return transporttest.Harness{
		Kind:     wslayer.Kinds()[0],
		Endpoint: func(t testing.TB) transport.Endpoint { return new(wslayer.Layer) },
		Layers: func(testing.TB) (client, server transport.Layer) {
			return new(wslayer.Layer), new(wslayer.Layer)
		},
		Addresses: []string{"ws:localhost:8080", "ws://h/p?x=y,origin=http://h", "ws+unix:/run/x.sock,path=/p",
			"ws://u:p@h:80/,header='A: b',protocol=x,deflate,ping=30s"},
		Bad:     bad,
		Options: options,
		Text:    true,
	}
}

func TestConformance(t *testing.T) {
	for name, l := range map[string]*wslayer.Layer{"plain": {}, "deflate": {Deflate: true}} {
		h := harness()
		h.Pair = func(t testing.TB) (a, b transport.Conn) { c, s := pair(t, l, l); return c, s }
		t.Run(name+" dialed", func(t *testing.T) { transporttest.Run(t, h) })
		h.Pair = func(t testing.TB) (a, b transport.Conn) { c, s := pair(t, l, l); return s, c }
		t.Run(name+" accepted", func(t *testing.T) { transporttest.Run(t, h) })
	}
	for _, k := range wslayer.Kinds()[1:] {
		transporttest.Run(t, transporttest.Harness{Kind: k})
	}
}

func BenchmarkWebSocket(b *testing.B) {
	h := harness()
	h.Pair = func(t testing.TB) (a, b transport.Conn) {
		c, s := pair(t, &wslayer.Layer{}, &wslayer.Layer{})
		return c, s
	}
	transporttest.Bench(b, h)
}

func FuzzBind(f *testing.F) {
	transporttest.Fuzz(f, wslayer.Kinds()[0], "ws://u:p@h/p?q,header='A: b',max-message=1k,ping=1s")
}

func TestCloseHandshake(t *testing.T) {
	c, s := pair(t, &wslayer.Layer{CloseTimeout: 10 * time.Second}, &wslayer.Layer{CloseTimeout: 10 * time.Second})
	read := make(chan error, 1)
	go func() {
		_, _, err := s.ReadMsg(make([]byte, 10))
		read <- err
		s.Close()
	}()
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-read; err != io.EOF {
		t.Errorf("the other side reads %v, want io.EOF", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the closing handshake took %v", d)
	}
}

func TestCutIsNotTheEnd(t *testing.T) {
	a, b := mem.Pair()
	c, s, cerr, serr := transporttest.Wrap(t, a, b, new(wslayer.Layer), new(wslayer.Layer))
	if cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	defer s.Close()
	defer c.Close()
	a.Close() // beneath, as a broken path would
	if _, _, err := s.(*wslayer.Conn).ReadMsg(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after a cut: %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestTextMustBeUTF8(t *testing.T) {
	c, s := pair(t, &wslayer.Layer{}, &wslayer.Layer{})
	if err := c.WriteMsg([]byte("a\xff"), transport.Meta{Text: true}); !errors.Is(err, wslayer.ErrNotText) {
		t.Errorf("WriteMsg: %v, want ErrNotText", err)
	}
	go c.WriteMsg([]byte("ok"), transport.Meta{Text: true})
	p := make([]byte, 10)
	if n, m, err := s.ReadMsg(p); string(p[:n]) != "ok" || !m.Text || err != nil {
		t.Errorf("then: %q, %+v, %v", p[:n], m, err)
	}
}

// A deadline in the middle of a message must not lose the half that has arrived.
func TestDeadlineInsideMessage(t *testing.T) {
	for _, text := range []string{"half" + "whole", strings.Repeat("half", 100)} {
		a, b := mem.Pair()
		s := accepted(t, a, b)
		frame := clientFrame(true, 2, text)
		a.Write(frame[:len(frame)/2])
		s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		p := make([]byte, 1000)
		if _, _, err := s.ReadMsg(p); err == nil {
			t.Fatal("half a message was read")
		}
		s.SetReadDeadline(time.Time{})
		a.Write(frame[len(frame)/2:])
		if n, _, err := s.ReadMsg(p); string(p[:n]) != text || err != nil {
			t.Errorf("got %q, %v", p[:n], err)
		}
		s.Close()
	}
}

// accepted does the client's handshake by hand on a, and returns the server on b.
func accepted(t testing.TB, a transport.Stream, b transport.Conn) *wslayer.Conn {
	t.Helper()
	return acceptedBy(t, &wslayer.Layer{CloseTimeout: -1, MaxMessage: 1 << 16, Deflate: true}, a, b)
}

func acceptedBy(t testing.TB, l *wslayer.Layer, a transport.Stream, b transport.Conn) *wslayer.Conn {
	t.Helper()
	return acceptedWith(t, l, a, b, "permessage-deflate; client_max_window_bits")
}

func acceptedWith(t testing.TB, l *wslayer.Layer, a transport.Stream, b transport.Conn, extension string) *wslayer.Conn {
	t.Helper()
	go io.WriteString(a, get+upgrade+"Sec-WebSocket-Extensions: "+extension+"\r\n\r\n")
	s, err := l.Wrap(context.Background(), b, transport.Accepted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); a.Close() })
	readAnswer(t, a)
	return s.(*wslayer.Conn)
}

const (
	upgrade = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	request = get + upgrade + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)

// readAnswer reads up to the empty line.
func readAnswer(t testing.TB, r io.Reader) string {
	t.Helper()
	var b strings.Builder
	p := make([]byte, 1)
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		if _, err := r.Read(p); err != nil {
			t.Fatalf("answer %q: %v", b.String(), err)
		}
		b.Write(p)
	}
	return b.String()
}

// clientFrame is a frame with the mask 1 2 3 4.
func clientFrame(fin bool, op byte, payload string) []byte {
	b := []byte{op, 0x80}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	default:
		b[1] |= 126
		b = append(b, byte(n>>8), byte(n))
	}
	b = append(b, 1, 2, 3, 4)
	for i := range len(payload) {
		b = append(b, payload[i]^byte(i%4+1))
	}
	return b
}

var _ net.Addr = transport.Addr{}
