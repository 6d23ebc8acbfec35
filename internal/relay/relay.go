// Package relay carries joints between two raw stream descriptors: TCP and unix
// sockets, socketpairs and pipes. It is the fast path under package join.
//
// A goroutine and a buffer per direction, the usual shape of a Go relay, costs
// two parked stacks, two buffers and two wake-ups of the scheduler per joint. Here
// a few loops wait on epoll(7) for all joints; an idle joint owns neither a
// goroutine per direction nor a buffer. Small messages take epoll_wait, read and
// write; bulk data moves by splice(2) through pipes that are lent to a joint only
// while it has data in flight.
//
// It does not dial, accept, name, log, limit or encrypt, and it knows no
// net.Conn. Use package join unless both ends are plain descriptors that nothing
// else reads or writes. Where there is no epoll, New fails with
// errors.ErrUnsupported and the caller copies instead.
package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrIdle is the Cause of a joint that was cut by Options.Idle.
var ErrIdle = errors.New("no data for too long")

// ErrHalfClosed is the Cause of a joint that was cut by Options.HalfClosed.
var ErrHalfClosed = errors.New("no data for too long since one direction has ended")

// ErrNotPollable is returned by Run, with both descriptors untouched, when the
// system cannot poll one of them: regular files, most of all. It matches
// errors.ErrUnsupported: the caller copies instead.
var ErrNotPollable error = notPollable{}

type notPollable struct{}

func (notPollable) Error() string        { return "descriptor cannot be polled" }
func (notPollable) Is(target error) bool { return target == errors.ErrUnsupported }

// Options are the conditions of one joint. The zero value carries both
// directions without a time limit.
type Options struct {
	// OneWay carries a to b only and ends with it. What b sends is thrown away.
	OneWay bool
	// Idle aborts both sides when no byte was written in either direction for
	// so long. Zero means never.
	Idle time.Duration
	// Drain is how long a joint goes on reading one side when the other has gone
	// away altogether, as a program that has exited: what comes is thrown away, and
	// the side can take in what it was sent. Zero means not at all.
	Drain time.Duration
	// HalfClosed aborts like Idle, once one direction has ended. Zero means never.
	HalfClosed time.Duration
	// AB and BA, if not nil, grow as bytes are written, for live display.
	AB, BA *atomic.Int64
}

// Direction names one of the two flows of a joint.
type Direction uint8

// The directions. Neither is the zero value: nothing ended by itself.
const (
	Neither Direction = iota
	AToB
	BToA
)

// Flow is what happened in one direction.
type Flow struct {
	Bytes int64 // accepted by the writing side's system
	// Read is io.EOF after a clean end, the failure otherwise. Write is the
	// failure of the other side. Both nil: the flow was cut, not ended.
	Read, Write error
}

// Clean reports whether the flow was read to its end and written in full.
func (f Flow) Clean() bool { return f.Read == io.EOF && f.Write == nil }

// Result is how a joint ended.
type Result struct {
	AB, BA Flow
	// First is the direction that ended first, by itself.
	First Direction
	// Cause is why the joint was cut from outside: the cause of the context,
	// ErrIdle, ErrHalfClosed, or net.ErrClosed after Engine.Close. Nil if it ended by itself.
	Cause error
}

// Engine carries joints. All methods may be called concurrently.
type Engine struct {
	most int // loops
	wg   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	loops  []*loop
	closed bool
}

// fullLoop is how many joints a loop has before the next one is started. Few joints
// share a loop best: it is running already when the next byte arrives, and leaves the
// other processors to the programs that are joined. With more of them each waits for
// the others' turns: at 24 joints one loop takes a quarter longer than two.
const fullLoop = 16

// New starts an engine with at most so many event loops; zero means the default.
func New(loops int) (*Engine, error) {
	if loops <= 0 {
		loops = defaultLoops()
	}
	e := &Engine{most: loops}
	_, err := e.grow()
	return e, err
}

// grow starts one more loop. Once the engine is shared, the caller holds mu.
func (e *Engine) grow() (*loop, error) {
	l, err := newLoop()
	if err != nil {
		return nil, err
	}
	e.loops = append(e.loops, l)
	e.wg.Go(l.run)
	return l, nil
}

// pick returns the loop for the next joint: the first one that is not full, else a
// new one, else the one with the fewest joints.
func (e *Engine) pick() (*loop, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.loops) == 0 {
		return nil, net.ErrClosed
	}
	least := e.loops[0]
	for _, l := range e.loops {
		n := l.joints.Load()
		if n < fullLoop {
			return l, nil
		}
		if n < least.joints.Load() {
			least = l
		}
	}
	if len(e.loops) < e.most {
		if l, err := e.grow(); err == nil {
			return l, nil
		}
	}
	return least, nil
}

// Close aborts every joint and waits for the loops to end. The calls of Run
// return with net.ErrClosed as Cause. It may be called more than once.
func (e *Engine) Close() error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		for _, l := range e.loops {
			l.close()
		}
	}
	e.mu.Unlock()
	e.wg.Wait()
	return nil
}

// Cut aborts every joint that there is, with cause as Result.Cause.
func (e *Engine) Cut(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.loops {
		l.cutAll(cause)
	}
}

// Run carries bytes between a and b until both directions have ended, and then
// closes both. They must be non-blocking and the only descriptors of their files,
// and in two-way joints they must be sockets, for only sockets can be half-closed.
// Sockets with TLS in the kernel are not for this engine: their reads stop at
// records.
//
// An end of file on one side is passed on as a half-close after every byte before
// it was written; the other direction goes on to its own end. A failure on either
// side, ctx done, Options.Idle or Engine.Close aborts both sides: TCP peers see a
// reset, never a clean end. If it was writing that failed, what has arrived from
// that side already is passed on first. (A unix socket has no reset: its peer sees
// an end of file, or ECONNRESET if it left data unread.)
//
// A non-nil error means that the engine did not take the joint: both descriptors
// are still open, unread, and the caller's. It matches ErrNotPollable, net.ErrClosed,
// or is what the system said. How a joint that was taken ended is in Result.
func (e *Engine) Run(ctx context.Context, a, b int, o Options) (Result, error) {
	done := make(chan Result, 1)
	cut, err := e.Start(a, b, o, func(r Result) { done <- r })
	if err != nil {
		return Result{}, err
	}
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		cut(context.Cause(ctx))
		return <-done, nil
	}
}

// Await has ready called once, by a loop, when fd may be read without waiting: something
// has come, or the end of file, or a failure. ready must return quickly. fd stays the
// caller's, who may have it watched elsewhere, too, but for one Await at a time, and who
// calls stop before he closes it; stop tells whether ready will not be called. When the
// engine is closed ready is called.
func (e *Engine) Await(fd int, ready func()) (stop func() bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.loops) == 0 {
		return nil, net.ErrClosed
	}
	return e.loops[0].await(fd, ready)
}

// Start is Run without a goroutine that waits: done is called once, by the loop,
// when both descriptors are closed. It must return quickly, for all joints of
// the loop wait for it, and must not call Close. The returned function cuts the
// joint, with cause as Result.Cause, unless it is over; it may be called more
// than once and from anywhere.
func (e *Engine) Start(a, b int, o Options, done func(Result)) (cut func(cause error), err error) {
	l, err := e.pick()
	if err != nil {
		return nil, err
	}
	j, err := l.start(a, b, o, done)
	if err != nil {
		return nil, err
	}
	return j.cut, nil
}
