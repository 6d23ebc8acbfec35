//go:build unix

package file

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Stall never has anything to read, and never takes anything that is written: an
// end that hangs, for tests of time limits. It has no end of file.
type Stall struct{}

var _ transport.Dialer = (*Stall)(nil)

// Bind binds nothing.
func (*Stall) Bind(*opt.Set) {}

// Dial opens the end. Its halves are pipes that nobody writes to and nobody reads,
// the second being full.
func (*Stall) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in, never, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	nobody, out, err := os.Pipe()
	if err != nil {
		in.Close()
		never.Close()
		return nil, err
	}
	s := newStream("stall", "stall", in, fileOut{File: out})
	s.undo = func() error { never.Close(); return nobody.Close() }
	err = term.Control(out, func(fd int) error {
		for p := make([]byte, 64<<10); ; {
			switch n, err := unix.Write(fd, p); {
			case err == unix.EAGAIN && len(p) == 1:
				return nil
			case err == unix.EAGAIN:
				p = p[:1] // until not even that fits
			case err != nil && err != unix.EINTR, n == 0:
				return err
			}
		}
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
