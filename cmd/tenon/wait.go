package main

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// defaultWaitInterval is the time between two tries of tenon wait.
const defaultWaitInterval = 100 * time.Millisecond

// runWait is "tenon wait ADDRESS...".
func runWait(p *program, c *call) error {
	if len(c.args) == 0 {
		return usageError("an address is needed", "for example: tenon wait localhost:5432 --timeout 30s")
	}
	ctx := p.ctx
	if d := c.wait.timeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	o := newOpener()
	for _, text := range c.args {
		addr := hostPort(text, "tcp:")
		e, err := o.Explain(addr)
		if err != nil {
			return err
		}
		if e.Listens {
			return usageError(e.Address+" listens, and can't be waited for", "name the end that dials it, such as tcp:localhost:8080")
		}
		if err := waitFor(ctx, o, addr, e.Address, c.wait.interval); err != nil {
			return err
		}
		if c.global.verbose {
			p.stderr.linef("tenon: %s accepts connections", e.Address)
		}
	}
	return nil
}

// waitFor dials addr, which people know as name, until it succeeds. Errors that waiting cannot mend end it.
func waitFor(ctx context.Context, o *tenon.Opener, addr, name string, interval time.Duration) error {
	if interval == 0 {
		interval = defaultWaitInterval
	}
	var last error // of the tries that were not cut short
	for {
		conn, err := o.Dial(ctx, addr)
		if err == nil {
			return conn.Close()
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if errors.Is(err, tenon.ErrUsage) || errors.Is(err, tenon.ErrDenied) {
			return err
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
				return cause
			}
			return transport.Mark(&tenon.Error{Op: "wait", End: name, Err: innermost(last)}, tenon.ErrTimeout)
		}
	}
}

// innermost is what a try came to, without to which end.
func innermost(err error) error {
	if e := (*tenon.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
