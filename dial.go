package tenon

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/proxy"
	"github.com/tenon-net/tenon/transport/tlslayer"
)

// dial opens p with all its layers, trying again as its options say.
func (o *Opener) dial(ctx context.Context, p *plan) (transport.Conn, error) {
	c, err := o.persist(ctx, p, func() (transport.Conn, error) { return o.dialOnce(ctx, p) })
	if err != nil {
		return nil, err
	}
	if s, ok := c.(transport.Stream); ok && p.common.retry == forever {
		c = o.keep(p, s, transport.Other(ctx))
	}
	return p.dress(c), nil
}

// persist calls open until it succeeds or the tries are used up. It tells when
// the end goes down and when it is up, not each try.
func (o *Opener) persist(ctx context.Context, p *plan, open func() (transport.Conn, error)) (transport.Conn, error) {
	wait := orDefault(p.common.interval, DefaultInterval)
	for try := 0; ; try++ {
		c, err := open()
		if err == nil {
			if try > 0 {
				o.emit(Event{Type: Up, End: p.name(), Text: "open again"})
			}
			return c, nil
		}
		if p.common.retry != forever && try >= int(p.common.retry) || hopeless(err) {
			return nil, err
		}
		if try == 0 {
			o.emit(Event{Type: Down, End: p.name(), Text: "trying again", Err: err})
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, failed("dial", p.name(), context.Cause(ctx))
		}
		wait = min(2*wait, max(MaxInterval, p.common.interval))
	}
}

// hopeless tells whether trying again would only fail again.
func hopeless(err error) bool {
	return errors.Is(err, ErrUsage) || errors.Is(err, ErrDenied) ||
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
func (o *Opener) dialOnce(ctx context.Context, p *plan) (transport.Conn, error) {
	if d := p.connectTimeout(); d > 0 && !p.base().kind.Traits.Once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	c, err := p.dialBase(ctx)
	if err != nil {
		return nil, failed("dial", p.nameFor(transport.Other(ctx)), err)
	}
	if p.common.sendPP > 0 {
		if c, err = (&proxy.SendHeader{Version: p.common.sendPP}).Wrap(ctx, c, transport.Dialed); err != nil {
			return nil, failed("dial", p.nameFor(transport.Other(ctx)), err)
		}
	}
	if c, err = p.wrap(ctx, c, transport.Dialed); err != nil {
		return nil, failed("dial", p.nameFor(transport.Other(ctx)), err)
	}
	return c, nil
}

// wrap puts the layers on c, innermost first.
func (p *plan) wrap(ctx context.Context, c transport.Conn, side transport.Side) (transport.Conn, error) {
	var err error
	for i := len(p.parts) - 2; i >= 0; i-- {
		if c, err = p.parts[i].end.(transport.Layer).Wrap(ctx, c, side); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// dialBase opens the kind beneath all layers, through the proxies if there are any.
func (p *plan) dialBase(ctx context.Context) (transport.Conn, error) {
	base, ok := p.base().end.(transport.Dialer)
	if !ok {
		return nil, usage(errors.New("cannot be dialed"))
	}
	if len(p.via) == 0 {
		return base.Dial(ctx)
	}
	target, err := p.viaTarget(ctx, base.(*inet.Dial))
	if err != nil {
		return nil, err
	}
	first := *base.(*inet.Dial)
	first.Addr = p.via[0].Addr()
	c, err := first.Dial(ctx)
	if err != nil {
		return nil, failed("dial", "proxy "+p.via[0].Addr(), err)
	}
	for i, hop := range p.via {
		next := target
		if i+1 < len(p.via) {
			next = p.via[i+1].Addr()
		}
		if c, err = p.through(ctx, c, hop, next); err != nil {
			return nil, failed("dial", "proxy "+hop.Addr(), err)
		}
	}
	return c, nil
}

// through asks the proxy at the other end of c for the way to next.
func (p *plan) through(ctx context.Context, c transport.Conn, hop proxy.Hop, next string) (transport.Conn, error) {
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
func (p *plan) viaTarget(ctx context.Context, base *inet.Dial) (string, error) {
	target := base.Addr
	if caller, ok := otherCaller(ctx); ok && target == "" {
		target = caller.Target()
	}
	if target == "" || p.common.resolve != "local" {
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
	return address.Host{Name: ips[0].Unmap().String(), Port: port}.HostPort(), nil
}

// otherCaller finds the client of a proxy that this end is being opened for.
func otherCaller(ctx context.Context) (transport.Caller, bool) {
	return transport.As[transport.Caller](transport.Other(ctx))
}
