package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
)

// listen opens p, and puts its limits and layers between the clients and Accept.
func (o *Opener) listen(ctx context.Context, p *plan.Plan) (transport.Acceptor, error) {
	base, ok := p.Base().End.(transport.Listener)
	if !ok {
		return nil, transport.Usage(errors.New(p.Name() + ": does not listen"))
	}
	var inner transport.Acceptor
	_, err := o.persist(ctx, p, func() (c transport.Conn, err error) {
		inner, err = base.Listen(ctx)
		return nil, transport.Failed("listen", p.Name(), listenHint(err))
	})
	if err != nil {
		return nil, err
	}
	if err := o.announce(p); err != nil {
		inner.Close()
		return nil, transport.Failed("listen", p.Name(), err)
	}
	return newGate(o, p, inner), nil
}

// announce tells what the parts of a listener have to say.
func (o *Opener) announce(p *plan.Plan) error {
	for part := range p.All() {
		a, ok := part.End.(transport.Announcer)
		if !ok {
			continue
		}
		lines, err := a.Announce()
		if err != nil {
			return err
		}
		for _, line := range lines {
			o.watch().Notice(p.Name(), line)
		}
	}
	return nil
}

// Prepare tells what is unsafe about an end that is about to be opened, and has it tell
// what it has to say while it is in use.
func (o *Opener) Prepare(p *plan.Plan) {
	p.Notify(func(line string) { o.watch().Notice(p.Name(), line) })
	for part := range p.All() {
		if w, ok := part.End.(interface{ Warnings() []string }); ok {
			for _, line := range w.Warnings() {
				o.watch().Notice(p.Name(), line)
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

// Listen listens for p. The Acceptor hands out clients that are through all
// handshakes and limits.
func (o *Opener) Listen(ctx context.Context, p *plan.Plan) (transport.Acceptor, error) {
	return o.open(ctx, p, nil)
}

// DialOrAccept opens p. An end that listens is waited at: its first client is the end.
func (o *Opener) DialOrAccept(ctx context.Context, p *plan.Plan) (transport.Conn, error) {
	if !p.Listens() {
		return o.Dial(ctx, p)
	}
	acc, err := o.open(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	defer acc.Close()
	return acceptOne(ctx, acc)
}

// open listens for p, whose clients will be joined to other, if that is safe, and
// tells where. Other is nil if they go to the caller.
func (o *Opener) open(ctx context.Context, p, other *plan.Plan) (transport.Acceptor, error) {
	acc, err := o.listen(ctx, p)
	if err != nil {
		return nil, err
	}
	outside := slices.ContainsFunc(addrs(acc), reachable)
	if err := safe(p, outside, other); err != nil {
		acc.Close()
		return nil, err
	}
	text := ""
	if outside {
		text = whoReaches(acc.Addr())
	}
	o.watch().Listening(p, acc.Addr(), text)
	return acc, nil
}

// safe refuses to put a program, or an open proxy, where strangers can reach it.
func safe(p *plan.Plan, outside bool, other *plan.Plan) error {
	if !outside || authenticates(p) {
		return nil
	}
	if other != nil && startsProgram(other) && !p.Common.AllowExec {
		return &transport.Error{Op: "listen", End: p.Name(), Err: transport.WithHint(
			transport.Mark(fmt.Errorf("clients from outside would start %s without having proved who they are", other.Name()), transport.ErrDenied),
			"listen on loopback, ask for a certificate (tls, client-auth=need), or say allow-exec")}
	}
	for part := range p.All() {
		if n, ok := part.End.(interface{ NeedsAuth() bool }); ok && n.NeedsAuth() {
			return &transport.Error{Op: "listen", End: p.Name(), Err: transport.WithHint(
				transport.Mark(errors.New("this would be a proxy open to strangers"), transport.ErrDenied),
				"listen on loopback, or give proxy-user= and proxy-password=, or users=")}
		}
	}
	return nil
}

// startsProgram tells whether opening p starts a program, be it for half of the end.
func startsProgram(p *plan.Plan) bool {
	for part := range p.All() {
		if part.Kind.Traits.Programs {
			return true
		}
	}
	return false
}

// authenticates tells whether no client gets through without proving who it is.
func authenticates(p *plan.Plan) bool {
	for part := range p.All() {
		if g, ok := part.End.(transport.Guard); ok && g.Authenticates() {
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
