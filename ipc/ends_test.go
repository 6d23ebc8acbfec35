//go:build linux

package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// TestAbortIsAReset: an abort is a connection reset to who reads, whatever is left
// in the ring, and a broken pipe to who writes.
func TestAbortIsAReset(t *testing.T) {
	for _, parked := range []bool{false, true} {
		a, b := streams(t, MinSize)
		if _, err := a.Write([]byte("not to be taken for all")); err != nil {
			t.Fatal(err)
		}
		var reading, writing <-chan error
		if parked {
			if _, err := io.ReadFull(b, make([]byte, 23)); err != nil {
				t.Fatal(err)
			}
			reading = start(func() error { return readSome(b) })
			writing = start(func() error { return writeMuch(b) })
			until(t, "both park", func() bool { return b.in.c.ctl.consumerWaits.load() == 1 && b.out.p.ctl.producerWaits.load() == 1 })
		}
		if err := a.Abort(errors.New("the other end failed")); err != nil {
			t.Error(err)
		}
		if !parked {
			reading = start(func() error { return readSome(b) })
			writing = start(func() error { return writeMuch(b) })
		}
		if err := await(t, reading, "reading"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reading, parked=%v: %v, want ECONNRESET", parked, err)
		}
		if err := await(t, writing, "writing"); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing, parked=%v: %v, want EPIPE", parked, err)
		}
		a.Close()
	}
}

// TestCloseIsAnEnd: what was written before Close arrives, then the end; writing to
// who has closed fails at the first call, if the ring had been empty, or soon.
func TestCloseIsAnEnd(t *testing.T) {
	a, b := streams(t, MinSize)
	if _, err := a.Write([]byte("all")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing: %v, want EPIPE", err)
	}
	if got, err := io.ReadAll(b); string(got) != "all" || err != nil {
		t.Errorf("read %q, %v; want all, and the end", got, err)
	}
}

// TestSetDeadlineWakes: a deadline set while somebody is parked counts, for the reader
// and for the writer, and only for the one.
func TestSetDeadlineWakes(t *testing.T) {
	a, b := streams(t, MinSize)
	reading := start(func() error { return readSome(a) })
	writing := start(func() error { return writeMuch(a) })
	until(t, "both park", func() bool { return a.in.c.ctl.consumerWaits.load() == 1 && a.out.p.ctl.producerWaits.load() == 1 })
	if err := a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := await(t, reading, "the read deadline"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v, want os.ErrDeadlineExceeded", err)
	}
	select {
	case err := <-writing:
		t.Errorf("the read deadline ended a write: %v", err)
	default:
	}
	if err := a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	err := await(t, writing, "the write deadline")
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("writing: %v, want a timeout", err)
	}
	if _, err := io.ReadFull(b, make([]byte, MinSize)); err != nil {
		t.Error(err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing with room after the deadline: %v, want os.ErrDeadlineExceeded", err)
	}
	if err := a.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Error(err)
	}
}

// TestManyAtOnce: any number may read, write, and close the same Conn at once.
func TestManyAtOnce(t *testing.T) {
	for range 20 {
		_, maps := held(t)
		a, b := streams(t, MinSize)
		var wg sync.WaitGroup
		for _, c := range []*Conn{a, b} {
			for range 3 {
				wg.Go(func() { _ = readForEver(c) })
				wg.Go(func() { _ = writeMuchForEver(c) })
			}
			wg.Go(func() {
				for range 100 {
					_ = c.SetDeadline(time.Now().Add(time.Hour))
					runtime.Gosched()
				}
				if c == a {
					c.Close()
				} else {
					_ = c.Abort(nil)
				}
				c.Close()
			})
		}
		wg.Wait()
		if _, now := held(t); now != maps {
			t.Fatalf("%d regions are mapped, want %d", now, maps)
		}
	}
}

// TestDialWrongForm: who dials for messages where bytes are offered is told what to
// do, and the other way round; and so is who dials another sort of socket.
func TestDialWrongForm(t *testing.T) {
	p := newPlace(t)
	go acceptAll(t, listening(t, &Listen{Name: p, Messages: true}))
	_, err := (&Dial{Name: p}).Dial(context.Background())
	if err == nil || !strings.Contains(transport.Hint(err), "shm-msg:") {
		t.Errorf("error %v, hint %q", err, transport.Hint(err))
	}
}

// TestDialIsBound: the context ends the wait for an Accept that does not come.
func TestDialIsBound(t *testing.T) {
	fds, maps := held(t)
	t.Run("", func(t *testing.T) {
		p := newPlace(t)
		listening(t, &Listen{Name: p})
		err := untilBound(func(ctx context.Context) error { _, err := dialFor(p, false, ctx); return err })
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, transport.ErrTimeout) || transport.Hint(err) == "" {
			t.Errorf("error %v, hint %q; want a deadline that was exceeded", err, transport.Hint(err))
		}
	})
	wantHeld(t, fds, maps)
}

// untilBound dials with a short time limit until the error is about the wait for the
// other side, which has a hint. On a busy machine a short time may be over before that.
func untilBound(dial func(ctx context.Context) error) error {
	for limit := 20 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := dial(ctx)
		cancel()
		if err == nil || transport.Hint(err) != "" || limit > patience {
			return err
		}
	}
}

// TestNamesMeet: a bare name means the same place to both sides.
func TestNamesMeet(t *testing.T) {
	name := "tenon-ipc-test-" + strings.ReplaceAll(t.TempDir(), "/", "-")
	name = name[max(0, len(name)-40):]
	for _, name := range []string{name, "@" + name} {
		a := listening(t, &Listen{Name: name})
		d, s := connect(t, a, &Dial{Name: name})
		transferOne(t, d, s)
		for _, addr := range []net.Addr{d.RemoteAddr(), s.LocalAddr(), a.Addr()} {
			if addr.String() != name || addr.Network() != "shm" {
				t.Errorf("address %s %s, want shm %s", addr.Network(), addr, name)
			}
		}
	}
}

// TestAddressesOfClients: a client has no name of its own, and is known by its process.
func TestAddressesOfClients(t *testing.T) {
	d, a := streams(t, MinSize)
	want := fmt.Sprintf("process %d of user %d", os.Getpid(), os.Geteuid())
	for _, addr := range []net.Addr{d.LocalAddr(), a.RemoteAddr()} {
		if addr.String() != want || addr.Network() != "shm" {
			t.Errorf("address %s %s, want shm %s", addr.Network(), addr, want)
		}
	}
	a.info = &transport.Info{}
	if a.RemoteAddr().String() == "" {
		t.Error("a client that the system does not tell has an empty address")
	}
}

// TestAuthenticates: who may come in is the kernel's word, unless anybody may.
func TestAuthenticates(t *testing.T) {
	for _, l := range []*Listen{{Name: "x"}, {Name: "@x"}} {
		if !l.Authenticates() {
			t.Errorf("%+v does not authenticate", l)
		}
	}
	l := &Listen{Name: "x"}
	l.AllowUID = []string{"*"}
	if l.Authenticates() {
		t.Error("it says that it knows anybody")
	}
}

// TestIdle: idle connections cost a descriptor and a page each, and no goroutine.
func TestIdle(t *testing.T) {
	const conns = 1000
	p := newPlace(t)
	a := listening(t, &Listen{Name: p})
	d := &Dial{Name: p}
	connect(t, a, d) // what is made once
	fds, maps := held(t)
	before := mapped(t) // other tests may have left some that the collector has not closed yet
	goroutines := runtime.NumGoroutine()
	heap := heapInUse()
	all := make([]transport.Conn, 0, 2*conns)
	for range conns {
		accepted := make(chan transport.Conn, 1)
		go func() { c, _ := a.Accept(); accepted <- c }()
		c, err := d.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c, <-accepted)
	}
	perEnd := (heapInUse() - heap) / (2 * conns)
	nowFds, nowMaps := held(t)
	if nowFds-fds > 2*conns || nowMaps-maps > 2*conns {
		t.Errorf("%d ends hold %d descriptors and %d regions", 2*conns, nowFds-fds, nowMaps-maps)
	}
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	rss := (mapped(t) - before) / (2 * conns)
	t.Logf("an end costs %d bytes of heap; a region, %d bytes of memory", perEnd, rss)
	if perEnd > 3<<10 {
		t.Errorf("an end takes %d bytes of heap", perEnd)
	}
	if rss > 4<<10 {
		t.Errorf("a region that nobody has used has %d bytes of memory", rss)
	}
	for _, c := range all {
		c.Close()
	}
	wantHeld(t, fds, maps)
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// mapped is how many bytes of memory all regions have.
func mapped(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	var ours bool
	var sum int64
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		switch {
		case bytes.Contains(line, []byte("memfd:tenon-shm")):
			ours = true
		case ours && len(fields) == 3 && fields[0] == "Rss:":
			var kb int64
			for _, d := range fields[1] {
				kb = kb*10 + int64(d-'0')
			}
			sum += kb << 10
			ours = false
		}
	}
	return sum
}

// TestNoAllocations: moving data makes no garbage, also for who parks.
func TestNoAllocations(t *testing.T) {
	a, b := streams(t, MinSize)
	x, y := messages(t, MinSize)
	park(a, b, x, y)
	p, q := make([]byte, 64), make([]byte, 64)
	go func() {
		for {
			n, err := b.Read(q)
			if err != nil {
				return
			}
			if _, err := b.Write(q[:n]); err != nil {
				return
			}
		}
	}()
	got := testing.AllocsPerRun(1000, func() {
		_, err1 := a.Write(p)
		_, err2 := io.ReadFull(a, p)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	})
	if got > 0.2 { // the socket is read now and then
		t.Errorf("a round trip of bytes makes %v allocations", got)
	}
	got = testing.AllocsPerRun(1000, func() {
		err1 := x.WriteMsg(p, transport.Meta{})
		_, _, err2 := y.ReadMsg(p)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("a message makes %v allocations", got)
	}
}
