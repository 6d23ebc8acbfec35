package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/transport"
)

// An injector is a listener of libp2p's swarm that nobody can reach: it accepts the
// connections that it is given. The swarm dials a peer once, and stops dialing when it
// has one connection; those that we make ourselves, for a second way, get in here.
type injector struct {
	conns  chan ltransport.CapableConn
	closed chan struct{}
	close  sync.Once
}

var (
	_ ltransport.Transport = (*injector)(nil)
	_ ltransport.Listener  = (*injector)(nil)
)

// injected is where an injector listens.
var injected = ma.StringCast("/memory/1")

func newInjector() *injector {
	return &injector{conns: make(chan ltransport.CapableConn), closed: make(chan struct{})}
}

func (i *injector) Protocols() []int                                 { return []int{ma.P_MEMORY} }
func (i *injector) Proxy() bool                                      { return false }
func (i *injector) CanDial(ma.Multiaddr) bool                        { return false }
func (i *injector) Listen(ma.Multiaddr) (ltransport.Listener, error) { return i, nil }
func (i *injector) Addr() net.Addr                                   { return transport.Addr{Net: "peer", Name: "none"} }
func (i *injector) Multiaddr() ma.Multiaddr                          { return injected }

// Dial fails: there is nothing to dial.
func (i *injector) Dial(context.Context, ma.Multiaddr, lpeer.ID) (ltransport.CapableConn, error) {
	return nil, errors.ErrUnsupported
}

// Accept returns the next connection that is given.
func (i *injector) Accept() (ltransport.CapableConn, error) {
	select {
	case c := <-i.conns:
		return c, nil
	case <-i.closed:
		return nil, ltransport.ErrListenerClosed
	}
}

func (i *injector) Close() error {
	i.close.Do(func() { close(i.closed) })
	return nil
}

// dialAddr makes one more connection to a peer, at this address.
func (n *Network) dialAddr(ctx context.Context, id lpeer.ID, a ma.Multiaddr) error {
	if g := (gate{n}); !g.InterceptPeerDial(id) || !g.InterceptAddrDial(id, a) {
		return fmt.Errorf("%s: %w", a, errGated)
	}
	t := n.swarm.TransportForDialing(a)
	if t == nil {
		return fmt.Errorf("%s: %w", a, errors.ErrUnsupported)
	}
	c, err := t.Dial(ctx, a, id)
	if err != nil {
		return fmt.Errorf("%s: %w", a, transport.Cause(err))
	}
	return n.injectConn(c)
}

// injectConn makes a link of a connection.
func (n *Network) injectConn(c ltransport.CapableConn) error {
	select {
	case n.inject.conns <- c:
		return nil
	case <-n.inject.closed:
		c.Close() //nolint:errcheck // it is gone
		return errStopped
	}
}
