package tenon

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// newOpener returns an Opener that knows ends in memory, too, and what it tells.
func newOpener() (*Opener, *told) {
	t := new(told)
	return &Opener{Kinds: append(DefaultKinds(), new(mem.Network).Kinds()...), Events: t.event}, t
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

func TestPlans(t *testing.T) {
	o := &Opener{}
	for _, tt := range []struct{ addr, kind, name string }{
		{"tcp:db:5432", "tcp", "tcp:db:5432"},
		{"TCP:db:5432", "tcp", "tcp:db:5432"},
		{"wss://h/p", "ws+tls+tcp", "wss://h/p"},
		{"tls:h:443", "tls+tcp", "tls:h:443"},
		{"tls-listen:443", "tls+tcp-listen", "tls-listen:443"},
		{"ws+unix:/run/x.sock", "ws+unix", "ws+unix:/run/x.sock"},
		{"exec:cat", "exec", "exec:cat"},
		{"socks5-listen:1080", "socks-server+tcp-listen", "socks5-listen:1080"},
		{"ws://me:secret@h:1/", "ws+tcp", "ws://me:…@h:1/"},
		{"tcp:h:1,via=socks5://u:secret@p:1080", "tcp", "tcp:h:1,via=socks5://u:…@p:1080"},
	} {
		p, err := o.plan(tt.addr)
		if err != nil {
			t.Errorf("%s: %v", tt.addr, err)
			continue
		}
		if got := p.kindName(); got != tt.kind {
			t.Errorf("%s is %s, want %s", tt.addr, got, tt.kind)
		}
		if got := p.name(); got != tt.name {
			t.Errorf("%s is named %s, want %s", tt.addr, got, tt.name)
		}
	}
	for addr, want := range map[string]string{
		"tcp:h:1,max=3":           `is for ends that listen`,
		"tcp-listen:1,via=http:x": `is for ends that are dialed`,
		"exec:cat,via=http://p:1": `is for ends that are dialed over tcp`,
		"tcp+tls:h:1":             `is not a layer`,
		"wss+tcp:h:1":             `has no place for more`,
		"tcp:h:1/path":            `knows no paths`,
		"null:x":                  `takes no target`,
		"tcp:h:1,nodelay=maybe":   `nodelay must be yes or no`,
		"tcp:h:1,idle":            `idle needs a value`,
		"tcp:h:1,idle=1,idle=2":   `idle is given twice`,
	} {
		_, err := o.plan(addr)
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error that says %q", addr, err, want)
		}
	}
}

func TestSecretsAreNotInErrors(t *testing.T) {
	const secret = "hunter2"
	o := &Opener{}
	for _, addr := range []string{
		"ws://me:" + secret + "@127.0.0.1:1/",
		"ws://127.0.0.1:1/,user=me,password=" + secret,
		"tcp:127.0.0.1:1,via=socks5://me:" + secret + "@127.0.0.1:1",
		"tcp:127.0.0.1:1,via=http://me:" + secret + "@127.0.0.1:1",
	} {
		_, err := o.Dial(t.Context(), addr)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", addr, err)
		}
		for _, tail := range []string{",passwor=x", ",'", ",connect-timeout=soon"} {
			var at *address.Error
			if _, err := o.plan(addr + tail); !errors.As(err, &at) || strings.Contains(at.Caret()+err.Error(), secret) {
				t.Errorf("%s: %v\n%s", addr+tail, err, at.Caret())
			}
		}
		if e, err := o.Explain(addr); err != nil || strings.Contains(e.Address, secret) {
			t.Errorf("%s: explained as %+v, %v", addr, e, err)
		}
	}
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
		_, err := o.Dial(t.Context(), "mem:nobody,retry=3,interval=100ms")
		if err == nil {
			t.Fatal("dialed nobody")
		}
		if got := time.Since(begin); got != 700*time.Millisecond {
			t.Errorf("gave up after %v, want 100+200+400 ms", got)
		}
		if told.count(Down) != 1 {
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

func FuzzPlan(f *testing.F) {
	for _, addr := range []string{"tcp:db:5432,keepalive=5s", "ws+tls+tcp:[::1]:8/p?q,header='A: b'", "exec:grep -n 'a,b'", "a!!b", "udp-listen:1,idle=3"} {
		f.Add(addr)
	}
	o := &Opener{}
	f.Fuzz(func(t *testing.T, addr string) {
		if strings.Contains(addr, "@") {
			return // names a file
		}
		p, err := o.plan(addr)
		if err != nil {
			if !errors.Is(err, ErrUsage) {
				t.Errorf("%q: %v is no usage error", addr, err)
			}
			return
		}
		p.name()
	})
}
