//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// FD reads from and writes to descriptors that this process was started with, as
// its parent arranged them. It uses the descriptor in the directions in which it
// is open.
type FD struct {
	FD  int
	Out int // writes go to this one instead; 0 means to FD
}

var (
	_ transport.Dialer    = (*FD)(nil)
	_ transport.Validator = (*FD)(nil)
)

const maxFD = 1 << 20

// Bind binds the options, and the target as the descriptor.
func (e *FD) Bind(s *opt.Set) {
	s.Target(opt.Text, "NUMBER", func(t address.Target) error {
		n, err := strconv.Atoi(t.Text)
		if err != nil || n < 0 || n > maxFD {
			return errors.New("a descriptor is a number, such as 3")
		}
		e.FD = n
		return nil
	})
	s.Int(&e.Out, "out", 0, 1, maxFD, "write to this descriptor, and only read from the other")
}

// Validate finds fault with the numbers.
func (e *FD) Validate() error {
	if e.FD < 0 || e.Out < 0 {
		return transport.Mark(errors.New("a descriptor is a number, such as 3"), transport.ErrUsage)
	}
	return nil
}

// Dial takes the descriptors over. They are not inherited by programs that are
// started from then on.
func (e *FD) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in, out := e.FD, e.FD
	mode, err := inherited(e.FD)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Out != 0 && e.Out != e.FD:
		out = e.Out
		if _, err := inherited(e.Out); err != nil {
			return nil, err
		}
	case mode == unix.O_RDONLY:
		out = -1
	case mode == unix.O_WRONLY:
		in = -1
	}
	for _, fd := range []int{in, out} {
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	name := fmt.Sprintf("fd %d", e.FD)
	if out >= 0 && out != e.FD {
		name += fmt.Sprintf(" and %d", out)
	}
	return takeOver(ctx, "fd", name, in, out, true)
}

// inherited checks that fd was there when the process began, and returns how it is
// open. All that is opened later is closed on exec(2); those that came through it
// are not.
func inherited(fd int) (mode int, err error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		return 0, describe(fd, fmt.Errorf("descriptor %d: %w", fd, err))
	}
	if flags&unix.FD_CLOEXEC != 0 {
		return 0, transport.WithHint(fmt.Errorf("descriptor %d: %w", fd, unix.EBADF), "it was not open when the program was started")
	}
	mode, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return mode & unix.O_ACCMODE, err
}
