//go:build unix

package file

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// PTY is a new pseudo terminal that another program opens as if it were a serial
// line or a terminal. Programs may open and close it as often as they like: to us
// it is open until Close, unless WaitSlave is set: then an end of file, when the last of
// them has gone, ends both directions.
type PTY struct {
	Link      string     // path of a symbolic link to the slave, made and removed by us
	Raw       opt.Switch // on: all bytes pass unchanged; off leaves the settings of a new terminal
	Echo      opt.Switch // what we write comes back; the default follows Raw
	Rows      int        // size; 0 means the other end's, if it has one
	Cols      int
	Mode      Mode // permissions of the slave, if not 0
	WaitSlave bool // Dial waits until a program has opened the slave, and reading ends when the last has closed it
}

var _ transport.Dialer = (*PTY)(nil)

// slavePoll is how often we look whether the slave has been opened: the system
// tells of the opposite only.
const slavePoll = 20 * time.Millisecond

// Bind binds the options.
func (e *PTY) Bind(s *opt.Set) {
	s.String(&e.Link, "link", "path", "make a symbolic link to the terminal, and remove it at the end").Alias("symlink", "pty-link")
	s.Switch(&e.Raw, "raw", true, "pass all bytes unchanged").Alias("rawer", "cfmakeraw")
	s.Switch(&e.Echo, "echo", false, "give back what is written; with raw=no that is the default")
	s.Int(&e.Rows, "rows", 0, 1, 65535, "lines of the terminal")
	s.Int(&e.Cols, "cols", 0, 1, 65535, "columns of the terminal")
	s.Text(&e.Mode, "mode", "octal", "permissions of the terminal, such as 0660", e.Mode.String).Alias("perm")
	s.Bool(&e.WaitSlave, "wait-slave", "wait until a program has opened the terminal, and end when it has closed it").Alias("waitslave", "pty-wait-slave")
}

// Dial makes the terminal. Its address is the path of the slave.
func (e *PTY) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	master, slave, path, err := term.OpenPTY()
	if err != nil {
		return nil, err
	}
	c, err := e.open(ctx, master, slave, path)
	if err != nil {
		slave.Close() // may be closed already
		master.Close()
		return nil, bare(err)
	}
	return c, nil
}

func (e *PTY) open(ctx context.Context, master, slave *os.File, path string) (transport.Conn, error) {
	if err := e.prepare(ctx, master, slave); err != nil {
		return nil, err
	}
	unlink := func() error { return nil }
	if e.Link != "" {
		var err error
		if unlink, err = link(path, e.Link); err != nil {
			return nil, err
		}
	}
	keep := slave
	if e.WaitSlave {
		keep = nil
		slave.Close()
		if err := waitOpened(ctx, master); err != nil {
			return nil, errors.Join(err, unlink())
		}
	}
	s := newStream("pty", path, masterIn{master}, fileOut{master, unsupported})
	s.undo = func() error {
		if keep != nil {
			keep.Close()
		}
		return unlink()
	}
	return &virtual{newEnder(s, always), master}, nil
}

// prepare sets the terminal up while we have the slave: what is set before stays
// when programs come and go.
func (e *PTY) prepare(ctx context.Context, master, slave *os.File) error {
	raw := e.Raw.Or(true)
	_, err := term.Change(slave, func(s *term.State) {
		if raw {
			term.Raw(s)
		}
		term.Echo(s, e.Echo.Or(!raw))
	})
	rows, cols := 0, 0
	if other := transport.Other(ctx); other != nil {
		if s, ok := transport.As[transport.Sizer](other); ok {
			rows, cols = s.WindowSize()
		}
	}
	if e.Rows != 0 {
		rows = e.Rows
	}
	if e.Cols != 0 {
		cols = e.Cols
	}
	if rows != 0 || cols != 0 {
		err = errors.Join(err, term.SetSize(master, rows, cols))
	}
	if e.Mode != 0 {
		err = errors.Join(err, slave.Chmod(e.Mode.perm(0)))
	}
	return err
}

// waitOpened waits until the slave is open. The master of one that has been closed
// and not opened since is hung up.
func waitOpened(ctx context.Context, master *os.File) error {
	tick := time.NewTicker(slavePoll)
	defer tick.Stop()
	for {
		hungUp := false
		err := term.Control(master, func(fd int) error {
			fds := []unix.PollFd{{Fd: int32(fd)}}
			_, err := unix.Poll(fds, 0)
			hungUp = fds[0].Revents&unix.POLLHUP != 0
			return err
		})
		if err != nil && err != unix.EINTR {
			return err
		}
		if err == nil && !hungUp {
			return nil
		}
		select {
		case <-ctx.Done():
			return transport.WithHint(context.Cause(ctx), "no program has opened the terminal")
		case <-tick.C:
		}
	}
}

// masterIn reads from a master, for which EIO is the end: nobody has the slave.
type masterIn struct{ *os.File }

func (m masterIn) Read(p []byte) (int, error) {
	n, err := m.File.Read(p)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}

// A virtual is the stream of a pseudo terminal.
type virtual struct {
	*ender
	master *os.File
}

var (
	_ transport.Stream  = (*virtual)(nil)
	_ transport.Resizer = (*virtual)(nil)
)

// Resize is as in [transport.Resizer].
func (v *virtual) Resize(rows, cols int) error { return v.plain(term.SetSize(v.master, rows, cols)) }
