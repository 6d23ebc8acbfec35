//go:build linux

package ipc

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// wantEnded waits until an end knows that both directions have ended.
func wantEnded(t *testing.T, c transport.Conn) {
	t.Helper()
	select {
	case <-c.(transport.Ender).Ended():
	case <-time.After(patience):
		t.Fatal("an end of both directions is not told")
	}
	if !transport.HasEnded(c) {
		t.Error("HasEnded says no")
	}
}

func wantEOF(t *testing.T, c *Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read %d bytes, %v; want io.EOF", n, err)
	}
}

// TestHalfCloseIsNotTheEnd: a half-close ends one direction, and the other goes on
// until the other side closes, whether somebody has been waiting for that or asks
// afterwards.
func TestHalfCloseIsNotTheEnd(t *testing.T) {
	for _, first := range []bool{true, false} {
		a, b := streams(t, MinSize)
		if first {
			a.Ended()
		}
		if err := b.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		wantEOF(t, a)
		if transport.HasEnded(a) {
			t.Error("a half-close is taken for the end of both directions")
		}
		transferOne(t, a, b)
		b.Close()
		wantEnded(t, a)
	}
}

// TestCloseEndsBoth: the end that a close makes is known to be that of both directions
// by who has read it, and not before all that was sent has been read.
func TestCloseEndsBoth(t *testing.T) {
	a, b := streams(t, MinSize)
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if transport.HasEnded(a) {
		t.Error("it has ended before all has been read")
	}
	if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	wantEOF(t, a)
	if !transport.HasEnded(a) {
		t.Error("both directions have ended, and one is told")
	}
	x, y := messages(t, MinSize)
	y.Close()
	if _, _, err := x.ReadMsg(nil); err != io.EOF || !transport.HasEnded(x) {
		t.Errorf("messages: read %v, ended %v", err, transport.HasEnded(x))
	}
}

// TestDeathAfterHalfCloseEndsBoth: a program that half-closes and is killed has ended
// both directions.
func TestDeathAfterHalfCloseEndsBoth(t *testing.T) {
	p := newPlace(t)
	a := listening(t, &Listen{Name: p})
	c := startChild(t, "", "dial", "half-closed", p)
	conn, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c.line(t)
	if got, err := io.ReadAll(conn.(*Conn)); string(got) != "all" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	if transport.HasEnded(conn) {
		t.Error("a half-close is taken for the end of both directions")
	}
	c.kill()
	wantEnded(t, conn)
}

// TestOwnCloseIsNotTheirs: who closes waits for the goroutine that waited for the other
// side, and the channel stays open.
func TestOwnCloseIsNotTheirs(t *testing.T) {
	fds, maps := held(t)
	t.Run("", func(t *testing.T) {
		a, b := streams(t, MinSize)
		if err := b.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		wantEOF(t, a)
		over := a.Ended()
		a.Close()
		select {
		case <-over:
			t.Error("closing counts as the other side's end")
		default:
		}
		if a.Ended() != over {
			t.Error("another channel")
		}
	})
	wantHeld(t, fds, maps)
}

// TestEndedWithoutDescriptors: where no descriptor is left to wait at, it is found out
// by who asks again.
func TestEndedWithoutDescriptors(t *testing.T) {
	a, b := streams(t, MinSize)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	if err := b.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantEOF(t, a)
	if transport.HasEnded(a) {
		t.Error("a half-close is taken for the end of both directions")
	}
	b.Close()
	wantEnded(t, a)
}
