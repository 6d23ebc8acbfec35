//go:build !linux

package file

import (
	"errors"
	"os"
	"time"
)

// A pollFile reads and writes a descriptor that other programs may hold too. On
// this system Close and deadlines end a call in progress only where the Go runtime
// can: on descriptors that were made non-blocking by whoever opened them.
type pollFile struct{ file *os.File }

// newPollFile takes over fd, which is open, also when it fails.
func newPollFile(fd int) (*pollFile, error) {
	f := os.NewFile(uintptr(fd), "fd")
	if f == nil {
		return nil, os.ErrInvalid
	}
	if _, err := f.Stat(); err != nil {
		return nil, bare(err)
	}
	return &pollFile{f}, nil
}

func (f *pollFile) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	return n, closedError(err)
}

func (f *pollFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, closedError(err)
}

// Close releases the descriptor.
func (f *pollFile) Close() error {
	if err := f.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// CloseWrite cannot half-close.
func (f *pollFile) CloseWrite() error { return errors.ErrUnsupported }

// SetReadDeadline is that of [net.Conn].
func (f *pollFile) SetReadDeadline(t time.Time) error {
	return closedError(f.file.SetReadDeadline(t))
}

// SetWriteDeadline is that of [net.Conn].
func (f *pollFile) SetWriteDeadline(t time.Time) error {
	return closedError(f.file.SetWriteDeadline(t))
}
