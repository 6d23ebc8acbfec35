package serve

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
)

// dialHalves opens the end to read from, then the end to write to.
func (o *Opener) dialHalves(ctx context.Context, p *plan.Plan) (transport.Conn, error) {
	in, err := o.dialStream(ctx, p.In)
	if err != nil {
		return nil, err
	}
	out, err := o.dialStream(ctx, p.Out)
	if err != nil {
		transport.Abort(in, err)
		return nil, err
	}
	info := &transport.Info{Kind: in.Info().Kind + "!!" + out.Info().Kind, Reads: in.Info().Reads, Writes: out.Info().Writes}
	return &duplex{in, out, info}, nil
}

func (o *Opener) dialStream(ctx context.Context, p *plan.Plan) (transport.Stream, error) {
	c, err := o.Dial(ctx, p)
	if err != nil {
		return nil, err
	}
	s, ok := c.(transport.Stream)
	if !ok {
		c.Close()
		return nil, transport.Usage(errors.New(p.Name() + ": carries messages, and half of an end carries bytes"))
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

var _ transport.Aborter = (*duplex)(nil)
