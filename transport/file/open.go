//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
)

const defaultPerm = 0o666 // less the umask, as everywhere

// readerPoll is how often a FIFO is tried again that nobody reads: the system has
// no way to wait for that which can be given up.
const readerPoll = 20 * time.Millisecond

// Dial opens the file. A FIFO that is written waits for somebody to read it, until
// ctx is done.
func (e *File) Dial(ctx context.Context) (transport.Conn, error) {
	if err := errors.Join(ctx.Err(), e.Validate()); err != nil {
		return nil, err
	}
	if e.Atomic {
		return e.openAtomic()
	}
	f, err := openWaiting(ctx, e.Path, e.flags(), e.Mode.perm(defaultPerm))
	if err != nil {
		return nil, e.hint(bare(err))
	}
	s, err := e.stream(ctx, f)
	if err != nil {
		f.Close()
		return nil, e.hint(bare(err))
	}
	return s, nil
}

// flags are those of open(2). Truncating comes later, when the lock is ours.
func (e *File) flags() int {
	flags := os.O_RDONLY
	switch {
	case e.ReadWrite:
		flags = os.O_RDWR
	case e.writes():
		flags = os.O_WRONLY
	}
	if e.Append {
		flags |= os.O_APPEND
	}
	if e.Create || e.Exclusive {
		flags |= os.O_CREATE
	}
	if e.Exclusive {
		flags |= os.O_EXCL
	}
	return flags
}

// openWaiting opens path without blocking in the call, and waits for the reader of
// a FIFO. What cannot be polled, such as a regular file, is not affected by that.
func openWaiting(ctx context.Context, path string, flags int, perm os.FileMode) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, flags|unix.O_NONBLOCK|unix.O_NOCTTY, perm)
		if !errors.Is(err, syscall.ENXIO) || !isType(path, fs.ModeNamedPipe) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, transport.WithHint(context.Cause(ctx), "nobody has opened the FIFO for reading")
		case <-time.After(readerPoll):
		}
	}
}

func isType(path string, t fs.FileMode) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&t != 0
}

// stream makes an end of an open file.
func (e *File) stream(ctx context.Context, f *os.File) (transport.Conn, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, syscall.EISDIR
	}
	if e.Seek.set() && !info.Mode().IsRegular() {
		return nil, transport.Mark(errors.New("seek is for regular files"), transport.ErrUsage)
	}
	s := newStream("file", e.Path, nil, nil)
	s.noDeadlines = true
	if e.reads() {
		s.info.Reads = transport.RegularFile(f)
	}
	if e.writes() {
		s.info.Writes = transport.RegularFile(f)
	}
	if err := transport.CheckSameFile(ctx, &s.info); err != nil {
		return nil, err
	}
	if err := e.prepare(ctx, f, info.Mode().IsRegular()); err != nil {
		return nil, err
	}
	start, err := e.Seek.resolve(f)
	switch {
	case e.Seek.set() && err != nil:
		return nil, err
	case e.reads() && info.Mode().IsRegular():
		if s.in, err = newReader(f, start, e.Follow); err != nil {
			return nil, err
		}
	case e.reads() && info.Mode()&fs.ModeNamedPipe != 0:
		s.in = &fifoReader{File: f}
		if e.Follow {
			s.undo, err = keepOpen(e.Path)
		}
	case e.Follow:
		return nil, transport.Mark(errors.New("follow is for regular files and FIFOs"), transport.ErrUsage)
	case e.reads():
		s.in = f
	}
	if err != nil && (e.Seek.set() || e.Follow) {
		return nil, err
	}
	if !e.Follow && !e.Sync {
		s.pass = func() (*os.File, error) { return e.passed(f, s.in) }
	}
	if !e.writes() {
		return s, nil
	}
	s.out = fileOut{File: f, end: e.endOfFile(f, info.Mode().IsRegular())}
	if info.Mode().IsRegular() && !e.Append {
		_, err := f.Seek(start, io.SeekStart)
		return s, err
	}
	return s, nil
}

// keepOpen holds a FIFO open for writing, so that it does not end when others have
// written and gone.
func keepOpen(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}

// prepare locks, empties and marks the file, in that order.
func (e *File) prepare(ctx context.Context, f *os.File, regular bool) error {
	if e.Lock || e.LockNow {
		if err := lock(ctx, f, e.LockNow); err != nil {
			return err
		}
	}
	if e.Mode != 0 {
		if err := f.Chmod(e.Mode.perm(0)); err != nil {
			return err
		}
	}
	if regular && e.truncates() {
		return f.Truncate(0)
	}
	return nil
}

// endOfFile is what CloseWrite does. A regular file that is read too stays open:
// it ends where writing stopped. A device has no way to end one direction.
func (e *File) endOfFile(f *os.File, regular bool) func() error {
	return func() error {
		if e.Sync {
			if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: not on a disk
				return err
			}
		}
		switch {
		case e.ReadWrite && regular:
			return nil
		case e.ReadWrite:
			return errors.ErrUnsupported
		}
		return f.Close()
	}
}

// hint adds advice for the mistakes that people make.
func (e *File) hint(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.writes() && !e.Create:
		return transport.WithHint(err, "to make the file, say create")
	case errors.Is(err, fs.ErrNotExist) && !e.writes():
		return transport.WithHint(err, "to make a file and write to it, say create")
	case errors.Is(err, syscall.ENXIO) && isType(e.Path, fs.ModeSocket):
		return transport.WithHint(err, "a socket is opened with unix:"+e.Path)
	case errors.Is(err, syscall.EISDIR):
		return transport.WithHint(err, "name a file in it")
	case errors.Is(err, fs.ErrPermission):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "ls -l shows who may use the file")
	}
	return err
}

// errLocked is the error for a file that somebody else has locked.
var errLocked = errors.New("locked by another program")

// lockPoll is how often a lock is tried again that somebody has: flock(2) has no way to
// wait that can be given up.
const lockPoll = 20 * time.Millisecond

// lock locks f exclusively. If somebody else has it locked it waits until ctx is done,
// or not at all with now.
func lock(ctx context.Context, f *os.File, now bool) error {
	for {
		err := term.Control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		switch {
		case err == nil:
			return nil
		case err == unix.EINTR:
			continue
		case err != unix.EWOULDBLOCK:
			return fmt.Errorf("lock: %w", err)
		case now:
			return errLocked
		}
		select {
		case <-ctx.Done():
			return transport.WithHint(context.Cause(ctx), "another program has the file locked")
		case <-time.After(lockPoll):
		}
	}
}
