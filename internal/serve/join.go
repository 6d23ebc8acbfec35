package serve

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// A server joins what two plans open, as often as clients come.
type server struct {
	*Opener
	plans [2]*plan.Plan
	opt   join.Options
	once  bool

	wg   sync.WaitGroup // clients being served
	over endings        // of joints that the engine started

	mu   sync.Mutex  // guards last
	last join.Result // of the joint that ended last
}

// Join joins what a and b open, and returns when all joints have ended: one, or one
// for each client of an end that listens, until ctx is done. The Result is that of the
// joint that ended last.
func (o *Opener) Join(ctx context.Context, a, b *plan.Plan, jo join.Options) (join.Result, error) {
	return o.run(a, b, jo, func(s *server) (join.Result, error) {
		switch {
		case a.Listens() && b.Listens():
			return s.pair(ctx)
		case a.Listens():
			return s.accept(ctx, join.A)
		case b.Listens():
			return s.accept(ctx, join.B)
		}
		return s.dialBoth(ctx)
	})
}

// run sets up what the joints of two plans share, for as long as do takes.
func (o *Opener) run(a, b *plan.Plan, jo join.Options, do func(*server) (join.Result, error)) (join.Result, error) {
	s := &server{Opener: o, plans: [2]*plan.Plan{a, b}}
	s.opt = merge(jo, s.halves()...)
	if err := s.check(); err != nil {
		return join.Result{}, err
	}
	if s.opt.HalfClosed == 0 && !s.once && (a.Listens() || b.Listens()) {
		s.opt.HalfClosed = join.DefaultHalfClosed
	}
	defer o.hold(a)()
	defer o.hold(b)()
	if s.opt.Engine == nil {
		s.opt.Engine = new(join.Engine)
		defer s.opt.Engine.Close()
	}
	if s.tellsJoints() {
		s.over.start()
		defer s.over.close()
	}
	return do(s)
}

// Serve joins each client of acc to what p opens. It closes acc.
func (o *Opener) Serve(ctx context.Context, acc transport.Acceptor, p *plan.Plan, jo join.Options) (join.Result, error) {
	defer acc.Close()
	from := plan.Foreign(acc.Addr())
	if g, ok := acc.(*gate); ok {
		from = g.plan
	}
	if p.Listens() {
		return join.Result{}, transport.Usage(errors.New(p.Name() + ": the clients of a listener go to an end that is dialed"))
	}
	if err := safe(from, slices.ContainsFunc(addrs(acc), reachable), p); err != nil {
		return join.Result{}, err
	}
	return o.run(from, p, jo, func(s *server) (join.Result, error) { return s.acceptFrom(ctx, join.A, acc) })
}

// halves returns the plans, those of two halves taken apart.
func (s *server) halves() []*plan.Plan {
	return append(s.plans[0].Halves(), s.plans[1].Halves()...)
}

// check refuses what makes no sense or is not safe, before anything is opened.
func (s *server) check() error {
	for i, p := range s.plans {
		other := s.plans[1-i]
		if !p.Listens() {
			continue
		}
		s.once = s.once || p.Common.Once || other.Base().Kind.Traits.Once
		if p.Common.Many && s.once {
			return transport.Usage(errors.New(p.Name() + ": cannot serve many: " + other.Name() + " can be opened only once"))
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
		c, err := s.Dial(s.use(ctx, side, ends[1-side]), s.plans[side])
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

// use returns a context for opening the end at side for other, with all that it may
// want to know of the joint.
func (s *server) use(ctx context.Context, side join.Side, other transport.Conn) context.Context {
	switch {
	case s.opt.OneWay && side == join.A:
		ctx = transport.WithUse(ctx, transport.ReadOnly)
	case s.opt.OneWay:
		ctx = transport.WithUse(ctx, transport.WriteOnly)
	}
	return transport.WithOther(ctx, other)
}

// lastOf tells whether the end at side is opened after the other one. Standard input
// and output are: whoever reads them, such as an ssh whose ProxyCommand this is,
// takes their end for ours, and would not wait to hear why the other end is not
// there. Programs and terminals come after what may tell them their size, and what
// adapts to the other end comes after it.
func (s *server) lastOf(side, other join.Side) bool {
	mine, its := s.plans[side].Base().Kind.Traits, s.plans[other].Base().Kind.Traits
	if mine.Adapts != its.Adapts {
		return mine.Adapts
	}
	return mine.Once && !its.Once && !its.Programs && !its.Terminal
}

// accept makes a joint for every client of the end at side.
func (s *server) accept(ctx context.Context, side join.Side) (join.Result, error) {
	acc, err := s.open(ctx, s.plans[side], s.plans[1-side])
	if err != nil {
		return join.Result{}, err
	}
	return s.acceptFrom(ctx, side, acc)
}

// acceptFrom makes a joint for every client of acc, and closes it.
func (s *server) acceptFrom(ctx context.Context, side join.Side, acc transport.Acceptor) (join.Result, error) {
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
			m := s.newMeeting(side, c)
			s.wg.Go(func() { m.begin(ctx) })
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
	return transport.Failed("accept", s.plans[side].Name(), err)
}

// client opens the other end for a client and joins the two.
func (s *server) client(ctx context.Context, side join.Side, c transport.Conn) (join.Result, error) {
	m := s.newMeeting(side, c)
	m.serve(ctx)
	return m.r, m.err
}

// meet brings a client and the end that was opened for it together, or sends it away if
// there is an error.
func (m *meeting) meet(d transport.Conn, err error) {
	s, side, c := m.s, m.side, m.client
	if caller, ok := transport.About[transport.Caller](c); ok {
		var local net.Addr
		if err == nil {
			local = d.LocalAddr()
		}
		if aerr := caller.Answer(local, err); aerr != nil && err == nil {
			transport.Abort(d, aerr)
			err = transport.Failed("handshake", s.plans[side].Name(), aerr)
		}
	}
	if err != nil {
		m.err = err
		s.refuse(side, c, err)
		return
	}
	if side == join.B {
		c, d = d, c
	}
	m.note(c, d)
}

// refuse sends a client away. One that has been told why, as the client of a proxy
// is, gets the time to read it.
func (s *server) refuse(side join.Side, c transport.Conn, err error) {
	s.watch().Refused(s.plans[side], c.RemoteAddr(), err)
	_, told := transport.About[transport.Caller](c)
	if stream, ok := c.(transport.Stream); ok && told {
		transport.LingeringClose(stream) //nolint:errcheck // err is why
		return
	}
	transport.Abort(c, err) //nolint:errcheck // err is why
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
		m := s.newMeeting(join.A, ends[0])
		m.note(ends[0], ends[1])
		s.wg.Go(func() { m.start(ctx) })
	}
}

// joint joins two open ends and tells how it went.
func (s *server) joint(ctx context.Context, a, b transport.Conn) (join.Result, error) {
	m := s.newMeeting(join.A, a)
	m.note(a, b)
	m.join(ctx)
	return m.r, m.err
}

// A meeting is two ends that are joined, from the time when a client is there. All that is
// known of it is here, for no goroutine waits for the end of one of thousands.
type meeting struct {
	s      *server
	side   join.Side // of the client
	client transport.Conn
	ends   [2]transport.Conn
	joint  *Joint // nil if there is none
	opt    join.Options
	sizes  func() // waits for who follows them
	r      join.Result
	err    error
}

// newMeeting returns one that is not on the stack.
//
//go:noinline
func (s *server) newMeeting(side join.Side, client transport.Conn) *meeting {
	return &meeting{s: s, side: side, client: client}
}

// serve opens the other end for a client and joins the two.
func (m *meeting) serve(ctx context.Context) {
	defer m.bug()
	defer transport.CatchBug(&m.err)
	if m.open(ctx); m.joint != nil {
		m.join(ctx)
	}
}

// bug sends the client away if there was one.
func (m *meeting) bug() {
	if bug := (*transport.BugError)(nil); errors.As(m.err, &bug) {
		transport.Abort(m.client, m.err)
		m.s.watch().Refused(m.s.plans[m.side], m.client.RemoteAddr(), m.err)
	}
}

func (m *meeting) open(ctx context.Context) {
	m.meet(m.s.Dial(m.s.use(ctx, 1-m.side, m.client), m.s.plans[1-m.side]))
}

func (m *meeting) note(a, b transport.Conn) {
	m.ends = [2]transport.Conn{a, b}
	j, opt := m.s.note(a, b)
	m.joint, m.opt = j, opt
}

func (m *meeting) join(ctx context.Context) {
	m.sizes = followSize(m.ends[join.A], m.ends[join.B])
	r, err := join.Join(ctx, m.ends[join.A], m.ends[join.B], m.opt)
	m.closed(&r, err)
}

// begin is serve that does not wait until the joint has ended; the server does.
func (m *meeting) begin(ctx context.Context) {
	if m.opened(ctx) {
		m.start(ctx)
	}
}

// opened opens the other end, and tells whether there are two to join.
func (m *meeting) opened(ctx context.Context) bool {
	defer m.bug()
	defer transport.CatchBug(&m.err)
	m.open(ctx)
	return m.joint != nil
}

// start is join that does not wait. From then on m belongs to the joint.
func (m *meeting) start(ctx context.Context) {
	m.s.wg.Add(1)
	m.sizes = followSize(m.ends[join.A], m.ends[join.B])
	join.Start(ctx, m.ends[join.A], m.ends[join.B], m.opt, m.over)
}

func (m *meeting) over(r *join.Result, err error) {
	defer m.s.wg.Done()
	defer m.bug()
	defer transport.CatchBug(&m.err)
	m.closed(r, err)
}

func (m *meeting) closed(r *join.Result, err error) {
	m.sizes()
	for i, end := range m.ends {
		m.s.tellLost(m.joint.Names[i], end)
	}
	m.r, m.err = m.s.closed(m.joint, *r, err)
}
