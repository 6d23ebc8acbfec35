package file

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// An input is the half of a stream that is read. Close ends a Read in progress.
type input interface {
	io.ReadCloser
	SetReadDeadline(time.Time) error
}

// An output is the half of a stream that is written. Close ends a Write in
// progress; CloseWrite is called once at most, and not with a Write.
type output interface {
	io.WriteCloser
	CloseWrite() error
	SetWriteDeadline(time.Time) error
}

// A stream is an end made of two halves. One that is nil does not exist: there is
// nothing to read, or nothing may be written.
type stream struct {
	info        transport.Info
	addr        transport.Addr
	in          input
	out         output
	noDeadlines bool
	undo        func() error             // nil, or what Close does last
	pass        func() (*os.File, error) // nil, or what Files returns

	half   atomic.Bool
	closed atomic.Bool
	mu     sync.Mutex // one CloseWrite at a time
	end    sync.Once  // sets result
	result error
}

var _ transport.Stream = (*stream)(nil)

// errReadOnly is the error for writing to what has no output.
var errReadOnly = transport.WithHint(errors.New("open for reading only"), "to write to it, say write, append or rdwr; to drop what comes back, write ADDRESS!!null")

func newStream(kind, name string, in input, out output) *stream {
	return &stream{info: transport.Info{Kind: kind}, addr: transport.Addr{Net: kind, Name: name}, in: in, out: out}
}

func (s *stream) Read(p []byte) (int, error) {
	switch {
	case s.closed.Load():
		return 0, net.ErrClosed
	case s.in == nil:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := s.in.Read(p)
	return n, s.plain(err)
}

func (s *stream) Write(p []byte) (int, error) {
	switch {
	case s.closed.Load():
		return 0, net.ErrClosed
	case s.out == nil:
		return 0, errReadOnly
	case s.half.Load():
		return 0, syscall.EPIPE
	case len(p) == 0:
		return 0, nil
	}
	n, err := s.out.Write(p)
	return n, s.plain(err)
}

// plain returns err without the name of a file, which the user knows under that of
// the end.
func (s *stream) plain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case s.closed.Load():
		return net.ErrClosed
	case errors.Is(err, os.ErrClosed):
		return syscall.EPIPE // a Write that met CloseWrite
	}
	return bare(err)
}

func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func (s *stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return net.ErrClosed
	case s.half.Load() || s.out == nil:
		return nil
	}
	if err := s.out.CloseWrite(); err != nil {
		return bare(err)
	}
	s.half.Store(true)
	return nil
}

func (s *stream) Close() error {
	s.end.Do(func() {
		s.closed.Store(true)
		var errs []error
		if s.out != nil {
			errs = append(errs, s.out.Close())
		}
		if s.in != nil {
			errs = append(errs, s.in.Close())
		}
		if s.undo != nil {
			errs = append(errs, s.undo())
		}
		for _, err := range errs {
			if s.result == nil && !errors.Is(err, os.ErrClosed) { // one file may be both halves
				s.result = bare(err)
			}
		}
	})
	return s.result
}

// Directions implements [transport.Directed].
func (s *stream) Directions() transport.Use {
	switch {
	case s.in == nil:
		return transport.WriteOnly
	case s.out == nil:
		return transport.ReadOnly
	}
	return transport.ReadWrite
}

func (s *stream) Info() *transport.Info { return &s.info }
func (s *stream) LocalAddr() net.Addr   { return s.addr }
func (s *stream) RemoteAddr() net.Addr  { return s.addr }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *stream) SetReadDeadline(t time.Time) error {
	switch {
	case s.noDeadlines:
		return os.ErrNoDeadline
	case s.closed.Load():
		return net.ErrClosed
	case s.in == nil:
		return nil
	}
	return s.plain(s.in.SetReadDeadline(t))
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	switch {
	case s.noDeadlines:
		return os.ErrNoDeadline
	case s.closed.Load():
		return net.ErrClosed
	case s.out == nil || s.half.Load():
		return nil
	}
	return s.plain(s.out.SetWriteDeadline(t))
}

// A fileOut is the output half of an os.File. CloseWrite calls end, and closes the
// file if that is nil.
type fileOut struct {
	*os.File
	end func() error
}

func (f fileOut) CloseWrite() error {
	if f.end == nil {
		return f.Close()
	}
	return f.end()
}

// unsupported is the end of an output that cannot end by itself.
func unsupported() error { return errors.ErrUnsupported }
