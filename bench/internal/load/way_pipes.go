package load

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// fifos is a pair of named pipes, which join one client at a time.
type fifos struct {
	addr string
	turn chan struct{} // has something in it while nobody is joined
}

func listenPipes(o *options) (net.Listener, error) {
	for _, suffix := range []string{toServer, toClient} {
		if err := syscall.Mkfifo(o.addr+suffix, 0o600); err != nil {
			return nil, &os.PathError{Op: "mkfifo", Path: o.addr + suffix, Err: err}
		}
	}
	l := &fifos{o.addr, make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l, nil
}

const (
	toServer = ".in"
	toClient = ".out"
)

// Accept waits until the client before has gone and the next has come.
func (l *fifos) Accept() (net.Conn, error) {
	<-l.turn
	// Both sides open the pipes in the same order, or each would wait for the other.
	in, err := os.OpenFile(l.addr+toServer, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(l.addr+toClient, os.O_WRONLY, 0)
	if err != nil {
		in.Close()
		return nil, err
	}
	return &pipes{in, out, l.turn}, nil
}

func (l *fifos) Addr() net.Addr { return &net.UnixAddr{Name: l.addr, Net: "pipes"} }

// Close does nothing: a server listens until its process ends.
func (l *fifos) Close() error { return nil }

func dialPipes(o *options) (net.Conn, error) {
	out, err := os.OpenFile(o.addr+toServer, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	in, err := os.OpenFile(o.addr+toClient, os.O_RDONLY, 0)
	if err != nil {
		out.Close()
		return nil, err
	}
	return &pipes{in, out, make(chan struct{}, 1)}, nil
}

// pipes is one end of a pair.
type pipes struct {
	in, out *os.File
	turn    chan<- struct{} // of the listener
}

func (p *pipes) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipes) Write(b []byte) (int, error) { return p.out.Write(b) }

// Close may be called once.
func (p *pipes) Close() error {
	err := errors.Join(p.in.Close(), p.out.Close())
	p.turn <- struct{}{}
	return err
}

func (p *pipes) LocalAddr() net.Addr  { return &net.UnixAddr{Name: p.in.Name(), Net: "pipes"} }
func (p *pipes) RemoteAddr() net.Addr { return &net.UnixAddr{Name: p.out.Name(), Net: "pipes"} }

func (p *pipes) SetDeadline(t time.Time) error {
	return errors.Join(p.in.SetReadDeadline(t), p.out.SetWriteDeadline(t))
}
func (p *pipes) SetReadDeadline(t time.Time) error  { return p.in.SetReadDeadline(t) }
func (p *pipes) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }
