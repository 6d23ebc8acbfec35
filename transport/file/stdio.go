//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/inherit"
	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Stdio reads from standard input and writes to standard output. CloseWrite closes
// standard output, so that the next program of a pipeline sees its end. For what an end
// of file ends see the package comment.
type Stdio struct {
	Raw bool // what a terminal might obey is passed on too
}

// Stdin reads from standard input.
type Stdin struct{}

// Stdout writes to standard output.
type Stdout struct {
	Raw bool // as in Stdio
}

var (
	_ transport.Dialer = (*Stdio)(nil)
	_ transport.Dialer = (*Stdin)(nil)
	_ transport.Dialer = (*Stdout)(nil)
)

const rawUsage = "on a terminal, pass on control characters and escapes instead of showing them"

// Bind binds the options.
func (e *Stdio) Bind(s *opt.Set) { s.Bool(&e.Raw, "raw", rawUsage) }

// Bind binds nothing.
func (*Stdin) Bind(*opt.Set) {}

// Bind binds the options.
func (e *Stdout) Bind(s *opt.Set) { s.Bool(&e.Raw, "raw", rawUsage) }

// Dial takes over descriptors 0 and 1.
func (e *Stdio) Dial(ctx context.Context) (transport.Conn, error) {
	return takeOver(ctx, "-", "stdio", 0, 1, e.Raw)
}

// Dial takes over descriptor 0.
func (e *Stdin) Dial(ctx context.Context) (transport.Conn, error) {
	return takeOver(ctx, "stdin", "stdin", 0, -1, false)
}

// Dial takes over descriptor 1.
func (e *Stdout) Dial(ctx context.Context) (transport.Conn, error) {
	return takeOver(ctx, "stdout", "stdout", -1, 1, e.Raw)
}

// takeOver makes an end of descriptors that this process was started with. One
// that is negative is not used; both may be the same. The end owns them.
func takeOver(ctx context.Context, kind, name string, in, out int, raw bool) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := newStream(kind, name, nil, nil)
	s.info.Reads, s.info.Writes = regular(in), regular(out)
	if err := transport.CheckSameFile(ctx, &s.info); err != nil {
		return nil, err
	}
	if in >= 0 {
		h, err := newShared(in)
		if err != nil {
			return nil, describe(in, err)
		}
		s.in = h
	}
	if out >= 0 {
		o, err := newSharedOut(in, out, raw)
		if err != nil {
			s.Close()
			return nil, describe(out, err)
		}
		s.out = o
	}
	s.undo = func() error { return release(in, out, s) }
	if in == out || in < 0 || out < 0 {
		s.pass = passing(max(in, out), name)
	}
	e := newEnder(s, func() bool { return out >= 0 && hungUp(out) })
	if watched := terminalOf(in, out); watched >= 0 {
		size := func() (int, int) { return term.SizeOf(watched) }
		return &screen{e, newWindow(size), in >= 0 && term.IsTerminal(in)}, nil
	}
	return e, nil
}

// regular returns which regular file fd is; nil if it is none, or there is no fd.
func regular(fd int) os.FileInfo {
	f, err := duplicate(fd, "")
	if err != nil {
		return nil
	}
	defer f.Close()
	return transport.RegularFile(f)
}

// release closes what is open still.
func release(in, out int, s *stream) error {
	var errs []error
	if in >= 0 {
		errs = append(errs, retire(in))
	}
	if o, ok := s.out.(*sharedOut); ok && out != in && o.retired.CompareAndSwap(false, true) {
		errs = append(errs, retire(out))
	}
	return errors.Join(errs...)
}

// terminalOf returns the descriptor of the two that is a terminal, or -1.
func terminalOf(in, out int) int {
	for _, fd := range []int{out, in} {
		if fd >= 0 && term.IsTerminal(fd) {
			return fd
		}
	}
	return -1
}

func describe(fd int, err error) error {
	if errors.Is(err, syscall.EBADF) {
		return transport.WithHint(err, "the descriptor is closed, or was never open")
	}
	return err
}

// A sharedOut is the output half of a shared descriptor.
type sharedOut struct {
	*shared
	show    *neutralizer // nil: as it is
	alone   bool         // nothing is read from the same descriptor
	absent  error        // not nil: what writing returns, for a descriptor that was closed
	retired atomic.Bool  // the descriptor is gone: whoever sets it lets it go
}

func newSharedOut(in, out int, raw bool) (*sharedOut, error) {
	h, err := newShared(out)
	if err != nil {
		return nil, err
	}
	o := &sharedOut{shared: h, alone: in != out}
	if inherit.WasClosed(out) {
		name := [...]string{"input", "output", "error"}[out]
		o.absent = transport.WithHint(fmt.Errorf("standard %s is closed", name), "to discard what comes, redirect it to /dev/null, or name the end null:")
	}
	if h.class == waits && !raw {
		o.show = &neutralizer{w: h}
	}
	return o, nil
}

func (o *sharedOut) Write(p []byte) (int, error) {
	if o.absent != nil {
		return 0, o.absent
	}
	if o.show != nil {
		return o.show.Write(p)
	}
	return o.shared.Write(p)
}

// CloseWrite ends a socket's direction even if others hold it too, as those who
// were started by inetd(8) must; everything else it closes.
func (o *sharedOut) CloseWrite() error {
	if o.show != nil {
		if err := o.show.Flush(); err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.class == socket {
		if err := unix.Shutdown(o.fd, unix.SHUT_WR); err != nil && err != unix.ENOTCONN {
			return err
		}
		return nil
	}
	if !o.alone {
		return errors.ErrUnsupported
	}
	if !o.retired.CompareAndSwap(false, true) {
		return nil // Close was faster
	}
	return retire(o.fd)
}
