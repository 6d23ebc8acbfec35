//go:build unix

package proc

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

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
)

// A conn is a running program.
//
//	            CloseWrite                     Close, Abort
//	running ------------------> half-closed ------------------> closed
//	   \________________________________________________________/
//
// The program's own end is another matter: exited is closed then.
type conn struct {
	*wire
	info *transport.Info
	addr transport.Addr

	process  *os.Process
	program  string // in an ExitError
	grouped  bool   // the process leads a group
	signal   syscall.Signal
	after    time.Duration // kill-after; negative is never
	untilEnd bool          // reading ends with the program

	half    atomic.Bool // CloseWrite was done
	closed  atomic.Bool // Close or Abort was called, or the descriptor given up
	eof     atomic.Bool // Read has seen the end
	given   atomic.Bool // the descriptor, by Detach
	partial atomic.Bool // of a terminal: the last line written is not complete

	exited  chan struct{} // closed after status is set
	status  *os.ProcessState
	abort   chan struct{} // closed by Abort
	quit    sync.Once     // closes abort
	closing chan struct{} // closed when Close or Abort begins
	end     sync.Once     // sets result
	result  error
	exit    atomic.Pointer[ExitError] // is result, if that is one

	ended  chan struct{}
	ending sync.Once // closes ended
}

var (
	_ transport.Stream   = (*conn)(nil)
	_ transport.Aborter  = (*conn)(nil)
	_ transport.Ender    = (*conn)(nil)
	_ transport.Detacher = (*conn)(nil)

	_ transport.LateCloser = (*conn)(nil)
)

func newConn(info *transport.Info, args []string, p *os.Process, w *wire, o *Options) transport.Conn {
	kind := info.Kind
	c := &conn{
		wire: w, process: p, program: args[0], grouped: o.grouped(w), after: o.killAfter(), untilEnd: o.Until == "exit",
		info:   info,
		addr:   transport.Addr{Net: kind, Name: name(kind, args)},
		exited: make(chan struct{}), abort: make(chan struct{}), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	if kind != "exec" {
		c.program = "the command"
	}
	c.eof.Store(w.in == nil)
	c.signal, _ = o.signal() // has been validated
	go c.reap()
	if w.pty {
		return &terminal{c}
	}
	return c
}

// name is how an end is called: "exec sort -u", "sh sort -u | tee f".
func name(kind string, args []string) string {
	if kind != "exec" {
		return kind + " " + args[len(args)-1]
	}
	return kind + " " + Quote(args)
}

func (c *conn) Read(p []byte) (int, error) {
	switch {
	case c.closed.Load():
		return 0, net.ErrClosed
	case len(p) == 0:
		return 0, nil
	case c.in == nil:
		return 0, io.EOF
	}
	for {
		if c.untilEnd && c.hasExited() {
			return c.drain(p)
		}
		n, err := c.in.Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if c.untilEnd && errors.Is(err, os.ErrDeadlineExceeded) && c.hasExited() {
			continue
		}
		return 0, c.readError(err)
	}
}

// readError translates what the end of a program looks like into an end of file.
// The master of a terminal gets EIO when nobody has the slave open; a socket gets
// ECONNRESET when the program has left some of its input unread.
func (c *conn) readError(err error) error {
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case err == io.EOF,
		c.pty && errors.Is(err, syscall.EIO),
		c.socket && errors.Is(err, syscall.ECONNRESET):
		c.eof.Store(true)
		c.noteEnd()
		return io.EOF
	}
	return bare(err)
}

// Ended implements [transport.Ender]. Both directions have ended when the output is at
// its end and nobody has the input open any more, as when the program exits and has
// left no children behind that hold either. It is seen when the end of file is read,
// and looked for once more when the program exits.
func (c *conn) Ended() <-chan struct{} { return c.ended }

// noteEnd closes ended if both directions have ended. Nobody who reads the end of file
// while the program exits misses it: each of the two is noted before it is looked for.
func (c *conn) noteEnd() {
	if !c.eof.Load() || c.closed.Load() {
		return
	}
	closed := c.half.Load() && !c.pty && !c.socket // a pipe
	if c.out == nil || closed || c.untilEnd && c.hasExited() || isDeaf(c.out) {
		c.ending.Do(func() { close(c.ended) })
	}
}

// drain reads what the program has left behind, without waiting for more.
func (c *conn) drain(p []byte) (n int, err error) {
	err = term.Control(c.in, func(fd int) (err error) {
		for {
			if n, err = unix.Read(fd, p); err != unix.EINTR {
				return err
			}
		}
	})
	switch {
	case err == unix.EAGAIN, err == nil && n == 0:
		return 0, c.readError(io.EOF)
	case err != nil:
		return 0, c.readError(err)
	}
	return n, nil
}

func (c *conn) Write(p []byte) (int, error) {
	switch {
	case c.closed.Load():
		return 0, net.ErrClosed
	case c.out == nil:
		return 0, errors.ErrUnsupported
	case c.half.Load():
		return 0, syscall.EPIPE
	case len(p) == 0:
		return 0, nil
	}
	n, err := c.out.Write(p)
	if n > 0 {
		c.partial.Store(p[n-1] != '\n')
	}
	if err != nil {
		if c.closed.Load() {
			return n, net.ErrClosed
		}
		return n, bare(err)
	}
	return n, nil
}

// CloseWrite closes the program's input. On a terminal it types the character
// that stands for the end, where there is one: not in raw mode, and not while a
// program such as a shell edits its line.
//
// Of a program whose output goes to our own standard output nothing is read, and so
// CloseWrite waits until it has ended: what it has been given is handed on by then, and
// kill-after is no limit on what it makes of that.
func (c *conn) CloseWrite() error {
	if err := c.endInput(); err != nil || c.in != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-c.closing:
		return net.ErrClosed
	}
}

func (c *conn) endInput() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if c.half.Load() || c.out == nil {
		return nil
	}
	var err error
	switch {
	case c.pty:
		err = c.typeEnd()
	case c.socket:
		err = shutdown(c.out)
	default:
		err = c.out.Close()
		if errors.Is(err, os.ErrClosed) {
			err = nil
		}
	}
	if err != nil {
		return bare(err)
	}
	c.half.Store(true)
	return nil
}

// typeEnd types the character for the end of file. In the middle of a line it
// takes two: the first only hands the line over (termios(3), VEOF).
func (c *conn) typeEnd() error {
	if c.hasExited() {
		return nil
	}
	char, ok := term.EndOfFile(c.out)
	if !ok {
		return errors.ErrUnsupported
	}
	end := []byte{char}
	if c.partial.Load() {
		end = append(end, char)
	}
	_, err := c.out.Write(end)
	return err
}

func (c *conn) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

func (c *conn) Info() *transport.Info { return c.info }
func (c *conn) LocalAddr() net.Addr   { return c.addr }
func (c *conn) RemoteAddr() net.Addr  { return c.addr }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	if c.in == nil {
		return nil
	}
	return c.deadline(c.in.SetReadDeadline(t))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.out == nil || c.half.Load() && !c.closed.Load() {
		return nil
	}
	return c.deadline(c.out.SetWriteDeadline(t))
}

func (c *conn) deadline(err error) error {
	if err != nil && c.closed.Load() {
		return net.ErrClosed
	}
	return bare(err)
}

// Detach gives up the descriptor of a socketpair.
func (c *conn) Detach() (int, error) {
	if !c.socket || c.in == nil || c.out == nil || c.half.Load() || c.closed.Load() {
		return -1, errors.ErrUnsupported
	}
	fd := -1
	err := term.Control(c.in, func(own int) (err error) {
		fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, err
	}
	c.given.Store(true)
	c.closed.Store(true)
	c.in.Close()
	return fd, nil
}

// bare takes the name of the file off an error: it is no name that a user knows.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// A terminal is a conn whose program has a terminal, which has a size.
type terminal struct{ *conn }

var _ transport.Resizer = (*terminal)(nil)

// Resize sets the size of the program's terminal.
func (t *terminal) Resize(rows, cols int) error { return term.SetSize(t.file(), rows, cols) }
