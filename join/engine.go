package join

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/tenon-net/tenon/internal/relay"
	"github.com/tenon-net/tenon/transport"
)

// An Engine moves the bytes of many joints between sockets inside the kernel, with
// a few threads for all of them and no buffer for those that are silent. It takes
// the joints whose ends are both a [transport.Detacher] and whose bytes nobody
// wants to see. Join carries the others as ever, and all of them on systems for
// which there is no engine; of those with one such end, that is waited for by the
// engine, and not by a goroutine, while it is silent. The zero Engine is ready, and starts with the first
// joint that it takes. Many joints may use it at once; it must not be copied.
type Engine struct {
	once  sync.Once // guards the start
	relay *relay.Engine
	err   error // why there is none
}

// start starts the engine, the first time.
func (e *Engine) start() error {
	e.once.Do(func() { e.relay, e.err = relay.New(0) })
	return e.err
}

// Close cuts the joints that are left and waits for the engine's threads. Joints
// that come later are carried without it.
func (e *Engine) Close() error {
	e.once.Do(func() { e.err = net.ErrClosed })
	if e.relay == nil {
		return nil
	}
	return e.relay.Close()
}

// Cut aborts the joints that are going on, for that reason.
func (e *Engine) Cut(cause error) {
	if e.start() == nil {
		e.relay.Cut(cause)
	}
}

// Start is Join without a goroutine that waits: done is called when the joint has
// ended, on a thread that moves the bytes of others, so that it must return soon and
// must not call Close. Cut is how to end the joint early. If the engine does not take the joint, started is false, and ends are those for
// Join to carry.
func (e *Engine) Start(a, b transport.Conn, o Options, done func(Result, error)) (ends [2]transport.Conn, started bool) {
	t, ok := e.take(a, b, o)
	if !ok {
		return t.ends, false
	}
	_, err := e.relay.Start(t.fds[A], t.fds[B], t.opt, func(res relay.Result) {
		done(t.ended(res))
	})
	if err != nil {
		return t.giveBack(), false
	}
	return t.ends, true
}

// await has ready called when fd may be read without waiting; see [relay.Engine.Await].
func (e *Engine) await(fd int, ready func()) (stop func() bool, err error) {
	if err := e.start(); err != nil {
		return nil, err
	}
	return e.relay.Await(fd, ready)
}

// join carries the joint if it can. With errNotTaken it has not begun, and the
// ends that it returns are the ones to carry otherwise.
func (e *Engine) join(ctx context.Context, a, b transport.Conn, o Options) (r Result, ends [2]transport.Conn, err error) {
	t, ok := e.take(a, b, o)
	if !ok {
		return r, t.ends, errNotTaken
	}
	res, err := e.relay.Run(ctx, t.fds[A], t.fds[B], t.opt)
	if err != nil {
		return r, t.giveBack(), errNotTaken
	}
	r, err = t.ended(res)
	return r, t.ends, err
}

// taken is a joint whose ends have given up their descriptors.
type taken struct {
	ends [2]transport.Conn
	fds  [2]int
	opt  relay.Options
}

// take takes the descriptors out of the ends, of both or of none.
func (e *Engine) take(a, b transport.Conn, o Options) (t taken, ok bool) {
	t.ends = [2]transport.Conn{a, b}
	if !o.blind() {
		return t, false
	}
	da, okA := transport.As[transport.Detacher](a)
	db, okB := transport.As[transport.Detacher](b)
	if !okA || !okB || e.start() != nil {
		return t, false
	}
	var err error
	if t.fds[B], err = db.Detach(); err != nil {
		return t, false
	}
	if t.fds[A], err = da.Detach(); err != nil {
		t.ends[B] = attach(t.fds[B], b)
		return t, false
	}
	t.opt = relay.Options{OneWay: o.OneWay, Idle: o.Idle, HalfClosed: max(o.HalfClosed, 0), Drain: max(o.Linger, 0)}
	if o.Count != nil {
		t.opt.AB, t.opt.BA = &o.Count.AB, &o.Count.BA
	}
	return t, true
}

// giveBack makes ends of the descriptors again.
func (t *taken) giveBack() [2]transport.Conn {
	for s, fd := range t.fds {
		t.ends[s] = attach(fd, t.ends[s])
	}
	return t.ends
}

// ended closes the ends and says how the joint went.
func (t *taken) ended(res relay.Result) (Result, error) {
	r := Result{AB: asFlow(res.AB), BA: asFlow(res.BA)}
	r.AB.First, r.BA.First = res.First == relay.AToB, res.First == relay.BToA
	switch {
	case errors.Is(res.Cause, relay.ErrIdle):
		res.Cause = ErrIdle
	case errors.Is(res.Cause, relay.ErrHalfClosed):
		res.Cause = ErrHalfClosed
	}
	return r, verdict(&r, res.Cause, [2]error{t.ends[A].Close(), t.ends[B].Close()})
}

func asFlow(f relay.Flow) Flow { return Flow{Bytes: f.Bytes, Read: f.Read, Write: f.Write} }

// errNotTaken says that the joint is still to be carried.
var errNotTaken = errors.New("not for the engine")
