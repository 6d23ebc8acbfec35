package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/proxy"
)

// A gate stands between a listening socket and Accept: it keeps the limits on
// who and how many, and has each client go through the layers by itself, so that
// a slow one holds up nobody. A gate without layers has no goroutine.
type gate struct {
	opener *Opener
	plan   *plan.Plan
	inner  transport.Acceptor
	done   func()        // the plan is not in use any more
	slots  chan struct{} // one for each client that may be there
	closed chan struct{}
	once   sync.Once

	ready  chan transport.Conn // clients that are through the layers; nil without layers
	failed chan error          // why there will be no more of them
	work   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	perIP   map[netip.Addr]int
	full    bool     // that the slots are used up has been told
	shaking []*shake // those that are not through the layers, the oldest first
}

func newGate(o *Opener, p *plan.Plan, inner transport.Acceptor) *gate {
	limit := p.Common.Max
	if limit == 0 {
		limit = plan.DefaultMax
	}
	if l, ok := inner.(interface{ LimitSessions(n int) }); ok {
		l.LimitSessions(limit) // so that forged senders make room for new ones
	}
	g := &gate{
		opener: o, plan: p, inner: inner, done: o.hold(p),
		slots:  make(chan struct{}, limit),
		closed: make(chan struct{}),
		perIP:  make(map[netip.Addr]int),
	}
	if len(p.Parts) > 1 || p.Common.AcceptProxy {
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
		g.done()
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
		return wrapEnd(g.plan, c), nil
	}
	select {
	case c := <-g.ready:
		return wrapEnd(g.plan, c), nil
	case err := <-g.failed:
		g.failed <- err // for the next call
		return nil, err
	}
}

// admit has clients go through the layers until the socket is closed. One more is taken in
// than there may be, so that it is known that somebody waits; see room.
func (g *gate) admit() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
	for {
		c, ip, err := g.accept()
		if err == nil {
			if err = g.takeSlot(); err != nil {
				g.uncount(ip)
				transport.Abort(c, err) //nolint:errcheck // it was never used
			}
		}
		if err != nil {
			cancel()
			g.failed <- err
			return
		}
		c = transport.OnClose(c, func() { g.leave(ip) })
		ctx, s := g.shake(ctx)
		handshakes.Go(func() { g.handshake(ctx, s, c) })
	}
}

// handshake takes one client through the layers and hands it to Accept.
func (g *gate) handshake(ctx context.Context, s *shake, c transport.Conn) {
	who := c.RemoteAddr()
	if d := plan.OrDefault(g.plan.Common.Handshake, plan.DefaultHandshakeTimeout); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	through, err := g.layers(ctx, c)
	crowded := errors.Is(context.Cause(ctx), errCrowded)
	g.shaken(s)
	if err != nil {
		if crowded {
			err = errCrowded
		}
		if !errors.Is(err, context.Canceled) {
			g.refused(who, transport.Failed("handshake", g.plan.Name(), err))
		}
		return
	}
	select {
	case g.ready <- through:
	case <-g.closed:
		transport.Abort(through, net.ErrClosed) //nolint:errcheck // it was never used
	}
}

// layers takes a client through the layers. If one of them panics, that is the end of
// this client and of no other.
func (g *gate) layers(ctx context.Context, c transport.Conn) (through transport.Conn, err error) {
	defer func() {
		if bug := (*transport.BugError)(nil); errors.As(err, &bug) {
			transport.Abort(c, err) //nolint:errcheck // err is why
		}
	}()
	defer transport.CatchBug(&err)
	through = c
	if g.plan.Common.AcceptProxy {
		header := proxy.AcceptHeader{Trust: g.plan.Common.ProxyFrom}
		if through, err = header.Wrap(ctx, c, transport.Accepted); err != nil {
			return nil, err
		}
	}
	return wrapLayers(ctx, g.plan, through, transport.Accepted)
}

// next accepts the next client that the limits let in, when there is room.
func (g *gate) next() (transport.Conn, error) {
	if err := g.takeSlot(); err != nil {
		return nil, err
	}
	c, ip, err := g.accept()
	if err != nil {
		<-g.slots
		return nil, err
	}
	return transport.OnClose(c, func() { g.leave(ip) }), nil
}

// accept accepts the next client whose address is let in, and counts it.
func (g *gate) accept() (transport.Conn, netip.Addr, error) {
	wait := time.Duration(0)
	for {
		c, err := g.inner.Accept()
		switch {
		case err == nil:
			ip := addrOf(transport.PeerAddr(c))
			if err := g.admits(ip); err != nil {
				g.refused(c.RemoteAddr(), err)
				transport.Abort(c, err)
				continue
			}
			return c, ip, nil
		case errors.Is(err, transport.ErrDenied):
			g.refused(nil, err)
		case temporary(err):
			if wait == 0 {
				g.opener.watch().Notice(g.plan.Name(), fmt.Sprintf("accept: %v; trying again", transport.Cause(err)))
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			if !g.pause(wait) {
				return nil, netip.Addr{}, net.ErrClosed
			}
		default:
			return nil, netip.Addr{}, err
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
		g.opener.watch().Notice(g.plan.Name(), fmt.Sprintf("%d connections are open, which is max=; more wait", cap(g.slots)))
	}
	for {
		var later <-chan time.Time
		if d, ok := g.room(); ok {
			later = time.After(d)
		}
		select {
		case g.slots <- struct{}{}:
			return nil
		case <-g.closed:
			return net.ErrClosed
		case <-later:
		}
	}
}

// admits counts a client from ip, or says why it may not come in.
func (g *gate) admits(ip netip.Addr) error {
	c := &g.plan.Common
	if filtered := len(c.Allow)+len(c.Deny) > 0; filtered && !ip.IsValid() {
		return transport.Mark(errors.New("a client without an IP address, and there is a filter for addresses"), transport.ErrDenied)
	}
	if len(c.Allow) > 0 && !c.Allow.Contain(ip) || c.Deny.Contain(ip) {
		return transport.Mark(fmt.Errorf("%s is not among the addresses that may connect", ip), transport.ErrDenied)
	}
	limit := c.MaxPerIP
	if limit == 0 && (!ip.IsValid() || ip.IsLoopback()) {
		return nil
	}
	if limit == 0 {
		limit = plan.DefaultMaxPerIP
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.perIP[ip] >= limit {
		return transport.Mark(fmt.Errorf("%s has %d connections open, which is max-per-ip", ip, limit), transport.ErrDenied)
	}
	g.perIP[ip]++
	return nil
}

// leave counts a client out, and makes room.
func (g *gate) leave(ip netip.Addr) {
	g.uncount(ip)
	<-g.slots
}

func (g *gate) uncount(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.perIP[ip]; n > 1 {
		g.perIP[ip] = n - 1
	} else {
		delete(g.perIP, ip)
	}
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
	g.opener.watch().Refused(g.plan, who, err)
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

// addrOf returns the IP address of a client, if it has one. A zone says on which of
// our links the client is, and nothing about the client: it goes.
func addrOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return address.Canonical(a.AddrPort().Addr())
	case *net.UDPAddr:
		return address.Canonical(a.AddrPort().Addr())
	}
	return netip.Addr{}
}
