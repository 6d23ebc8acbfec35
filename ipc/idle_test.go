//go:build linux

package ipc

import (
	"bytes"
	"io"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pages is how many pages of a region's file are in memory.
func pages(t *testing.T, l *link) int {
	t.Helper()
	m := l.region.bytes()
	in := make([]byte, (len(m)+4095)/4096)
	if err := mincore(m, in); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range in {
		n += int(b & 1)
	}
	return n
}

// giveBack does what is done when nothing has passed for some time.
func giveBack(cs ...*Conn) {
	for _, c := range cs {
		c.mu.Lock()
		c.giveBack()
		c.mu.Unlock()
	}
}

// TestIdleGivesBack: rings that have carried a lot and are empty take no memory, and
// carry again.
func TestIdleGivesBack(t *testing.T) {
	a, b := streams(t, 1<<20)
	want := make([]byte, 1<<20)
	fill(want, 0)
	exchange := func() {
		t.Helper()
		for _, c := range [][2]*Conn{{a, b}, {b, a}} {
			sent := start(func() error { _, err := c[0].Write(want); return err })
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c[1], got); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("what was written is not what is read, %v", err)
			}
			if err := await(t, sent, "writing"); err != nil {
				t.Fatal(err)
			}
		}
	}
	exchange()
	if n := pages(t, &a.link); n < 512 {
		t.Fatalf("both rings are full, and %d pages are in memory", n)
	}
	parked := map[*Conn]<-chan error{}
	for _, c := range []*Conn{a, b} { // both park: then each knows that the other has read everything
		parked[c] = start(func() error { _, err := c.Read(make([]byte, 1)); return err })
		until(t, "it parks", func() bool { return c.in.c.ctl.consumerWaits.load() == 1 })
	}
	giveBack(a, b) // time passes
	for _, c := range []*Conn{a, b} {
		if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		_ = await(t, parked[c], "the deadline")
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := pages(t, &a.link); n > 1 {
		t.Errorf("an idle connection has %d pages in memory, and needs one", n)
	}
	exchange()
}

// TestIdleKeepsWhatIsThere: what nobody has read yet, or is lent, stays.
func TestIdleKeepsWhatIsThere(t *testing.T) {
	a, b := streams(t, MinSize)
	if _, err := a.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	lent, err := b.Reserve(3)
	if err != nil {
		t.Fatal(err)
	}
	copy(lent, "out")
	giveBack(a, b)
	if err := b.Commit(3); err != nil {
		t.Fatal(err)
	}
	for c, want := range map[*Conn]string{b: "unread", a: "out"} {
		p, err := c.Peek()
		if err != nil || string(p) != want {
			t.Fatalf("there is %q, %v; want %q", p, err, want)
		}
		giveBack(a, b)
		if string(p) != want {
			t.Errorf("what is lent to a reader is %q, want %q", p, want)
		}
		if err := c.Release(len(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIdleTimer: a reader that parks has the memory given back after some time, once.
func TestIdleTimer(t *testing.T) {
	a, b := streams(t, MinSize)
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Conn{a, b} {
		go func() { _, _ = c.Read(make([]byte, 1)) }()
	}
	until(t, "the timers run", func() bool { return a.idle.armed.Load() && b.idle.armed.Load() })
	until(t, "the memory is given back", func() bool { return pages(t, &a.link) <= 1 })
	until(t, "the timers have stopped", func() bool { return !a.idle.armed.Load() && !b.idle.armed.Load() })
}

// TestIdleBesideTraffic: giving back while others read and write loses nothing.
func TestIdleBesideTraffic(t *testing.T) {
	a, b := streams(t, 1<<16)
	stop := make(chan struct{})
	ticking := start(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			giveBack(a, b)
		}
	})
	const total = 1 << 21
	sent := start(func() error {
		p := make([]byte, 1000)
		for done := 0; done < total; done += len(p) {
			fill(p, done)
			if _, err := a.Write(p); err != nil {
				return err
			}
		}
		return a.CloseWrite()
	})
	got, err := io.ReadAll(b)
	if err == nil {
		err = check(got, 0)
	}
	if err != nil || len(got) < total {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	close(stop)
	for _, c := range []<-chan error{sent, ticking} {
		if err := await(t, c, "writing beside it"); err != nil {
			t.Error(err)
		}
	}
}

// mincore tells which pages of a mapping are in memory: mincore(2).
func mincore(m, in []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&in[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
