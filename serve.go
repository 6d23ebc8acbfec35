package tenon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// A server joins what two plans open, as often as clients come.
type server struct {
	*Opener
	plans [2]*plan
	opt   join.Options
	once  bool

	wg   sync.WaitGroup // clients being served
	over endings        // of joints that the engine started

	mu   sync.Mutex  // guards last
	last join.Result // of the joint that ended last
}

// serve carries out Join.
func (o *Opener) serve(ctx context.Context, a, b *plan, jo join.Options) (join.Result, error) {
	s := &server{Opener: o, plans: [2]*plan{a, b}, opt: merge(jo, a, b)}
	if err := s.check(); err != nil {
		return join.Result{}, err
	}
	if s.opt.Engine == nil {
		s.opt.Engine = new(join.Engine)
		defer s.opt.Engine.Close()
	}
	if s.tellsJoints() {
		s.over.start()
		defer s.over.close()
	}
	switch {
	case a.listens() && b.listens():
		return s.pair(ctx)
	case a.listens():
		return s.accept(ctx, join.A)
	case b.listens():
		return s.accept(ctx, join.B)
	}
	return s.dialBoth(ctx)
}

// check refuses what makes no sense or is not safe, before anything is opened.
func (s *server) check() error {
	for i, p := range s.plans {
		other := s.plans[1-i]
		if !p.listens() {
			continue
		}
		s.once = s.once || p.common.once || other.base().kind.Traits.Once
		if p.common.many && s.once {
			return usage(errors.New(p.name() + ": cannot serve many: " + other.name() + " can be opened only once"))
		}
	}
	return nil
}

// dialBoth makes one joint.
func (s *server) dialBoth(ctx context.Context) (join.Result, error) {
	first := join.A
	if s.lastOf(join.A, join.B) {
		first = join.B
	}
	var ends [2]transport.Conn
	for _, side := range []join.Side{first, 1 - first} {
		c, err := s.dial(transport.WithOther(ctx, ends[1-side]), s.plans[side])
		if err != nil {
			if other := ends[1-side]; other != nil {
				transport.Abort(other, err)
			}
			return join.Result{}, err
		}
		ends[side] = c
	}
	return s.joint(ctx, ends[0], ends[1])
}

// lastOf tells whether the end at side is opened after the other one. Standard input
// and output are: whoever reads them, such as an ssh whose ProxyCommand this is,
// takes their end for ours, and would not wait to hear why the other end is not
// there. Programs and terminals come after what may tell them their size.
func (s *server) lastOf(side, other join.Side) bool {
	mine, its := s.plans[side].base().kind.Traits, s.plans[other].base().kind.Traits
	return mine.Once && !its.Once && !its.Programs && !its.Terminal
}

// accept makes a joint for every client of the end at side.
func (s *server) accept(ctx context.Context, side join.Side) (join.Result, error) {
	acc, err := s.open(ctx, s.plans[side], s.plans[1-side])
	if err != nil {
		return join.Result{}, err
	}
	stop := context.AfterFunc(ctx, func() { acc.Close() })
	defer stop()
	defer acc.Close()
	if s.once {
		c, err := acc.Accept()
		if err != nil {
			return join.Result{}, s.acceptError(ctx, side, err)
		}
		acc.Close()
		return s.client(ctx, side, c)
	}
	beginner := s.beginner(s.plans[1-side])
	for {
		c, err := acc.Accept()
		if err != nil {
			return s.result(ctx), s.acceptError(ctx, side, err)
		}
		if beginner != nil {
			s.begin(ctx, side, c, beginner)
		} else {
			s.wg.Go(func() { s.client(ctx, side, c) })
		}
	}
}

// result waits for the joints that go on, and returns that of the last.
func (s *server) result(ctx context.Context) join.Result {
	defer context.AfterFunc(ctx, func() { s.opt.Engine.Cut(context.Cause(ctx)) })()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// acceptError is what the end of accepting means.
func (s *server) acceptError(ctx context.Context, side join.Side, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed("accept", s.plans[side].name(), err)
}

// client opens the other end for a client and joins the two.
func (s *server) client(ctx context.Context, side join.Side, c transport.Conn) (join.Result, error) {
	d, err := s.dial(transport.WithOther(ctx, c), s.plans[1-side])
	return s.meet(ctx, side, c, d, err)
}

// meet joins a client to the end that was opened for it, or sends it away if there
// is an error.
func (s *server) meet(ctx context.Context, side join.Side, c, d transport.Conn, err error) (join.Result, error) {
	if caller, ok := transport.As[transport.Caller](c); ok {
		var local net.Addr
		if err == nil {
			local = d.LocalAddr()
		}
		if aerr := caller.Answer(local, err); aerr != nil && err == nil {
			transport.Abort(d, aerr)
			err = failed("handshake", s.plans[side].name(), aerr)
		}
	}
	if err != nil {
		s.refuse(side, c, err)
		return join.Result{}, err
	}
	if side == join.A {
		return s.joint(ctx, c, d)
	}
	return s.joint(ctx, d, c)
}

// refuse sends a client away.
func (s *server) refuse(side join.Side, c transport.Conn, err error) {
	s.emit(Event{Type: Refused, End: s.plans[side].name(), Addr: c.RemoteAddr(), Err: err})
	transport.Abort(c, err)
}

// pair joins the clients of one listener to those of the other, first to first.
func (s *server) pair(ctx context.Context) (join.Result, error) {
	var accs [2]transport.Acceptor
	for i, p := range s.plans {
		acc, err := s.open(ctx, p, s.plans[1-i])
		if err != nil {
			if i == 1 {
				accs[0].Close()
			}
			return join.Result{}, err
		}
		accs[i] = acc
		defer acc.Close()
		defer context.AfterFunc(ctx, func() { acc.Close() })()
	}
	for {
		var ends [2]transport.Conn
		var errs [2]error
		var both sync.WaitGroup
		for i := range accs {
			both.Go(func() { ends[i], errs[i] = accs[i].Accept() })
		}
		both.Wait()
		for i, err := range errs {
			if err == nil {
				continue
			}
			if c := ends[1-i]; c != nil {
				transport.Abort(c, err)
			}
			return s.result(ctx), s.acceptError(ctx, join.Side(i), err)
		}
		if s.once {
			accs[0].Close()
			accs[1].Close()
			return s.joint(ctx, ends[0], ends[1])
		}
		s.wg.Go(func() { s.joint(ctx, ends[0], ends[1]) })
	}
}

// joint joins two open ends and tells how it went.
func (s *server) joint(ctx context.Context, a, b transport.Conn) (join.Result, error) {
	n := s.note(a, b)
	sizes := followSize(a, b)
	r, err := join.Join(ctx, a, b, n.opt)
	sizes()
	s.tellLost(n.names[join.A], a)
	s.tellLost(n.names[join.B], b)
	return s.closed(&n, r, err)
}

// tellLost tells what an end has missed because it was too slow for it.
func (s *server) tellLost(name string, c transport.Conn) {
	if l, ok := transport.As[interface{ Lost() uint64 }](c); ok && l.Lost() > 0 {
		s.emit(Event{Type: Notice, End: name, Text: fmt.Sprintf("%d messages were lost, because this end was too slow", l.Lost())})
	}
}

// A noted joint has a number and has been told of.
type noted struct {
	opt   join.Options
	names [2]string
	event Event
}

// note settles what remains to be settled about a joint, and tells that it begins.
func (s *server) note(a, b transport.Conn) noted {
	number, jo := s.joints.Add(1), s.opt
	if jo.Count == nil {
		jo.Count = new(join.Count)
	}
	if s.Taps != nil {
		jo.Taps = append(jo.Taps, s.Taps(number, a, b)...)
	}
	jo.HangUp |= hangs(a, b)
	text := ""
	if mixed(a, b) {
		if jo.Framing == join.Chunks && !s.framed() && people(a, b) {
			jo.Framing = join.People
		}
		jo.Text = jo.Text || jo.Framing == join.Lines
		text = "bytes are cut into messages with frame=" + jo.Framing.String()
	}
	names := [2]string{s.plans[0].nameFor(b), s.plans[1].nameFor(a)}
	e := Event{Type: Opened, Joint: number, End: names[0], Other: names[1], Addr: b.RemoteAddr(), Count: jo.Count, Text: text}
	if s.plans[0].listens() {
		e.Addr = a.RemoteAddr()
	}
	s.emit(e)
	return noted{jo, names, e}
}

// closed tells how a joint went.
func (s *server) closed(n *noted, r join.Result, err error) (join.Result, error) {
	err = nameSide(err, n.names)
	e := n.event
	e.Type, e.Result, e.Err, e.Text = Closed, &r, err, ""
	s.emit(e)
	s.mu.Lock()
	s.last = r
	s.mu.Unlock()
	return r, err
}

// nameSide says which end an error of a joint is about.
func nameSide(err error, names [2]string) error {
	if e := (*join.Error)(nil); errors.As(err, &e) {
		return failed(e.Op, names[e.Side], e.Err)
	}
	return err
}

// merge adds to the joint's options what the ends ask for.
func merge(jo join.Options, plans ...*plan) join.Options {
	for _, p := range plans {
		c := p.common
		if c.idle > 0 && (jo.Idle == 0 || c.idle < jo.Idle) {
			jo.Idle = c.idle
		}
		if c.limit > 0 && (jo.Limit == 0 || c.limit < jo.Limit) {
			jo.Limit = c.limit
		}
		if c.linger != 0 {
			jo.Linger = c.linger
		}
		if c.frame != 0 {
			jo.Framing = c.frame
		}
	}
	return jo
}

// mixed tells whether one end carries bytes and the other messages.
func mixed(a, b transport.Conn) bool {
	_, aMsgs := a.(transport.MsgConn)
	_, bMsgs := b.(transport.MsgConn)
	return aMsgs != bMsgs
}

// framed tells whether somebody has chosen a framing.
func (s *server) framed() bool {
	return s.plans[0].set.Lookup("frame").Given() || s.plans[1].set.Lookup("frame").Given()
}

// people tells whether a person at a terminal talks to a WebSocket, or whoever it is
// to a bus: it is for events, which are lines where there are bytes.
func people(a, b transport.Conn) bool {
	isBus := func(c transport.Conn) bool { return c.Info().Kind == "bus" }
	if isBus(a) || isBus(b) {
		return true
	}
	isWeb := func(c transport.Conn) bool { return strings.HasPrefix(c.Info().Kind, "ws") }
	return interactive(a) && isWeb(b) || interactive(b) && isWeb(a)
}

// hangs finds the ends at which a person sits: an end of file from the other ends
// the joint.
func hangs(a, b transport.Conn) join.Hang {
	var h join.Hang
	if interactive(a) {
		h |= join.HangB
	}
	if interactive(b) {
		h |= join.HangA
	}
	return h
}

func interactive(c transport.Conn) bool {
	i, ok := transport.As[interface{ Interactive() bool }](c)
	return ok && i.Interactive()
}
