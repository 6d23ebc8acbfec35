//go:build !linux

package inet

import (
	"net"
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// An acceptor accepts from several listeners, with a goroutine for each.
type acceptor struct {
	lns    []net.Listener
	kind   string
	conns  chan accepted
	closed chan struct{}
	wg     sync.WaitGroup
	close  func() error
}

type accepted struct {
	conn streamConn
	err  error
}

var _ transport.Acceptor = (*acceptor)(nil)

// newAcceptor takes over lns.
func newAcceptor(lns []net.Listener, kind string) (transport.Acceptor, error) {
	a := &acceptor{lns: lns, kind: kind, conns: make(chan accepted), closed: make(chan struct{})}
	a.close = sync.OnceValue(a.shut)
	for _, ln := range lns {
		a.wg.Go(func() { a.serve(ln) })
	}
	return a, nil
}

func (a *acceptor) serve(ln net.Listener) {
	for {
		c, err := ln.Accept()
		sc, _ := c.(streamConn)
		select {
		case a.conns <- accepted{sc, err}:
		case <-a.closed:
			if c != nil {
				c.Close()
			}
			return
		}
	}
}

// Accept returns the next connection.
func (a *acceptor) Accept() (transport.Conn, error) {
	select {
	case got := <-a.conns:
		if got.err != nil {
			return nil, got.err
		}
		return FromNet(got.conn, a.kind), nil
	case <-a.closed:
		return nil, &net.OpError{Op: "accept", Net: a.Addr().Network(), Source: a.Addr(), Err: net.ErrClosed}
	}
}

// Addr returns the first address.
func (a *acceptor) Addr() net.Addr { return a.lns[0].Addr() }

// Addrs returns all addresses.
func (a *acceptor) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(a.lns))
	for i, ln := range a.lns {
		addrs[i] = ln.Addr()
	}
	return addrs
}

// Close closes the listeners.
func (a *acceptor) Close() error { return a.close() }

func (a *acceptor) shut() error {
	close(a.closed)
	closeListeners(a.lns)
	a.wg.Wait()
	return nil
}
