//go:build unix

package file

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A reader reads a regular file from a place of its own, which writing to the same
// file does not move.
type reader struct {
	f      *os.File
	at     int64
	growth growth // nil: the end is the end
	closed atomic.Bool
}

// A growth waits for a file to change. Close ends the wait.
type growth interface {
	wait() error
	Close() error
}

func newReader(f *os.File, start int64, follow bool) (input, error) {
	r := &reader{f: f, at: start}
	if follow {
		g, err := watch(f.Name())
		if err != nil {
			return nil, err
		}
		r.growth = g
	}
	return r, nil
}

// Read reads on. A file that is followed and has become shorter is read again from
// its beginning.
func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.f.ReadAt(p, r.at)
		r.at += int64(n)
		switch {
		case n > 0:
			return n, nil
		case err != io.EOF || r.growth == nil:
			return 0, err
		}
		info, err := r.f.Stat()
		switch {
		case err != nil:
			return 0, err
		case info.Size() < r.at:
			r.at = 0
			continue
		case info.Size() > r.at:
			continue
		}
		if err := r.growth.wait(); err != nil {
			if r.closed.Load() {
				err = net.ErrClosed
			}
			return 0, err
		}
	}
}

func (r *reader) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

func (r *reader) Close() error {
	r.closed.Store(true)
	if r.growth != nil {
		r.growth.Close()
	}
	return r.f.Close()
}

// A fifoReader reads a FIFO, which is at its end when the last of its writers has
// gone, and not yet when the first has not come.
type fifoReader struct {
	*os.File
	opened bool // by a writer, once
}

func (r *fifoReader) Read(p []byte) (int, error) {
	if !r.opened {
		raw, err := r.SyscallConn()
		if err != nil {
			return 0, err
		}
		if err := raw.Read(readable); err != nil {
			return 0, err
		}
		r.opened = true
	}
	return r.File.Read(p)
}

// readable tells whether there is something to read, or an end after a beginning.
func readable(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n != 0 || err != nil && err != unix.EINTR
}
