//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// inheritedPipe makes a pipe as a parent would: blocking, and open on exec(2). The
// ends that opening it as fd: takes over must not be closed again.
func inheritedPipe(t testing.TB) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}

func inheritedSockets(t testing.TB) (a, b int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}

func TestFDConformance(t *testing.T) {
	h := transporttest.Harness{
		Kind: kindOf(t, "fd"),
		Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
			a, b := inheritedSockets(t)
			return dialed(t, &FD{FD: a}), dialed(t, &FD{FD: b})
		},
		Endpoint: func(t testing.TB) transport.Endpoint {
			a, b := inheritedSockets(t)
			t.Cleanup(func() { unix.Close(b) })
			return &FD{FD: a}
		},
		Addresses: []string{"fd:0", "fd:3,out=4"},
		Bad: map[string]string{
			"fd:":         "a descriptor is a number, such as 3",
			"fd:-1":       "a descriptor is a number, such as 3",
			"fd:x":        "a descriptor is a number, such as 3",
			"fd:99999999": "a descriptor is a number, such as 3",
			"fd:3,out=-1": "out: must be a whole number from 1 to 1048576",
		},
		Options: map[string]func(*testing.T){"out": testOut},
	}
	t.Run("sockets", func(t *testing.T) { transporttest.Run(t, h) })
	h.Pair = func(t testing.TB) (transport.Conn, transport.Conn) {
		r1, w1 := inheritedPipe(t)
		r2, w2 := inheritedPipe(t)
		return dialed(t, &FD{FD: r1, Out: w2}), dialed(t, &FD{FD: r2, Out: w1})
	}
	t.Run("pipes", func(t *testing.T) { transporttest.Run(t, h) })
}

func FuzzFDBind(f *testing.F) { transporttest.Fuzz(f, kindOf(f, "fd"), "fd:3,out=4") }

func testOut(t *testing.T) {
	r1, w1 := inheritedPipe(t)
	r2, w2 := inheritedPipe(t)
	defer unix.Close(w1)
	defer unix.Close(r2)
	put(t, opened(t, fmt.Sprintf("fd:%d,out=%d", r1, w2)), "there")
	p := make([]byte, 8)
	if n, err := unix.Read(r2, p); err != nil || string(p[:n]) != "there" {
		t.Errorf("the descriptor of out has %q, error %v", p[:n], err)
	}
	if n, err := unix.Read(r2, p); n != 0 || err != nil {
		t.Errorf("after CloseWrite it has %q, error %v; want the end", p[:n], err)
	}
}

// The open file is shared with whoever started this program. O_NONBLOCK would make
// their reads fail.
func TestFDStaysBlocking(t *testing.T) {
	r, w := inheritedPipe(t)
	defer unix.Close(w)
	other, err := unix.Dup(r)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	s := opened(t, fmt.Sprintf("fd:%d", r))
	if _, err := unix.Write(w, []byte("x")); err != nil {
		t.Fatal(err)
	}
	wantRead(t, s, "x")
	if flags, err := unix.FcntlInt(uintptr(other), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, error %v; want no O_NONBLOCK", flags, err)
	}
}

// Each direction works only as far as the descriptor is open for it.
func TestFDOneDirection(t *testing.T) {
	r, w := inheritedPipe(t)
	in, out := opened(t, fmt.Sprintf("fd:%d", r)), opened(t, fmt.Sprintf("fd:%d", w))
	wantEnd(t, out)
	if _, err := in.Write([]byte("x")); err == nil {
		t.Error("a write to the reading end of a pipe succeeds")
	}
	put(t, out, "x")
	wantRead(t, in, "x")
	wantEnd(t, in)
}

// A descriptor that was not open at the start is refused: it is none at all, or
// one of our own.
func TestFDRefused(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, text := range []string{"fd:1000", fmt.Sprintf("fd:%d", f.Fd()), "fd:0,out=1000"} {
		if err := refused(t, text); !errors.Is(err, unix.EBADF) || transport.Hint(err) == "" {
			t.Errorf("%s: error %v, hint %q; want EBADF and a hint", text, err, transport.Hint(err))
		}
	}
}

// A regular file given by the shell is read from where the shell stands, and its
// position is shared, as in (read line; tenon fd:0 ...) < file.
func TestFDSharesPosition(t *testing.T) {
	fd, err := unix.Open(written(t, "one two"), unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Read(fd, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	s := opened(t, fmt.Sprintf("fd:%d", fd))
	wantRead(t, s, "two")
	wantEnd(t, s)
}

// What a program writes to a descriptor that it inherited arrives whole.
func TestFDFromProgram(t *testing.T) {
	r, w := inheritedPipe(t)
	cmd := exec.CommandContext(context.Background(), "seq", "100000")
	out := os.NewFile(uintptr(w), "pipe")
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	got, err := io.ReadAll(opened(t, fmt.Sprintf("fd:%d", r)))
	if err != nil || len(got) != 588895 {
		t.Errorf("%d bytes of seq, error %v; want 588895", len(got), err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
