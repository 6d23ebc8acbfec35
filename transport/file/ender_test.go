//go:build unix

package file

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
)

// wantEnded reads to the end of file and checks which directions have ended.
func wantEnded(t *testing.T, what string, c transport.Conn, want bool) {
	t.Helper()
	if _, err := io.ReadAll(c.(transport.Stream)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got := transport.HasEnded(c); got != want {
		t.Errorf("%s: both directions have ended: %v, want %v", what, got, want)
	}
}

// The end of standard input ends one direction, unless standard output leads nowhere
// any more either.
func TestStdioEnded(t *testing.T) {
	for reads, want := range map[bool]bool{true: false, false: true} {
		r1, w1 := pipes(t)
		r2, w2 := pipes(t)
		defer r2.Close()
		c := taken(t, own(t, r1), own(t, w2))
		defer c.Close()
		w1.Close()
		if !reads {
			r2.Close()
		}
		wantEnded(t, "pipes", c, want)
	}
	for shut, want := range map[bool]bool{true: false, false: true} {
		f, peer := unixPair(t)
		defer peer.Close()
		in, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		c := taken(t, in, own(t, f))
		defer c.Close()
		if shut {
			err = term.Control(peer, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
		} else {
			err = peer.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		wantEnded(t, "a socket", c, want)
	}
}

// A terminal that is hung up ends both directions; the key that ends reading, one.
func TestTerminalEnded(t *testing.T) {
	for hangUp, text := range map[bool]string{true: "", false: "\x1d"} {
		master, slave, path, err := term.OpenPTY()
		if err != nil {
			t.Fatal(err)
		}
		defer master.Close()
		c := dialed(t, &TTY{Path: path, Escape: 0x1d})
		slave.Close()
		if hangUp {
			master.Close()
		} else if _, err := io.WriteString(master, text); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, "a terminal", c, hangUp)
	}
}
