//go:build unix

package file

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
)

// An ender is a stream whose end of file ends both directions, if hungUp says so: of a
// terminal that has been hung up, say.
type ender struct {
	*stream
	hungUp func() bool
	ended  chan struct{}
	ending sync.Once // closes ended
}

var (
	_ transport.Stream = (*ender)(nil)
	_ transport.Ender  = (*ender)(nil)
)

func newEnder(s *stream, hungUp func() bool) *ender {
	return &ender{stream: s, hungUp: hungUp, ended: make(chan struct{})}
}

func (e *ender) Read(p []byte) (int, error) {
	n, err := e.stream.Read(p)
	if err == io.EOF && e.hungUp() {
		e.ending.Do(func() { close(e.ended) })
	}
	return n, err
}

// Ended implements [transport.Ender].
func (e *ender) Ended() <-chan struct{} { return e.ended }

// always is for ends that have no other end of file than that of both directions.
func always() bool { return true }

// hungUp tells whether nothing that is written to fd can reach anybody: its terminal
// or its socket is closed at the other side, or its pipe has no reader (poll(2)).
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(fds, 0)
	return err == nil && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}

// fileHungUp is [hungUp] of a file, which may be closed.
func fileHungUp(f *os.File) (gone bool) {
	_ = term.Control(f, func(fd int) error { gone = hungUp(fd); return nil })
	return gone
}
