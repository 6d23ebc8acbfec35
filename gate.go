package tenon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/proxy"
)

// A gate stands between a listening socket and Accept: it keeps the limits on
// who and how many, and has each client go through the layers by itself, so that
// a slow one holds up nobody. A gate without layers has no goroutine.
type gate struct {
	opener *Opener
	plan   *plan
	inner  transport.Acceptor
	slots  chan struct{} // one for each client that may be there
	closed chan struct{}
	once   sync.Once

	ready  chan transport.Conn // clients that are through the layers; nil without layers
	failed chan error          // why there will be no more of them
	work   sync.WaitGroup

	mu    sync.Mutex
	perIP map[netip.Addr]int
	full  bool // that the slots are used up has been told
}

func newGate(o *Opener, p *plan, inner transport.Acceptor) *gate {
	limit := p.common.max
	if limit == 0 {
		limit = DefaultMax
	}
	g := &gate{
		opener: o, plan: p, inner: inner,
		slots:  make(chan struct{}, limit),
		closed: make(chan struct{}),
		perIP:  make(map[netip.Addr]int),
	}
	if len(p.parts) > 1 || p.common.acceptPP {
		g.ready, g.failed = make(chan transport.Conn), make(chan error, 1)
		g.work.Go(g.admit)
	}
	return g
}

// Addr returns the listening socket's address.
func (g *gate) Addr() net.Addr { return g.inner.Addr() }

// Close stops accepting. Clients that are not through the layers are dropped.
func (g *gate) Close() error {
	var err error
	g.once.Do(func() {
		close(g.closed)
		err = g.inner.Close()
		g.work.Wait()
	})
	return err
}

// Accept returns the next client that is through.
func (g *gate) Accept() (transport.Conn, error) {
	if g.ready == nil {
		c, err := g.next()
		if err != nil {
			return nil, err
		}
		return g.plan.dress(c), nil
	}
	select {
	case c := <-g.ready:
		return g.plan.dress(c), nil
	case err := <-g.failed:
		g.failed <- err // for the next call
		return nil, err
	}
}

// admit has clients go through the layers until the socket is closed.
func (g *gate) admit() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
	for {
		c, err := g.next()
		if err != nil {
			cancel()
			g.failed <- err
			return
		}
		handshakes.Go(func() { g.handshake(ctx, c) })
	}
}

// handshake takes one client through the layers and hands it to Accept.
func (g *gate) handshake(ctx context.Context, c transport.Conn) {
	who := c.RemoteAddr()
	if d := orDefault(g.plan.common.handshakeTimeout, DefaultHandshakeTimeout); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	var err error
	if g.plan.common.acceptPP {
		c, err = (&proxy.AcceptHeader{Trust: []netip.Prefix(g.plan.common.trustPP)}).Wrap(ctx, c, transport.Accepted)
	}
	if err == nil {
		c, err = g.plan.wrap(ctx, c, transport.Accepted)
	}
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			g.refused(who, failed("handshake", g.plan.name(), err))
		}
		return
	}
	select {
	case g.ready <- c:
	case <-g.closed:
		transport.Abort(c, net.ErrClosed)
	}
}

// next accepts the next client that the limits let in.
func (g *gate) next() (transport.Conn, error) {
	if err := g.takeSlot(); err != nil {
		return nil, err
	}
	wait := time.Duration(0)
	for {
		c, err := g.inner.Accept()
		switch {
		case err == nil:
			ip := addrOf(c.RemoteAddr())
			if err := g.admits(ip); err != nil {
				g.refused(c.RemoteAddr(), err)
				transport.Abort(c, err)
				continue
			}
			return transport.OnClose(c, func() { g.leave(ip) }), nil
		case errors.Is(err, ErrDenied):
			g.refused(nil, err)
		case temporary(err):
			if wait == 0 {
				g.opener.notice(g.plan, "accept: %v; trying again", plain(err))
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			if !g.pause(wait) {
				return nil, net.ErrClosed
			}
		default:
			<-g.slots
			return nil, err
		}
	}
}

// takeSlot waits until there is room for one more client.
func (g *gate) takeSlot() error {
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-g.closed:
		return net.ErrClosed
	default:
	}
	g.mu.Lock()
	told := g.full
	g.full = true
	g.mu.Unlock()
	if !told {
		g.opener.notice(g.plan, "%d connections are open, which is max=; more wait", cap(g.slots))
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-g.closed:
		return net.ErrClosed
	}
}

// admits counts a client from ip, or says why it may not come in.
func (g *gate) admits(ip netip.Addr) error {
	c := &g.plan.common
	if ip.IsValid() && (len(c.allow) > 0 && !c.allow.contain(ip) || c.deny.contain(ip)) {
		return transport.Mark(fmt.Errorf("%s is not among the addresses that may connect", ip), ErrDenied)
	}
	limit := c.maxPerIP
	if limit == 0 && (!ip.IsValid() || ip.IsLoopback()) {
		return nil
	}
	if limit == 0 {
		limit = DefaultMaxPerIP
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.perIP[ip] >= limit {
		return transport.Mark(fmt.Errorf("%s has %d connections open, which is max-per-ip", ip, limit), ErrDenied)
	}
	g.perIP[ip]++
	return nil
}

// leave counts a client out.
func (g *gate) leave(ip netip.Addr) {
	g.mu.Lock()
	if n := g.perIP[ip]; n > 1 {
		g.perIP[ip] = n - 1
	} else {
		delete(g.perIP, ip)
	}
	g.mu.Unlock()
	<-g.slots
}

func (g *gate) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-g.closed:
		return false
	}
}

func (g *gate) refused(who net.Addr, err error) {
	g.opener.emit(Event{Type: Refused, End: g.plan.name(), Addr: who, Err: err})
}

// temporary tells whether accepting may work again in a while: no descriptors, no
// memory, a client that was gone too soon.
func temporary(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO, syscall.ECONNRESET, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// addrOf returns the IP address of a client, if it has one.
func addrOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
