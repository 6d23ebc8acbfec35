package punch

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tenon-net/tenon/transport/mem"
)

var loop4, loop6 = netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()

// observers are two at ports of their own.
func observers(t *testing.T, a netip.Addr) (*Observer, []netip.AddrPort) {
	t.Helper()
	o := NewObserver()
	t.Cleanup(func() { o.Close() })
	var at []netip.AddrPort
	for range 2 {
		got, err := o.Listen(netip.AddrPortFrom(a, 0))
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, got)
	}
	return o, at
}

// both makes an attempt at both sides.
func both(t *testing.T, a, b Config) (*Result, *Result) {
	t.Helper()
	sa, sb := mem.Pair()
	type end struct {
		r   *Result
		err error
	}
	other := make(chan end, 1)
	go func() {
		r, err := Accept(t.Context(), sb, b)
		other <- end{r, err}
	}()
	ra, err := Open(t.Context(), sa, a)
	e := <-other
	if err != nil || e.err != nil {
		t.Fatalf("opener: %v, accepter: %v", err, e.err)
	}
	t.Cleanup(func() { closeResult(ra); closeResult(e.r) })
	return ra, e.r
}

func closeResult(r *Result) {
	if r.UDP != nil {
		r.UDP.Close()
	} else {
		r.TCP.Close()
	}
}

func TestLoopback(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, tc := range []struct {
		name string
		a    netip.Addr
		c    Config
	}{
		{"udp4", loop4, Config{NoTCP: true}},
		{"udp6", loop6, Config{NoTCP: true}},
		{"tcp4", loop4, Config{NoUDP: true}},
		{"tcp6", loop6, Config{NoUDP: true}},
		{"any", loop4, Config{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, at := observers(t, tc.a)
			c := tc.c
			c.Observers, c.Loopback = at, true
			a, b := both(t, c, c)
			if (a.UDP == nil) != (b.UDP == nil) {
				t.Fatal("one has UDP, the other has not")
			}
			if c.NoUDP && a.UDP != nil || c.NoTCP && a.UDP == nil {
				t.Fatal("what was excluded")
			}
			talk(t, a, b)
			talk(t, b, a)
		})
	}
}

// talk sends something from one side to the other, as QUIC or TLS would.
func talk(t *testing.T, a, b *Result) {
	t.Helper()
	buf := make([]byte, 100)
	if a.UDP == nil {
		if _, err := a.TCP.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = b.TCP.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadFull(b.TCP, buf[:5]); err != nil || string(buf[:5]) != "hello" {
			t.Fatalf("%q, %v", buf[:5], err)
		}
		return
	}
	if _, err := a.UDP.WriteToUDPAddrPort([]byte("hello"), a.Remote); err != nil {
		t.Fatal(err)
	}
	_ = b.UDP.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		n, from, err := b.UDP.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal(err)
		}
		if buf[0] == '*' {
			continue
		}
		if string(buf[:n]) != "hello" || netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != b.Remote {
			t.Fatalf("%q from %s, want %s", buf[:n], from, b.Remote)
		}
		return
	}
}

func TestCancel(t *testing.T) {
	defer goleak.VerifyNone(t)
	a, b := mem.Pair()
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	var failed *Error
	if _, err := Open(ctx, a, Config{Loopback: true}); !errors.Is(err, context.Canceled) || !errors.As(err, &failed) {
		t.Errorf("got %v", err)
	}
}
