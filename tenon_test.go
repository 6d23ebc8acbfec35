package tenon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// newOpener returns an Opener that knows ends in memory, too, and what it tells.
func newOpener() (*Opener, *told) {
	t := new(told)
	return &Opener{Events: t.event}, t
}

// told collects events.
type told struct {
	mu     sync.Mutex // guards events
	events []Event
}

func (t *told) event(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

func (t *told) count(typ EventType) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.Type == typ {
			n++
		}
	}
	return n
}

func dialStream(t *testing.T, o *Opener, addr string) transport.Stream {
	t.Helper()
	c, err := o.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.Stream)
}

func TestMaxHasClientsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, told := newOpener()
		acc, err := o.Listen(t.Context(), "mem-listen:x,max=1")
		if err != nil {
			t.Fatal(err)
		}
		first, second := dialStream(t, o, "mem:x"), dialStream(t, o, "mem:x")
		one, err := acc.Accept()
		if err != nil {
			t.Fatal(err)
		}
		through := make(chan transport.Conn)
		go func() {
			c, _ := acc.Accept()
			through <- c
		}()
		synctest.Wait()
		select {
		case <-through:
			t.Fatal("a second client got through")
		default:
		}
		if told.count(Notice) != 1 {
			t.Errorf("nobody was told that max is reached: %v", told.events)
		}
		one.Close()
		two := <-through
		first.Close()
		second.Close()
		two.Close()
		acc.Close()
	})
}

// A client that says nothing during the handshake holds up nobody, and is dropped
// in time.
func TestSlowHandshakeHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, told := newOpener()
		acc, err := o.Listen(t.Context(), "tls+mem-listen:x,handshake-timeout=5s")
		if err != nil {
			t.Fatal(err)
		}
		silent := dialStream(t, o, "mem:x")
		begin := time.Now()
		good := make(chan transport.Conn, 1)
		go func() {
			c, err := o.Dial(t.Context(), "tls+mem:x,insecure,sni=x")
			if err != nil {
				t.Error(err)
			}
			good <- c
		}()
		c, err := acc.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if time.Since(begin) != 0 {
			t.Errorf("the second client waited %v", time.Since(begin))
		}
		if _, err := silent.Read(make([]byte, 1)); err == nil || time.Since(begin) != 5*time.Second {
			t.Errorf("the silent client was dropped after %v, %v", time.Since(begin), err)
		}
		synctest.Wait()
		if told.count(Refused) != 1 {
			t.Errorf("told %v", told.events)
		}
		closeBoth(c, <-good)
		acc.Close()
	})
}

func closeBoth(a, b transport.Conn) {
	var all sync.WaitGroup
	all.Go(func() { a.Close() })
	all.Go(func() { b.Close() })
	all.Wait()
}

func TestRetryWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, told := newOpener()
		begin := time.Now()
		_, err := o.Dial(t.Context(), "mem:nobody,retry=3")
		if err == nil {
			t.Fatal("dialed nobody")
		}
		if got := time.Since(begin); got != 7*time.Second {
			t.Errorf("gave up after %v, want 1+2+4 s", got)
		}
		begin = time.Now()
		if o.Dial(t.Context(), "mem:nobody,retry=3,interval=100ms"); time.Since(begin) != 300*time.Millisecond {
			t.Errorf("gave up after %v, want three times the interval", time.Since(begin))
		}
		if told.count(Down) != 2 {
			t.Errorf("told %v, want one line", told.events)
		}
	})
}

// The other end of the joint stays while one with retry=forever comes and goes.
func TestForeverKeepsTheOtherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, told := newOpener()
		ctx, cancel := context.WithCancel(t.Context())
		acc, err := o.Listen(ctx, "mem-listen:line")
		if err != nil {
			t.Fatal(err)
		}
		far, err := o.Listen(ctx, "mem-listen:far")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := o.Join(ctx, "mem:line", "mem:far,retry=forever,interval=1s", join.Options{})
			done <- err
		}()
		line, _ := acc.Accept()
		for _, text := range []string{"one", "two", "three"} {
			c, err := far.Accept()
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c.(transport.Stream), text)
			buf := make([]byte, len(text))
			if _, err := io.ReadFull(line.(transport.Stream), buf); err != nil || string(buf) != text {
				t.Errorf("the line read %q, %v, want %q", buf, err, text)
			}
			c.Close()
		}
		synctest.Wait()
		if told.count(Down) != 3 || told.count(Up) != 2 {
			t.Errorf("told of %d downs and %d ups, want 3 and 2", told.count(Down), told.count(Up))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("joint ended with %v", err)
		}
		acc.Close()
		far.Close()
		line.Close()
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOpener()
		acc, err := o.Listen(t.Context(), "mem-listen:x")
		if err != nil {
			t.Fatal(err)
		}
		c := dialStream(t, o, "mem:x,rate=10k")
		far, _ := acc.Accept()
		begin := time.Now()
		go func() {
			c.Write(make([]byte, 100<<10))
			c.CloseWrite()
		}()
		n, err := io.Copy(io.Discard, far.(transport.Stream))
		if took := time.Since(begin).Seconds(); n != 100<<10 || err != nil || took < 9.5 || took > 10.5 {
			t.Errorf("%d bytes, %v, in %.1f s, want 100 KiB in 10", n, err, took)
		}
		far.Close()
		acc.Close()
	})
}

func TestCRLF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOpener()
		acc, err := o.Listen(t.Context(), "mem-listen:x")
		if err != nil {
			t.Fatal(err)
		}
		c := dialStream(t, o, "mem:x,crlf")
		far, _ := acc.Accept()
		for _, part := range []string{"a\n", "b\r", "\n\n", "c"} {
			io.WriteString(c, part)
		}
		c.CloseWrite()
		if got, _ := io.ReadAll(far.(transport.Stream)); string(got) != "a\r\nb\r\n\r\nc" {
			t.Errorf("written as %q", got)
		}
		go func() {
			for _, part := range []string{"x\r", "\ny\r", "z\r\n", "\r"} {
				io.WriteString(far.(transport.Stream), part)
			}
			far.CloseWrite()
		}()
		if got, _ := io.ReadAll(c); string(got) != "x\ny\rz\n\r" {
			t.Errorf("read as %q", got)
		}
		far.Close()
		acc.Close()
	})
}

func TestListenersArePaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOpener()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			o.Join(ctx, "mem-listen:left", "mem-listen:right", join.Options{})
			close(done)
		}()
		synctest.Wait()
		for range 2 {
			l, r := dialStream(t, o, "mem:left"), dialStream(t, o, "mem:right")
			io.WriteString(l, "over")
			buf := make([]byte, 4)
			if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "over" {
				t.Errorf("read %q, %v", buf, err)
			}
			l.Close()
			r.Close()
		}
		cancel()
		<-done
	})
}

// Whoever imports this package alone is told where the kinds of peers' ends are.
func TestPeersAreElsewhere(t *testing.T) {
	for _, addr := range []string{"peer:alice/db", "PEER-LISTEN:web"} {
		_, err := Dial(t.Context(), addr)
		if !errors.Is(err, transport.ErrUsage) || !strings.Contains(transport.Hint(err)+fmt.Sprint(err), "github.com/tenon-net/tenon/node") {
			t.Errorf("%s: %v, hint %q", addr, err, transport.Hint(err))
		}
	}
}
