package tenon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/tenon-net/tenon/transport"
)

// listen opens p, and puts its limits and layers between the clients and Accept.
func (o *Opener) listen(ctx context.Context, p *plan) (transport.Acceptor, error) {
	base, ok := p.base().end.(transport.Listener)
	if !ok {
		return nil, usage(errors.New(p.name() + ": does not listen"))
	}
	var inner transport.Acceptor
	_, err := o.persist(ctx, p, func() (c transport.Conn, err error) {
		inner, err = base.Listen(ctx)
		return nil, failed("listen", p.name(), listenHint(err))
	})
	if err != nil {
		return nil, err
	}
	if err := o.announce(p); err != nil {
		inner.Close()
		return nil, failed("listen", p.name(), err)
	}
	return newGate(o, p, inner), nil
}

// announce tells what the parts of a listener have to say.
func (o *Opener) announce(p *plan) error {
	for _, part := range p.parts {
		a, ok := part.end.(transport.Announcer)
		if !ok {
			continue
		}
		lines, err := a.Announce()
		if err != nil {
			return err
		}
		for _, line := range lines {
			o.notice(p, "%s", line)
		}
	}
	return nil
}

// warn tells what is unsafe about an end that is about to be opened.
func (o *Opener) warn(p *plan) {
	for _, part := range p.parts {
		if w, ok := part.end.(interface{ Warnings() []string }); ok {
			for _, line := range w.Warnings() {
				o.notice(p, "%s", line)
			}
		}
	}
}

func listenHint(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return transport.WithHint(err, "another program listens there; see ss -ltnup")
	case errors.Is(err, syscall.EACCES):
		return transport.WithHint(err, "ports below 1024 need root or the capability net_bind_service")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return transport.WithHint(err, "the address is not one of this machine's; see ip address")
	}
	return err
}

// open listens for p, whose clients will be joined to other, if that is safe, and
// tells where. Other is nil if they go to the caller.
func (o *Opener) open(ctx context.Context, p, other *plan) (transport.Acceptor, error) {
	acc, err := o.listen(ctx, p)
	if err != nil {
		return nil, err
	}
	outside := slices.ContainsFunc(addrs(acc), reachable)
	if err := p.safe(outside, other); err != nil {
		acc.Close()
		return nil, err
	}
	text := ""
	if outside {
		text = whoReaches(acc.Addr())
	}
	o.emit(Event{Type: Listening, End: p.name(), Addr: acc.Addr(), Text: text})
	return acc, nil
}

// safe refuses to put a program, or an open proxy, where strangers can reach it.
func (p *plan) safe(outside bool, other *plan) error {
	if !outside || p.authenticates() {
		return nil
	}
	if other != nil && other.base().kind.Traits.Programs && !p.common.allowExec {
		return &Error{"listen", p.name(), transport.WithHint(
			transport.Mark(fmt.Errorf("clients from outside would start %s without having proved who they are", other.name()), ErrDenied),
			"listen on loopback, ask for a certificate (tls, client-auth=need), or say allow-exec")}
	}
	for _, part := range p.parts {
		if n, ok := part.end.(interface{ NeedsAuth() bool }); ok && n.NeedsAuth() {
			return &Error{"listen", p.name(), transport.WithHint(
				transport.Mark(errors.New("this would be a proxy open to strangers"), ErrDenied),
				"listen on loopback, or give user= and password=")}
		}
	}
	return nil
}

// authenticates tells whether no client gets through without proving who it is.
func (p *plan) authenticates() bool {
	for _, part := range p.parts {
		if g, ok := part.end.(transport.Guard); ok && g.Authenticates() {
			return true
		}
	}
	return false
}

// addrs returns every address of a listener, which may have several sockets.
func addrs(acc transport.Acceptor) []net.Addr {
	if g, ok := acc.(*gate); ok {
		acc = g.inner
	}
	if many, ok := acc.(interface{ Addrs() []net.Addr }); ok {
		return many.Addrs()
	}
	return []net.Addr{acc.Addr()}
}

// reachable tells whether a listener can be reached from outside this machine.
func reachable(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return !a.IP.IsLoopback()
	case *net.UDPAddr:
		return !a.IP.IsLoopback()
	case *net.UnixAddr:
		return false
	}
	return a.Network() == "vsock"
}

// whoReaches lists where a listener that can be reached from outside is found.
func whoReaches(a net.Addr) string {
	var ip net.IP
	switch a := a.(type) {
	case *net.TCPAddr:
		ip = a.IP
	case *net.UDPAddr:
		ip = a.IP
	}
	if len(ip) == 0 || !ip.IsUnspecified() {
		return "reachable from outside"
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return "reachable on every address of this machine"
	}
	text := "reachable from outside, on every address of this machine:"
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			text += " " + n.IP.String()
		}
	}
	return text
}

// acceptOne waits for one connection or the end of ctx.
func acceptOne(ctx context.Context, acc transport.Acceptor) (transport.Conn, error) {
	stop := context.AfterFunc(ctx, func() { acc.Close() })
	defer stop()
	c, err := acc.Accept()
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return c, err
}

// NetListener makes a net.Listener of an Acceptor whose ends carry bytes, for
// http.Serve and its like. Ends that carry messages are closed.
func NetListener(a transport.Acceptor) net.Listener { return netListener{a} }

type netListener struct{ transport.Acceptor }

// Accept returns the next end that is a Stream, and so a net.Conn.
func (l netListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Acceptor.Accept()
		if err != nil {
			return nil, err
		}
		if s, ok := c.(transport.Stream); ok {
			return s, nil
		}
		c.Close()
	}
}
