package ends

import (
	"context"
	"errors"
	"io"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// hold opens a service so that the node can join it to a socket.
func hold(ctx context.Context, h Holder, r api.DialRequest) (transport.Conn, error) {
	c, err := h.Hold(ctx, r)
	if d, ok := c.(*api.Held); ok {
		return &held{d}, err
	}
	return c, err
}

// A held is an end at the node.
type held struct{ *api.Held }

var _ join.Adopter = (*held)(nil)

// Adopt implements [join.Adopter].
func (h *held) Adopt(ctx context.Context, fd int, at join.Side, o join.Options) (r join.Result, err error) {
	moved := func(m api.Moved) {
		o.Count.AB.Store(m.AB)
		o.Count.BA.Store(m.BA)
	}
	end, err := h.Held.Adopt(ctx, fd, api.Adoption{B: at == join.B, OneWay: o.OneWay,
		Idle: api.Duration(o.Idle), Linger: api.Duration(o.Linger), HalfClosed: api.Duration(o.HalfClosed)}, moved)
	if errors.Is(err, api.ErrNotAdopted) {
		return r, join.ErrNotAdopted
	}
	if end == nil {
		r.AB.Bytes, r.BA.Bytes = o.Count.AB.Load(), o.Count.BA.Load()
		return r, err
	}
	moved(api.Moved{AB: end.AB.Bytes, BA: end.BA.Bytes})
	r = join.Result{AB: flow(end.AB), BA: flow(end.BA)}
	if err == nil {
		err = verdict(end)
	}
	return r, err
}

func flow(f api.FlowEnd) join.Flow {
	got := join.Flow{Bytes: f.Bytes, First: f.First}
	switch f.Read {
	case "":
	case api.ReadEOF:
		got.Read = io.EOF
	case api.ReadLinger:
		got.Read = join.ErrLinger
	default:
		got.Read = errors.New(f.Read)
	}
	if f.Write != "" {
		got.Write = errors.New(f.Write)
	}
	return got
}

// verdict is the error of a joint.
func verdict(end *api.JointEnd) error {
	if end.Error == nil {
		return nil
	}
	var err error
	switch end.Why {
	case api.Idle:
		err = join.ErrIdle
	case api.HalfClosed:
		err = join.ErrHalfClosed
	default:
		err = transport.WithHint(end.Error, end.Error.Hint)
		if end.Exit != nil {
			err = transport.RemoteExit(transport.CloseStatus{Code: end.Exit.Code, Reason: end.Exit.Reason})
		}
	}
	if end.Op == "" {
		return err
	}
	side := join.A
	if end.B {
		side = join.B
	}
	return &join.Error{Op: end.Op, Side: side, Err: err}
}
