package join

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A joint is two goroutines, one for each direction: the one that called Join, and
// another; or two others, if Start was called. The one whose direction ends first watches over the rest, or one that begins
// when the context ends. If there is more to watch for from the beginning, as silence,
// both directions have another goroutine, and one more watches. A direction that is silent may be
// parked, and has none then.
//
//	             EOF, CloseWrite ok                 other direction ends
//	both flowing ------------------> one flowing --------------------------> closed
//	     |  \                          |   |   \                              ^
//	     |   \ EOF, CloseWrite         |   |    `-- one end over: draining ---'
//	     |    \ unsupported;           |   | read failed, idle, limit, ctx
//	     |     \ write failed          |   v
//	     |      `--> lingering --------'  aborted --> closed
//	     `--- read failed, idle, limit, ctx --> aborted --> closed
type joint struct {
	opt   Options
	ends  [2]transport.Conn
	made  [2]bool // the end's messages are cut from a Stream
	flows [2]*flow
	done  chan *flow

	firstOver atomic.Pointer[flow] // that has moved its last byte, though it may still pass its end on

	watched atomic.Bool    // somebody watches, or is about to
	told    func(*outcome) // is told what comes of it, if it is not the one that called Join
	unwatch func() bool    // undoes what watches when the context ends
	parks   bool           // directions may be parked

	start time.Time
	moved atomic.Int64 // when a byte last moved: nanoseconds since start

	// These are of the goroutine that watches.
	cause   error    // why the joint was cut
	linger  bool     // ends when silent
	halved  bool     // one direction has ended
	aborted [2]bool  // which end was
	closed  [2]error // what Close returned
}

type outcome struct {
	r   Result
	err error
}

// A flow is one direction at work.
type flow struct {
	Flow
	dir      Direction
	from, to Side
	buf      buffer // of bytes that are under way
	place    place  // where it is parked
	mute     bool   // the end was not passed on, because the other side has no way
	none     bool   // there is no such direction: nothing comes from one side, or the other takes nothing
	late     bool   // the other direction had moved its last byte before
	over     bool   // it has ended; of the goroutine that watches
}

func newJoint(ends [2]transport.Conn, o Options) *joint {
	j := &joint{opt: o, ends: ends, done: make(chan *flow, 2), start: time.Now()}
	j.match()
	j.flows = [2]*flow{{dir: AB, from: A, to: B}, {dir: BA, from: B, to: A}}
	for _, f := range j.flows {
		f.none = transport.DirectionsOf(j.ends[f.from]) == transport.WriteOnly || transport.DirectionsOf(j.ends[f.to]) == transport.ReadOnly
	}
	return j
}

func (j *joint) run(ctx context.Context) *outcome {
	if j.mustWatch() {
		return j.runWatched(ctx)
	}
	over := make(chan *outcome, 1)
	j.told = func(o *outcome) { over <- o }
	j.unwatch = context.AfterFunc(ctx, func() { j.lead(ctx) })
	mine := j.spread(ctx)
	j.flow(mine)
	j.unwatch()
	if j.watched.CompareAndSwap(false, true) {
		return j.watch(ctx)
	}
	return <-over
}

// begin is run that does not wait.
func (j *joint) begin(ctx context.Context, done func(*outcome)) {
	j.told, j.parks = done, j.opt.Engine != nil
	if j.mustWatch() {
		go func() { j.told(j.runWatched(ctx)) }()
		return
	}
	j.unwatch = context.AfterFunc(ctx, func() { j.lead(ctx) })
	for _, f := range j.running() {
		go j.carryOn(ctx, f)
	}
}

// mustWatch tells whether there is something to watch for before a direction has ended.
func (j *joint) mustWatch() bool {
	if err := j.opt.tapErr(); err != nil {
		j.cut(err)
	}
	return j.opt.Idle > 0 || endedChan(j.ends[A]) != nil || endedChan(j.ends[B]) != nil
}

// runWatched is run whose goroutine watches from the beginning.
func (j *joint) runWatched(ctx context.Context) *outcome {
	j.watched.Store(true)
	j.unwatch = func() bool { return true }
	for _, f := range j.running() {
		go j.carryOn(ctx, f)
	}
	return j.watch(ctx)
}

// carryOn carries a direction until it has ended, or is parked.
func (j *joint) carryOn(ctx context.Context, f *flow) {
	if j.parks {
		j.mayPark(ctx, f)
	}
	if j.flow(f) {
		j.unwatch()
		j.lead(ctx)
	}
}

// spread starts the directions, but for the one that is left to the goroutine that called
// Join: if there is a choice, the one whose reads need more of a stack, for that goroutine has
// a large one already. To read from a socket needs little.
func (j *joint) spread(ctx context.Context) (rest *flow) {
	all := j.running()
	mine := 0
	if _, socket := transport.As[transport.Detacher](j.ends[A]); socket {
		mine = len(all) - 1
	}
	for i, f := range all {
		if i != mine {
			go j.carryOn(ctx, f)
		}
	}
	return all[mine]
}

// lead watches in place of the goroutine that called Join, if nobody does yet.
func (j *joint) lead(ctx context.Context) {
	if j.watched.CompareAndSwap(false, true) {
		j.told(j.watch(ctx))
	}
}

// running returns the directions that there are.
func (j *joint) running() []*flow {
	if j.opt.OneWay {
		return j.flows[:1]
	}
	return j.flows[:]
}

// watch returns when both directions have ended.
func (j *joint) watch(ctx context.Context) *outcome {
	flows := j.flows
	running := len(j.running())
	r := Result{}
	watch := newWatch(j)
	defer watch.stop()
	over := [2]<-chan struct{}{endedChan(j.ends[A]), endedChan(j.ends[B])}
	var drained <-chan time.Time
	for running > 0 {
		select {
		case f := <-j.done:
			running--
			f.over = true
			first := f
			if other := j.firstOver.Load(); f.late && !other.none {
				first = other // which still passes its end on
			}
			if !flows[0].First && !flows[1].First && j.cause == nil && !(first.none && running > 0) {
				first.First = true
			}
			j.ended(f, running)
			watch.reset()
		case <-ctx.Done():
			j.cut(context.Cause(ctx))
			ctx = context.WithoutCancel(ctx)
		case <-watch.c():
			watch.expired()
		case <-over[A]:
			over[A] = nil
		case <-over[B]:
			over[B] = nil
		case <-drained:
			j.closeBoth()
		}
		if s, ok := j.lacks(flows); ok && running > 0 && j.cause == nil {
			drained = j.drain(s)
		}
	}
	r.AB, r.BA = flows[0].Flow, flows[1].Flow
	j.closeBoth()
	return &outcome{r, verdict(&r, j.cause, j.closed)}
}

func endedChan(c transport.Conn) <-chan struct{} {
	if e, ok := transport.About[transport.Ender](c); ok {
		return e.Ended()
	}
	return nil
}

// lacks finds an end whose other side has ended both directions and said all it had
// to say, while the joint waits for more to tell it.
func (j *joint) lacks(flows [2]*flow) (Side, bool) {
	for _, f := range flows {
		if f.over && transport.HasEnded(j.ends[f.from]) {
			return f.from, true
		}
	}
	return 0, false
}

// drain closes the end s, to which nothing can be said any more. The other one, which
// knows, gets some time to end, too, and to take in what it was sent: closing at once
// could reset a connection on which data is still on its way.
func (j *joint) drain(s Side) <-chan time.Time {
	j.cause = errOver
	j.closeEnd(s)
	if j.opt.Linger < 0 {
		return nil
	}
	return time.After(j.opt.Linger)
}

// match puts Framing between a Stream and a MsgConn.
func (j *joint) match() {
	for s, end := range j.ends {
		stream, isStream := end.(transport.Stream)
		msgs, otherIsMsgs := j.ends[1-s].(transport.MsgConn)
		if isStream && otherIsMsgs {
			j.ends[s] = Messages(stream, j.opt.Framing, msgs.MaxMsg())
			j.made[s] = true
		}
	}
}

// ended decides what the end of one direction means for the joint.
func (j *joint) ended(f *flow, running int) {
	hang := f.from == A && j.opt.HangUp&HangA != 0 || f.from == B && j.opt.HangUp&HangB != 0
	switch {
	case j.cause != nil:
		f.cutShort(j.cause)
	case running == 0 && f.Clean():
	case f.none && f.Clean():
		return // as before
	case f.Read == ErrLimit:
		j.stop(ErrLimit)
	case isBug(f.Read), errors.Is(f.Read, ErrTap):
		j.cut(f.Read)
	case f.Read != nil && f.Read != io.EOF:
		j.cut(&Error{"read", f.from, f.Read})
	case f.Write != nil && running == 0:
		if transport.PromisesStatus(j.ends[f.to], j.ends[f.from]) {
			j.closeEnd(f.to) // the other end carries why
		}
		j.abort(f.from, f.Write)
	case hang && f.Write == nil && running > 0:
		j.hangUp(f.to)
	case f.Write != nil, f.mute:
		j.linger = true
	}
	j.halved = true
	j.tick() // silence is counted from here
}

func isBug(err error) bool {
	bug := (*transport.BugError)(nil)
	return errors.As(err, &bug)
}

// hangUp ends the direction that is left by closing the end it reads from, which
// is a person's; what was to be said to the person has been said.
func (j *joint) hangUp(person Side) {
	j.cause = errHungUp
	j.closeEnd(person)
}

// stop closes both ends, in order: what has been written arrives.
func (j *joint) stop(cause error) {
	if j.cause == nil {
		j.cause = cause
		j.closeBoth()
	}
}

// errOver is the cause of a joint one of whose ends can be told nothing any more. It
// counts as clean if nothing more was to be said.
var errOver = errors.New("the other side has ended both directions")

// errHungUp is the cause of an end that counts as clean.
var errHungUp = errors.New("the other end has ended")

// cut aborts both ends, which ends both directions.
func (j *joint) cut(cause error) {
	if j.cause != nil && j.cause != errOver {
		return
	}
	j.cause = cause
	transport.PassCloseStatus(j.ends[A], j.ends[B])
	transport.PassCloseStatus(j.ends[B], j.ends[A])
	both(func(s Side) { j.abort(s, cause) })
}

// both ends both sides at the same time. One may take seconds, to say goodbye to somebody
// who does not answer, and the other must not learn of it as late.
func both(end func(Side)) {
	var b sync.WaitGroup
	b.Go(func() { end(B) })
	end(A)
	b.Wait()
}

// closeBoth closes both ends. One that carries how the other has ended waits for that.
func (j *joint) closeBoth() {
	for s, end := range j.ends {
		if transport.PromisesStatus(end, j.ends[1-s]) {
			j.closeEnd(Side(s))
			j.closeEnd(Side(1 - s))
			return
		}
	}
	both(j.closeEnd)
}

func (j *joint) abort(s Side, cause error) {
	if !j.aborted[s] {
		j.aborted[s] = true
		j.rouse(s)
		caught(func() error { return transport.Abort(j.ends[s], cause) }) //nolint:errcheck // the cause is the error that counts
	}
}

// closeEnd closes an end, and has the other one carry what is known then of how it has ended.
func (j *joint) closeEnd(s Side) {
	j.rouse(s)
	err := caught(j.ends[s].Close)
	if !j.aborted[s] && transport.PromisesStatus(j.ends[s], j.ends[1-s]) {
		transport.PassCloseStatus(j.ends[s], j.ends[1-s])
	}
	if j.closed[s] == nil && !j.aborted[s] {
		j.closed[s] = err
	}
}

// caught calls f, and makes an error of a panic.
func caught(f func() error) (err error) {
	defer transport.CatchBug(&err)
	return f()
}

// cutShort replaces the errors that come of the joint's own closing.
func (f *flow) cutShort(cause error) {
	switch {
	case f.Read == io.EOF && f.Write == nil:
	case cause == errOver:
		f.Read = nil
	case cause == ErrLinger:
		f.Read, f.Write = ErrLinger, nil
	default:
		f.Read, f.Write = nil, nil
	}
}

// verdict is the error that Join returns: the cause of a cut, else the exit status
// of a program, else the first failure of a direction, else what the ends said
// when they were closed. What another computer says of a program does not hide a failure
// of the end at this side.
func verdict(r *Result, cause error, closed [2]error) error {
	if cause != nil && cause != errHungUp && cause != errOver && cause != ErrLinger {
		return cause
	}
	var failed error
	for s, err := range closed {
		if err == nil || errors.Is(err, net.ErrClosed) {
			continue
		}
		failed = &Error{"close", Side(s), err}
		if status := (interface{ ExitCode() int })(nil); errors.As(err, &status) && !(isRemote(err) && failedAt(r, Side(1-s))) {
			return failed
		}
	}
	for i, f := range []*Flow{&r.AB, &r.BA} {
		from, to := Side(i), Side(1-i)
		switch {
		case f.Read != nil && f.Read != io.EOF && f.Read != ErrLinger:
			return &Error{"read", from, f.Read}
		case f.Write != nil:
			return &Error{"write", to, f.Write}
		}
	}
	return failed
}

func isRemote(err error) bool {
	e := (*transport.ExitError)(nil)
	return errors.As(err, &e) && e.Remote
}

// failedAt tells whether reading from the end s, or writing to it, has failed.
func failedAt(r *Result, s Side) bool {
	in, out := &r.AB, &r.BA
	if s == B {
		in, out = out, in
	}
	return out.Write != nil || in.Read != nil && in.Read != io.EOF && in.Read != ErrLinger
}
