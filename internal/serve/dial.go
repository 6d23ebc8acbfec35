package serve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/proxy"
	"github.com/tenon-net/tenon/transport/tlslayer"
)

// Dial opens p with all its layers, trying again as its options say.
func (o *Opener) Dial(ctx context.Context, p *plan.Plan) (transport.Conn, error) {
	c, err := o.persist(ctx, p, func() (transport.Conn, error) { return o.dialOnce(ctx, p) })
	if err != nil {
		return nil, err
	}
	if p.Common.Retry == plan.Forever {
		c = o.reconnect(p, c, transport.Other(ctx))
	}
	return wrapEnd(p, c), nil
}

// persist calls open until it succeeds or the tries are used up. It tells when
// the end goes down and when it is up, not each try.
func (o *Opener) persist(ctx context.Context, p *plan.Plan, open func() (transport.Conn, error)) (transport.Conn, error) {
	wait := plan.OrDefault(p.Common.Interval, plan.DefaultInterval)
	for try := 0; ; try++ {
		c, err := open()
		if err == nil {
			if try > 0 {
				o.watch().Up(p, "open again")
			}
			return c, nil
		}
		if p.Common.Retry >= 0 && try >= int(p.Common.Retry) || hopeless(err) {
			return nil, err
		}
		if try == 0 {
			o.watch().Down(p, "trying again", err)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, transport.Failed("dial", p.Name(), context.Cause(ctx))
		}
		if p.Common.Interval == 0 {
			wait = min(2*wait, plan.MaxInterval)
		}
	}
}

// hopeless tells whether trying again would only fail again.
func hopeless(err error) bool {
	return errors.Is(err, transport.ErrUsage) || errors.Is(err, transport.ErrDenied) ||
		errors.Is(err, errors.ErrUnsupported) || errors.Is(err, context.Canceled)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// dialOnce opens p and puts its layers on it, innermost first.
func (o *Opener) dialOnce(ctx context.Context, p *plan.Plan) (transport.Conn, error) {
	if d := p.ConnectTimeout(); d > 0 && !p.Base().Kind.Traits.Once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	c, err := o.dialBase(ctx, p)
	if err == nil && p.Common.SendProxy > 0 {
		c, err = (&proxy.SendHeader{Version: p.Common.SendProxy}).Wrap(ctx, c, transport.Dialed)
	}
	if err == nil {
		c, err = wrapLayers(ctx, p, c, transport.Dialed)
	}
	if err != nil {
		return nil, transport.Failed("dial", p.NameFor(transport.Other(ctx)), err)
	}
	return c, nil
}

// wrapLayers puts the layers on c, innermost first.
func wrapLayers(ctx context.Context, p *plan.Plan, c transport.Conn, side transport.Side) (transport.Conn, error) {
	var err error
	for i := len(p.Parts) - 2; i >= 0; i-- {
		if c, err = p.Parts[i].End.(transport.Layer).Wrap(ctx, c, side); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// dialBase opens the kind beneath all layers, through the proxies if there are any.
func (o *Opener) dialBase(ctx context.Context, p *plan.Plan) (transport.Conn, error) {
	if p.In != nil {
		return o.dialHalves(ctx, p)
	}
	base, ok := p.Base().End.(transport.Dialer)
	if !ok {
		return nil, transport.Usage(errors.New("cannot be dialed"))
	}
	if len(p.Common.Via) == 0 {
		return base.Dial(ctx)
	}
	target, err := viaTarget(ctx, p, base.(*inet.Dial))
	if err != nil {
		return nil, err
	}
	first := *base.(*inet.Dial)
	first.Addr = p.Common.Via[0].Addr()
	c, err := first.Dial(ctx)
	if err != nil {
		return nil, transport.Failed("dial", "proxy "+p.Common.Via[0].Addr(), err)
	}
	for i, hop := range p.Common.Via {
		next := target
		if i+1 < len(p.Common.Via) {
			next = p.Common.Via[i+1].Addr()
		}
		if c, err = through(ctx, c, hop, next); err != nil {
			return nil, transport.Failed("dial", "proxy "+hop.Addr(), err)
		}
	}
	return c, nil
}

// through asks the proxy at the other end of c for the way to next.
func through(ctx context.Context, c transport.Conn, hop proxy.Hop, next string) (transport.Conn, error) {
	if hop.TLS {
		var err error
		if c, err = (&tlslayer.Layer{Host: hop.Host}).Wrap(ctx, c, transport.Dialed); err != nil {
			return nil, err
		}
	}
	return hop.Layer(next).Wrap(ctx, c, transport.Dialed)
}

// viaTarget is where the last proxy is to go: the name, unless it is to be looked
// up here, or the place that the client of a proxy asked for.
func viaTarget(ctx context.Context, p *plan.Plan, base *inet.Dial) (string, error) {
	target := base.Addr
	caller, called := otherCaller(ctx)
	if called = called && target == ""; called {
		target = caller.Target()
	}
	if target == "" || p.Common.Resolve != "local" {
		return target, nil
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return "", err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", err
	}
	if called {
		n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
		if err != nil {
			return "", err
		}
		if err := caller.Permit(netip.AddrPortFrom(ips[0], uint16(n))); err != nil {
			return "", err
		}
	}
	return address.Host{Name: ips[0].Unmap().String(), Port: port}.HostPort(), nil
}

// otherCaller finds the client of a proxy that this end is being opened for.
func otherCaller(ctx context.Context) (transport.Caller, bool) {
	return transport.About[transport.Caller](transport.Other(ctx))
}
