// Package join moves data between two open ends until both directions have ended.
//
// [Join] is the whole of it. The rest of the package is what a joint may be asked
// to do besides: cut a stream into messages and back ([Framing]), show or record
// what passes ([Tap], [Pcap]), let the kernel move the bytes of many joints
// ([Engine]), and join many ends to each other ([Broker]). Opening ends is not its
// business.
package join

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// DefaultLinger is how long a joint waits without a byte for the other direction
// after one has ended towards an end that cannot be told so.
const DefaultLinger = 3 * time.Second

// DefaultHalfClosed is how long a service lets a joint live whose one direction has
// ended, while the other is silent. A client that half-closes before a backend that
// never closes would else hold both connections for ever.
const DefaultHalfClosed = 10 * time.Minute

// Options tune a joint. The zero value copies both ways until both have ended.
type Options struct {
	OneWay  bool          // only from a to b
	Idle    time.Duration // give up after so long without a byte either way; 0 means never
	Linger  time.Duration // see Join; 0 means DefaultLinger, negative for ever
	Framing Framing       // how a Stream is cut into messages, if the other end is a MsgConn
	Text    bool          // messages made from a Stream are text
	HangUp  Hang          // which end's EOF ends the whole joint
	Limit   int64         // bytes each direction may carry; 0 means no limit
	Taps    []Tap         // told all that passes
	Count   *Count        // if not nil, counts while the joint goes on
	Engine  *Engine       // if not nil, moves the bytes of sockets in the kernel

	// HalfClosed is for how long a joint whose one direction has ended may be
	// silent in the other; 0 or less means for ever.
	HalfClosed time.Duration

	// TapRequired cuts the joint if one of Taps is a [Failer] and has failed, so
	// that nothing passes that is not recorded. The error matches [ErrTap].
	TapRequired bool
}

// Hang names ends whose EOF, after it has been passed on, ends the whole joint.
// It is for ends at whose other side a person sits, who will not type an end of
// file into a connection that is gone.
type Hang int

// The sets of ends.
const (
	HangA Hang = 1 << iota
	HangB
)

// Count is how many bytes have been written so far, each way.
type Count struct{ AB, BA atomic.Int64 }

// Result is how a joint ended.
type Result struct{ AB, BA Flow }

// Flow is one direction.
type Flow struct {
	Bytes int64 // written
	Msgs  int64 // messages written, where messages were
	Read  error // how reading ended: io.EOF is a clean end; nil if writing failed or the joint was cut
	Write error // what ended writing, or half-closing; nil is a clean end
	First bool  // it ended before the other direction, and by itself
}

// Clean tells whether all there was to read has been written and the end passed on.
func (f *Flow) Clean() bool {
	return (f.Read == io.EOF || errors.Is(f.Read, ErrLinger)) && f.Write == nil
}

// Reasons for which a joint is cut. [ErrIdle], [ErrHalfClosed] and [ErrLimit] match
// [transport.ErrTimeout], which means exit status 4.
var (
	ErrIdle = transport.Mark(errors.New("idle for too long"), transport.ErrTimeout)
	// ErrHalfClosed: one direction has ended, and the other was silent for as long
	// as HalfClosed.
	ErrHalfClosed = transport.WithHint(transport.Mark(errors.New("silent for too long after one direction ended"), transport.ErrTimeout),
		"half-closed=never waits for as long as it takes")
	ErrLimit = transport.Mark(errors.New("limit on bytes reached"), transport.ErrTimeout)
	// ErrLinger in Flow.Read: the other direction had ended, the end read
	// from could not be told, and it was silent for as long as Linger.
	ErrLinger = errors.New("silent after the other direction ended")
)

// Side is one of the two ends of a joint.
type Side int

// The ends, in the order in which Join takes them.
const (
	A Side = iota
	B
)

// An Error says at which end of a joint what went wrong.
type Error struct {
	Op   string // "read", "write" or "close"
	Side Side
	Err  error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Join copies a to b and b to a, and returns when both directions have ended
// and no goroutine of the joint is left. It owns both ends and closes them.
//
// These hold for every joint:
//
//   - Bytes arrive in order, once, and all those read before an end of file
//     are written before CloseWrite is called.
//   - A clean end on one side becomes a CloseWrite on the other, and the other
//     direction runs to its own end, however long that takes. Where CloseWrite
//     is unsupported, the other direction goes on until nothing has come for as
//     long as Linger.
//   - A direction that does not exist, because one end is only written or the other one
//     is only read ([transport.Directed]), is no reason to end: that it has ended is
//     passed on where there is a half-close, and counts for nothing else.
//   - When the other side of an end has ended both directions ([transport.Ender]),
//     nothing can be said to it any more: that end is closed at once, and the other
//     one, which has been told, when it ends too or Linger has passed. What it
//     sends until then is thrown away, which is a failure to write, unless the
//     first end has said goodbye ([transport.StatusCloser]).
//   - What one end says when it closes, the other end says to its side. How a program
//     has ended comes after the end of its output ([transport.LateCloser]): an end that can
//     carry it is closed when the program has ended.
//   - When reading fails, the other end is aborted, so that cut data does not
//     look complete. When writing fails, what the failed end still has to say is
//     passed on first, for at most Linger without a byte; then the other end is
//     aborted.
//   - When a direction has carried Limit bytes, both ends are closed, in order.
//   - Where both ends are closed or aborted, neither waits for the other, but for that.
//   - When ctx is done both ends are aborted and the error is context.Cause(ctx).
//   - A message stays a message. Between a Stream and a MsgConn stands Framing.
//   - A panic of an end ends this joint, with a [transport.BugError], and no other.
//
// The error is nil if both directions were clean and both ends closed without
// one. Otherwise it is an [*Error], or one of the reasons above.
func Join(ctx context.Context, a, b transport.Conn, o Options) (Result, error) {
	j, over := begin(ctx, a, b, &o)
	if j != nil {
		over = j.run(ctx)
	}
	return over.r, over.err
}

// Start is Join without a goroutine that waits in it: done is called when the joint has
// ended, by the last goroutine of the joint. A joint that is carried elsewhere, by the Engine
// or by an [Adopter], is over before Start returns.
func Start(ctx context.Context, a, b transport.Conn, o Options, done func(*Result, error)) {
	var j *joint
	var over *outcome
	bug := caught(func() error { j, over = begin(ctx, a, b, &o); return nil })
	switch {
	case bug != nil:
		done(new(Result), bug)
		return
	case j == nil:
		done(&over.r, over.err)
		return
	}
	j.begin(ctx, func(over *outcome) { done(&over.r, over.err) })
}

// begin makes the joint, unless it is carried elsewhere; then it returns how that went. A
// goroutine that waits in run is to have no more on its stack than it must.
//
//go:noinline
func begin(ctx context.Context, a, b transport.Conn, o *Options) (*joint, *outcome) {
	if o.Linger == 0 {
		o.Linger = DefaultLinger
	}
	if o.Count == nil {
		o.Count = new(Count)
	}
	r, ends, err := hand(ctx, a, b, *o)
	if err == errNotTaken && o.Engine != nil {
		r, ends, err = o.Engine.join(ctx, ends[A], ends[B], *o)
	}
	if err != errNotTaken {
		return nil, &outcome{r, err}
	}
	return newJoint(ends, *o), nil
}
