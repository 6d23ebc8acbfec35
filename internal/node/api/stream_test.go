package api

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// sockets returns the two sides of a connection over a unix socket.
func sockets(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is a test
	if a, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func framed(carries Carries, pair func() (net.Conn, net.Conn)) (transport.Conn, transport.Conn) {
	a, b := pair()
	addr := transport.Addr{Net: "peer", Name: "test"}
	one := func(c net.Conn) transport.Conn {
		return Frames(c, nil, carries, &transport.Info{Kind: "peer"}, addr, addr)
	}
	return one(a), one(b)
}

func TestStreamIsAConn(t *testing.T) {
	for name, pair := range map[string]func() (net.Conn, net.Conn){
		"unix": func() (net.Conn, net.Conn) { return sockets(t) },
		"mem":  func() (net.Conn, net.Conn) { return mem.Pair() },
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				a, b := framed(Bytes, pair)
				return a.(transport.Stream), b.(transport.Stream), func() { a.Close(); b.Close() }, nil
			})
		})
	}
}

func TestHalfCloseAndAbort(t *testing.T) {
	x, y := framed(Bytes, func() (net.Conn, net.Conn) { return sockets(t) })
	a, b := x.(*Stream), y.(*Stream)
	if _, err := a.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.CloseWrite(), a.CloseWrite()); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); string(got) != "first" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("a write after CloseWrite succeeds")
	}
	if _, err := b.Write([]byte("back")); err != nil {
		t.Fatal(err)
	}
	b.Abort(errors.New("disk \x1b[2J full")) //nolint:errcheck // the other side is looked at
	got, err := io.ReadAll(a)
	if string(got) != "back" || err == nil || err.Error() != `disk \x1b[2J full` {
		t.Errorf("read %q, %v", got, err)
	}
	a.Close()
}

// A node that is killed sends no frame that says so: that must not look like an end.
func TestLostIsNoEnd(t *testing.T) {
	a, b := sockets(t)
	x := Frames(b, nil, Bytes, &transport.Info{}, b.LocalAddr(), b.RemoteAddr()).(*Stream)
	defer x.Close()
	if _, err := a.Write([]byte{1, 0, 0, 3, 'c', 'u', 't'}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if got, err := io.ReadAll(x); string(got) != "cut" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestMessages(t *testing.T) {
	x, y := framed(Messages, func() (net.Conn, net.Conn) { return sockets(t) })
	a, b := x.(*MsgConn), y.(*MsgConn)
	defer b.Close()
	big := strings.Repeat("m", 100<<10)
	sent := make(chan error, 1)
	go func() {
		var err error
		for _, m := range []string{"one", "", big, "last"} {
			err = errors.Join(err, a.WriteMsg([]byte(m), transport.Meta{Text: m == "last"}))
		}
		sent <- errors.Join(err, a.Close())
	}()
	p := make([]byte, MaxMsg)
	for _, want := range []string{"one", "", big, "last"} {
		n, meta, err := b.ReadMsg(p)
		if err != nil || string(p[:n]) != want || meta.Text != (want == "last") {
			t.Fatalf("got %d bytes of %d, %+v, %v", n, len(want), meta, err)
		}
	}
	if _, _, err := b.ReadMsg(p); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if err := b.WriteMsg(make([]byte, MaxMsg+1), transport.Meta{}); !errors.Is(err, transport.ErrMsgTooLong) {
		t.Errorf("too long: %v", err)
	}
}

func TestWindow(t *testing.T) {
	x, y := framed(Terminal, func() (net.Conn, net.Conn) { return sockets(t) })
	a, b := x.(*Stream), y.(*Stream)
	defer b.Close()
	if err := errors.Join(a.Resize(24, 80), a.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	<-b.SizeChanges()
	if rows, cols := b.WindowSize(); rows != 24 || cols != 80 {
		t.Errorf("%d x %d", rows, cols)
	}
}

// FuzzFrames reads whatever comes, which must neither panic nor hang.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 'x', 2, 0, 0, 0}, false)
	f.Add([]byte{6, 0, 0, 4, 0, 0, 0, 7, 6, 0, 0, 3, 1, 2, 3}, true)
	f.Add([]byte("\x07\x00\x00\x0d\x01w\x00\x00\x00\x00\x00\x00\x0f\xa1why\x02\x00\x00\x00"), true)
	f.Add([]byte("\x07\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x0d\x04exit\x00\x00\x00\x00\x00\x00\x00\x09"), false)
	f.Add([]byte{4, 0, 0, 4, 0, 24, 0, 80, 3, 0, 0, 2, 'n', 'o'}, true)
	f.Fuzz(func(t *testing.T, b []byte, messages bool) {
		a, far := mem.Pair()
		go func() { a.Write(b); a.Close() }()
		carries := Bytes
		if messages {
			carries = Messages
		}
		c := Frames(far, nil, carries, &transport.Info{}, far.LocalAddr(), far.RemoteAddr())
		defer c.Close()
		p := make([]byte, 64)
		for range 1000 {
			var err error
			if s, ok := c.(transport.Stream); ok {
				_, err = s.Read(p)
			} else if _, _, err = c.(transport.MsgConn).ReadMsg(p); errors.Is(err, io.ErrShortBuffer) {
				err = nil
			}
			if err != nil {
				return
			}
		}
	})
}

var update = flag.Bool("update", false, "write testdata/frames.txt anew")

// testdata/frames.txt has a frame of each type, as it is on the wire.
func TestFrameVectors(t *testing.T) {
	var b strings.Builder
	for _, v := range []struct {
		name    string
		carries Carries
		write   func(transport.Conn) error
	}{
		{"data", Bytes, func(c transport.Conn) error { _, err := c.(*Stream).Write([]byte("hi")); return err }},
		{"message", Messages, func(c transport.Conn) error { return c.(*MsgConn).WriteMsg([]byte("hi"), transport.Meta{}) }},
		{"message-empty", Messages, func(c transport.Conn) error { return c.(*MsgConn).WriteMsg(nil, transport.Meta{}) }},
		{"text", Messages, func(c transport.Conn) error { return c.(*MsgConn).WriteMsg([]byte("hi"), transport.Meta{Text: true}) }},
		{"label", Messages, func(c transport.Conn) error { return c.(*MsgConn).WriteLabel(7) }},
		{"status-end", Messages, func(c transport.Conn) error {
			c.(*MsgConn).KnowsStatus(false)
			c.(*MsgConn).CarryStatus("websocket", transport.CloseStatus{Code: 4001, Reason: "token expired"})
			return c.(*MsgConn).CloseWrite()
		}},
		{"end-status", Bytes, func(c transport.Conn) error {
			s := c.(*Stream)
			s.KnowsStatus(true)
			s.PromiseStatus()
			if err := s.CloseWrite(); err != nil {
				return err
			}
			s.CarryStatus("exit", transport.CloseStatus{Code: 143, Reason: "SIGTERM"})
			return s.Close()
		}},
		{"end-status-none", Bytes, func(c transport.Conn) error {
			c.(*Stream).KnowsStatus(true)
			c.(*Stream).PromiseStatus()
			return c.(*Stream).Close()
		}},
		{"window", Terminal, func(c transport.Conn) error { return c.(*Stream).Resize(24, 80) }},
		{"end", Bytes, transport.Conn.CloseWrite},
		{"abort", Bytes, func(c transport.Conn) error { return c.(*Stream).Abort(errors.New("disk full")) }},
	} {
		near, far := mem.Pair()
		c := Frames(plain{near}, nil, v.carries, &transport.Info{}, near.LocalAddr(), near.RemoteAddr())
		if err := v.write(c); err != nil {
			t.Fatal(err)
		}
		near.Close()
		wire, err := io.ReadAll(far)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %x\n", v.name, wire)
	}
	const file = "testdata/frames.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != b.String() {
		t.Errorf("%s is\n%s, %v\nand is written\n%s", file, have, err, b.String())
	}
}

// plain is a connection that cannot abort, as that of a unix socket.
type plain struct{ net.Conn }
