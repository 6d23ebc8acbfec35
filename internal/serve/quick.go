package serve

import (
	"context"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// The usual joint of a server is between two sockets, and the second one is there as
// soon as it is asked for: the target is an address and not a name, and near. Such a
// joint needs no goroutine, neither to begin, nor while it lasts, nor to end. That is
// what makes thousands of short connections a second cheap, and a silent one small.

// beginner returns the way to open p at once, if opening it is nothing but that.
func (s *server) beginner(p *plan.Plan) transport.Beginner {
	c := &p.Common
	if len(p.Parts) > 1 || len(c.Via) > 0 || c.SendProxy > 0 || c.Retry != 0 {
		return nil
	}
	b, _ := p.Base().End.(transport.Beginner)
	return b
}

// begin makes the joint of a client without waiting for anything. What has to be
// waited for goes on in a goroutine.
func (s *server) begin(ctx context.Context, side join.Side, c transport.Conn, b transport.Beginner) {
	if _, ok := transport.About[transport.Caller](c); ok { // it waits for an answer
		m := s.newMeeting(side, c)
		s.wg.Go(func() { m.begin(ctx) })
		return
	}
	p := s.plans[1-side]
	d, wait, err := b.Begin()
	switch {
	case err != nil:
		s.refuse(side, c, transport.Failed("dial", p.Name(), err))
		return
	case wait != nil:
		s.wg.Go(func() {
			m := s.newMeeting(side, c)
			if m.meet(waitFor(ctx, p, wait)); m.joint != nil {
				m.start(ctx)
			}
		})
		return
	case d == nil:
		m := s.newMeeting(side, c)
		s.wg.Go(func() { m.begin(ctx) })
		return
	}
	ends := [2]transport.Conn{c, wrapEnd(p, d)}
	if side == join.B {
		ends[0], ends[1] = ends[1], ends[0]
	}
	j, jo := s.note(ends[0], ends[1])
	s.wg.Add(1)
	ends, started := s.opt.Engine.Start(ends[0], ends[1], jo, func(r join.Result, err error) {
		over := func() {
			s.closed(j, r, err)
			s.wg.Done()
		}
		if s.tellsJoints() {
			s.over.add(over)
		} else {
			over()
		}
	})
	if !started {
		go join.Start(ctx, ends[0], ends[1], jo, func(r *join.Result, err error) {
			defer s.wg.Done()
			s.closed(j, *r, err)
		})
	}
}

// waitFor is the rest of dial, when p has been begun.
func waitFor(ctx context.Context, p *plan.Plan, wait func(context.Context) (transport.Conn, error)) (transport.Conn, error) {
	if d := p.ConnectTimeout(); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	c, err := wait(ctx)
	if err != nil {
		return nil, transport.Failed("dial", p.Name(), err)
	}
	return wrapEnd(p, c), nil
}
