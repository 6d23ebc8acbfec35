//go:build linux

package c

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/ipc"
	"github.com/tenon-net/tenon/transport"
)

// joinGo connects a C program to an end of package ipc. The C program has the role
// and the action.
func joinGo(t *testing.T, how howto) (*program, transport.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	how.name = filepath.Join(t.TempDir(), "s")
	var p *program
	var conn transport.Conn
	if how.role == "listen" {
		p = startEnd(t, checkedEnd(t), how)
		c, err := (&ipc.Dial{Name: how.name, Messages: how.messages}).Dial(ctx)
		if err != nil {
			t.Fatal(err)
		}
		conn = c
	} else {
		l, err := (&ipc.Listen{Name: how.name, Messages: how.messages, Size: int64(how.ring)}).Listen(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		p = startEnd(t, checkedEnd(t), how)
		if conn, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return p, conn
}

// pour sends n bytes or messages of the pattern, and says that it is the end.
func pour(conn transport.Conn, n uint64) error {
	switch c := conn.(type) {
	case transport.MsgConn:
		for k := range n {
			if err := c.WriteMsg(patterned(k, int(length(k, uint64(c.MaxMsg())))), transport.Meta{Text: k&1 == 1}); err != nil {
				return err
			}
		}
	case transport.Stream:
		for at := uint64(0); at < n; {
			p := patterned(at, int(min(n-at, 1+at*7919%70000)))
			if _, err := c.Write(p); err != nil {
				return err
			}
			at += uint64(len(p))
		}
	}
	return conn.CloseWrite()
}

// consume reads to the end, and returns how many bytes or messages of the pattern came.
func consume(conn transport.Conn) (k uint64, err error) {
	p := make([]byte, 1<<21)
	for {
		var n int
		var m transport.Meta
		at := k
		switch c := conn.(type) {
		case transport.MsgConn:
			n, m, err = c.ReadMsg(p)
			if err == nil && (uint64(n) != length(k, uint64(c.MaxMsg())) || m.Text != (k&1 == 1)) {
				return k, fmt.Errorf("message %d has %d bytes, text %v", k, n, m.Text)
			}
			k++
		case transport.Stream:
			n, err = c.Read(p[:1+k*7919%70000])
			k += uint64(n)
		}
		if err == io.EOF {
			return at, nil
		}
		if err != nil {
			return at, err
		}
		for i := range p[:n] {
			if p[i] != pattern(at+uint64(i)) {
				return at, fmt.Errorf("another byte at %d of what came at %d", i, at)
			}
		}
	}
}

// C to Go and Go to C at the same time, with a half-close on each side, verified.
func TestCAndGo(t *testing.T) {
	for _, role := range []string{"listen", "dial"} {
		for _, messages := range []bool{false, true} {
			for _, action := range []string{"pump", "place", "loop"} {
				for _, ring := range []int{4096, 1 << 18} {
					t.Run(fmt.Sprintf("C %ss,%s,messages=%v,ring=%d", role, action, messages, ring), func(t *testing.T) {
						t.Parallel()
						out, back := 4_000_000, 3_000_000
						if messages {
							out, back = 4_000, 3_000
						}
						p, conn := joinGo(t, howto{role: role, messages: messages, ring: ring, action: action, n: back})
						done := make(chan error, 1)
						go func() { done <- pour(conn, uint64(out)) }()
						if n, err := consume(conn); err != nil || n != uint64(back) {
							t.Errorf("Go has read %d, %v; want %d", n, err, back)
						}
						if err := <-done; err != nil {
							t.Errorf("Go writes: %v", err)
						}
						p.ok(t, out)
					})
				}
			}
		}
	}
}

// Round trips, where both sides park and are woken many times.
func TestRoundTripsWithGo(t *testing.T) {
	for _, role := range []string{"listen", "dial"} {
		p, conn := joinGo(t, howto{role: role, messages: true, ring: 4096, action: "echo"})
		c := conn.(transport.MsgConn)
		b := make([]byte, c.MaxMsg())
		for k := range 2000 {
			want := string(patterned(uint64(k), k%c.MaxMsg()))
			if err := c.WriteMsg([]byte(want), transport.Meta{}); err != nil {
				t.Fatal(err)
			}
			if n, _, err := c.ReadMsg(b); err != nil || string(b[:n]) != want {
				t.Fatalf("round trip %d: %d bytes, %v", k, n, err)
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.ok(t, 2000)
	}
}

// How one side ends is what the other one learns, whichever is the one in C.
func TestEndsWithGo(t *testing.T) {
	for _, role := range []string{"listen", "dial"} {
		t.Run("Go aborts, C "+role+"s", func(t *testing.T) {
			p, conn := joinGo(t, howto{role: role, action: "sink"})
			if err := conn.(transport.Aborter).Abort(errors.New("a reason")); err != nil {
				t.Error(err)
			}
			p.ends(t, "read: ECONNRESET", 3)
		})
		t.Run("C closes and Go writes, C "+role+"s", func(t *testing.T) {
			p, conn := joinGo(t, howto{role: role, action: "close"})
			p.ok(t, 0)
			// One write may find that nobody reads only when it has been made.
			_, first := conn.(transport.Stream).Write([]byte("one"))
			_, second := conn.(transport.Stream).Write([]byte("two"))
			if !errors.Is(second, syscall.EPIPE) {
				t.Errorf("writing to who has closed: %v, then %v; want EPIPE", first, second)
			}
		})
		t.Run("Go closes, C "+role+"s", func(t *testing.T) {
			p, conn := joinGo(t, howto{role: role, action: "flood"})
			conn.Close()
			p.ends(t, "write: EPIPE", 3)
		})
		for action, want := range map[string]error{"abort": syscall.ECONNRESET, "die": syscall.ECONNRESET, "close": nil} {
			t.Run("C "+action+"s, C "+role+"s", func(t *testing.T) {
				_, conn := joinGo(t, howto{role: role, action: action})
				if _, err := io.Copy(io.Discard, conn.(transport.Stream)); !errors.Is(err, want) {
					t.Errorf("reading ends with %v, want %v", err, want)
				}
				for b := make([]byte, 1000); ; {
					if _, err := conn.(transport.Stream).Write(b); errors.Is(err, syscall.EPIPE) {
						break
					} else if err != nil {
						t.Fatalf("writing ends with %v, want EPIPE", err)
					}
				}
			})
		}
	}
}

func TestDescriptorsWithGo(t *testing.T) {
	for _, role := range []string{"listen", "dial"} {
		p, conn := joinGo(t, howto{role: role, action: "descriptors"})
		passer := conn.(transport.FilePasser)
		for range 20 { // more than may be waiting
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := passer.SendFile(w); err != nil {
				t.Fatal(err)
			}
			w.Close()
			back, err := passer.ReceiveFile()
			if err != nil {
				t.Fatal(err)
			}
			back.Close()
			if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			// To its end: nobody holds the descriptor any more.
			if line, err := io.ReadAll(r); string(line) != "through a descriptor\n" || err != nil {
				t.Fatalf("through the pipe came %q, %v", line, err)
			}
			r.Close()
		}
		conn.Close()
		p.ok(t, 20)

		p, conn = joinGo(t, howto{role: role, action: "give"})
		passer = conn.(transport.FilePasser)
		f, err := passer.ReceiveFile()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("from Go\n"); err != nil {
			t.Error(err)
		}
		if err := passer.SendFile(f); err != nil {
			t.Error(err)
		}
		f.Close()
		p.line(t, "from Go")
		if _, err := passer.ReceiveFile(); err != io.EOF {
			t.Errorf("after the end: %v, want io.EOF", err)
		}
		p.ok(t, 0)
	}
}

// A dialer that wants the other mode than the listener has is told.
func TestModesDiffer(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	startEnd(t, checkedEnd(t), howto{role: "listen", name: name, messages: true, action: "sink"})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c, err := (&ipc.Dial{Name: name}).Dial(ctx); err == nil {
		t.Errorf("Go has dialed %v, of the wrong mode", c.Info())
	}
}

// Python, through the shared library, to Go and back.
func TestPythonToGo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := (&ipc.Listen{Name: name, Messages: true, Size: 65536}).Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := startPython(t, "dial", name, "messages", "say")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	echo(t, conn.(transport.MsgConn))
	p.ends(t, "Message too long\nok", 0)

	p = startPython(t, "listen", name+"2", "messages", "echo")
	if conn, err = (&ipc.Dial{Name: name + "2", Messages: true}).Dial(ctx); err != nil {
		t.Fatal(err)
	}
	c := conn.(transport.MsgConn)
	defer c.Close()
	b := make([]byte, 100)
	for _, want := range []string{"one", "", "two"} {
		if err := c.WriteMsg([]byte(want), transport.Meta{Text: true}); err != nil {
			t.Fatal(err)
		}
		if n, m, err := c.ReadMsg(b); string(b[:n]) != want || !m.Text || err != nil {
			t.Errorf("Python answers %q, %v, %v; want %q", b[:n], m, err, want)
		}
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMsg(b); err != io.EOF {
		t.Errorf("Python ends with %v, want io.EOF", err)
	}
	p.ends(t, "ok", 0)
}

// echo sends back what comes.
func echo(t *testing.T, c transport.MsgConn) {
	t.Helper()
	defer c.Close()
	b := make([]byte, c.MaxMsg())
	for {
		n, m, err := c.ReadMsg(b)
		if err == io.EOF {
			return
		}
		if err == nil {
			err = c.WriteMsg(b[:n], transport.Meta{Text: m.Text})
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}
