package tenon

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// splitDuplex takes "IN!!OUT" apart: an end that reads from one address and
// writes to another.
func splitDuplex(text string) (in, out string, ok bool) {
	quote := byte(0)
	for i := 0; i+1 < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '!' && text[i+1] == '!':
			return text[:i], text[i+2:], true
		}
	}
	return "", "", false
}

// planDuplex plans an end of two one-way ends. It returns nil if text is not one.
func (o *Opener) planDuplex(text string) (*plan, error) {
	in, out, ok := splitDuplex(text)
	if !ok {
		return nil, nil
	}
	a, err := address.Parse(out)
	if err != nil {
		return nil, nil
	}
	if _, known := o.kinds().Lookup(a.Kind.Name); !known {
		return nil, nil
	}
	d := &duplexDial{opener: o}
	if d.in, err = o.plan(in); err != nil {
		return nil, err
	}
	if d.out, err = o.plan(out); err != nil {
		return nil, err
	}
	for _, half := range []*plan{d.in, d.out} {
		if half.listens() {
			return nil, usage(errors.New(half.name() + ": half of an end cannot listen"))
		}
	}
	kind := transport.Kind{Name: "duplex", Doc: "Reads from one end and writes to another."}
	kind.Traits.Once = d.in.base().kind.Traits.Once || d.out.base().kind.Traits.Once
	p := &plan{title: d.in.name() + "!!" + d.out.name(), parts: []part{{kind, d, new(opt.Set)}}}
	p.common.Bind(&p.set)
	return p, nil
}

// duplexDial opens both halves.
type duplexDial struct {
	opener  *Opener
	in, out *plan
}

// Bind binds nothing: the options are those of the halves.
func (d *duplexDial) Bind(*opt.Set) {}

// Dial opens the end to read from, then the end to write to.
func (d *duplexDial) Dial(ctx context.Context) (transport.Conn, error) {
	in, err := d.stream(ctx, d.in)
	if err != nil {
		return nil, err
	}
	out, err := d.stream(ctx, d.out)
	if err != nil {
		transport.Abort(in, err)
		return nil, err
	}
	return &duplex{in, out, &transport.Info{Kind: in.Info().Kind + "!!" + out.Info().Kind}}, nil
}

func (d *duplexDial) stream(ctx context.Context, p *plan) (transport.Stream, error) {
	c, err := d.opener.dial(ctx, p)
	if err != nil {
		return nil, err
	}
	s, ok := c.(transport.Stream)
	if !ok {
		c.Close()
		return nil, usage(errors.New(p.name() + ": carries messages, and half of an end carries bytes"))
	}
	return s, nil
}

// duplex reads from one Stream and writes to another.
type duplex struct {
	in, out transport.Stream
	info    *transport.Info
}

func (d *duplex) Read(p []byte) (int, error)  { return d.in.Read(p) }
func (d *duplex) Write(p []byte) (int, error) { return d.out.Write(p) }

// CloseWrite half-closes the end written to, or closes it if it has no other way.
func (d *duplex) CloseWrite() error {
	if err := d.out.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return d.out.Close()
}

func (d *duplex) Close() error { return errors.Join(d.in.Close(), d.out.Close()) }

// Abort aborts both.
func (d *duplex) Abort(cause error) error {
	return errors.Join(transport.Abort(d.in, cause), transport.Abort(d.out, cause))
}

func (d *duplex) Info() *transport.Info              { return d.info }
func (d *duplex) LocalAddr() net.Addr                { return d.in.LocalAddr() }
func (d *duplex) RemoteAddr() net.Addr               { return d.out.RemoteAddr() }
func (d *duplex) SetReadDeadline(t time.Time) error  { return d.in.SetReadDeadline(t) }
func (d *duplex) SetWriteDeadline(t time.Time) error { return d.out.SetWriteDeadline(t) }
func (d *duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.in.SetReadDeadline(t), d.out.SetWriteDeadline(t))
}

var _ transport.Dialer = (*duplexDial)(nil)
var _ transport.Aborter = (*duplex)(nil)
