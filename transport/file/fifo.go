//go:build unix

package file

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// FIFO reads or writes a named pipe. Without a Path it is an [Echo]. The end of file comes
// when the last writer has gone.
type FIFO struct {
	Path   string
	Write  bool       // write; by default it is read
	Create bool       // make it if it does not exist
	Mode   Mode       // permissions of one that is made; 0 means 0600
	Unlink opt.Switch // on Close, remove one that was made; on
}

var (
	_ transport.Dialer    = (*FIFO)(nil)
	_ transport.Validator = (*FIFO)(nil)
)

// Bind binds the options, and the target as the path.
func (e *FIFO) Bind(s *opt.Set) {
	s.Target(opt.Text, "[PATH]", pathTarget(&e.Path))
	s.Bool(&e.Write, "write", "write to the FIFO; otherwise it is read").Alias("wronly")
	s.Bool(&e.Create, "create", "make the FIFO if it does not exist").Alias("creat")
	s.Text(&e.Mode, "mode", "octal", "permissions of a FIFO that is made", e.Mode.String).Alias("perm").Default = "0600"
	s.Switch(&e.Unlink, "unlink-close", true, "at the end, remove a FIFO that was made")
}

// Validate finds fault with the combination of options.
func (e *FIFO) Validate() error {
	if e.Path == "" && (e.Write || e.Create || e.Mode != 0) {
		return transport.Mark(errors.New("a path is missing"), transport.ErrUsage)
	}
	if !e.Create && (e.Mode != 0 || e.Unlink != opt.Default) {
		return transport.Mark(errors.New("mode and unlink-close are for a FIFO that is made, with create"), transport.ErrUsage)
	}
	return nil
}

// Dial opens the FIFO. For writing it waits until somebody reads, or ctx is done;
// for reading the first Read waits.
func (e *FIFO) Dial(ctx context.Context) (transport.Conn, error) {
	if err := errors.Join(ctx.Err(), e.Validate()); err != nil {
		return nil, err
	}
	if e.Path == "" {
		return new(Echo).Dial(ctx)
	}
	undo, err := e.make()
	if err != nil {
		return nil, err
	}
	s, err := e.open(ctx)
	if err != nil {
		return nil, errors.Join(bare(err), undo())
	}
	s.undo = undo
	return s, nil
}

func (e *FIFO) open(ctx context.Context) (*stream, error) {
	if info, err := os.Stat(e.Path); err != nil {
		return nil, transport.WithHint(bare(err), "to make the FIFO, say create")
	} else if info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, transport.WithHint(errors.New("this is not a FIFO"), "other files are opened with file:"+e.Path)
	}
	flags := os.O_RDONLY
	if e.Write {
		flags = os.O_WRONLY
	}
	f, err := openWaiting(ctx, e.Path, flags, 0)
	if err != nil {
		return nil, err
	}
	if e.Write {
		return newStream("fifo", e.Path, nil, fileOut{File: f}), nil
	}
	return newStream("fifo", e.Path, &fifoReader{File: f}, nil), nil
}

// make makes the FIFO if it is to be made, and returns what removes it again if it
// is still the same one.
func (e *FIFO) make() (undo func() error, err error) {
	keep := func() error { return nil }
	if !e.Create {
		return keep, nil
	}
	err = unix.Mkfifo(e.Path, 0o600)
	switch {
	case err == unix.EEXIST:
		return keep, nil
	case err != nil:
		return nil, os.NewSyscallError("mkfifo", err)
	}
	if e.Mode != 0 {
		if err := os.Chmod(e.Path, e.Mode.perm(0)); err != nil {
			return nil, errors.Join(bare(err), os.Remove(e.Path))
		}
	}
	mine, err := os.Lstat(e.Path)
	if err != nil || !e.Unlink.Or(true) {
		return keep, bare(err)
	}
	return func() error {
		if now, err := os.Lstat(e.Path); err != nil || !os.SameFile(now, mine) {
			return nil
		}
		return bare(os.Remove(e.Path))
	}, nil
}
