package pair

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer/cpace"
)

// maxAttempts is how many connections are in an attempt at a time.
const maxAttempts = 8

// A state is what has become of an offered code. Whoever shows that it knows the code
// takes it, whoever shows that it does not ends it, and everybody else changes
// nothing:
//
//	open --right tag--> taken --all done or failed--> over
//	  `---wrong tag, time, Close--------------------> over
type state int

const (
	open state = iota
	taken
	over
)

// An Offer is a code that is shown to somebody. It must not be copied.
type Offer struct {
	code Code
	side Side

	mu       sync.Mutex // guards all below; Confirm is called under it: one guess in all
	state    state
	attempts int
	result   Result
	err      error // how it ended
	timer    *time.Timer
	done     chan struct{} // closed when it is over
}

// NewOffer makes an offer that ends after [Lifetime].
func NewOffer(code Code, side Side) *Offer {
	o := &Offer{code: code, side: side, done: make(chan struct{})}
	o.timer = time.AfterFunc(Lifetime, func() { o.end(open, Result{}, ErrExpired) })
	return o
}

// Code returns what is to be said to the other person.
func (o *Offer) Code() Code { return o.code }

// Done returns a channel that is closed when the code is of no use any more.
func (o *Offer) Done() <-chan struct{} { return o.done }

// Wait waits until the code is of no use any more. The error is nil if it has been
// used, and else [ErrGuessed], [ErrExpired], [ErrClosed], what happened to the one
// who used it, or the context's.
func (o *Offer) Wait(ctx context.Context) (Result, error) {
	select {
	case <-o.done:
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.result, o.err
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}

// Close ends the offer. Somebody who has just taken the code still gets to the end.
func (o *Offer) Close() error {
	o.end(open, Result{}, ErrClosed)
	return nil
}

// end ends an offer that is in the state from.
func (o *Offer) end(from state, result Result, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLocked(from, result, err)
}

func (o *Offer) endLocked(from state, result Result, err error) {
	if o.state != from {
		return
	}
	o.state, o.result, o.err = over, result, err
	o.timer.Stop()
	close(o.done)
}

// Accept lets somebody who has connected try the code. It may be called for many
// connections at once. It closes rw, and at the end of ctx at once. An attempt that
// fails before the other side has shown whether it knows the code changes nothing.
func (o *Offer) Accept(ctx context.Context, rw io.ReadWriteCloser) (Result, error) {
	var result Result
	err := bounded(ctx, rw, func() (err error) {
		if err := o.enter(); err != nil {
			return err
		}
		defer o.leave()
		result, err = o.attempt(&run{rw: rw, role: parts[o.side.For].shows, code: o.code, side: o.side})
		return err
	})
	return result, err
}

func (o *Offer) enter() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.state != open:
		return o.gone()
	case o.attempts >= maxAttempts:
		return ErrBusy
	}
	o.attempts++
	return nil
}

func (o *Offer) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts--
}

// gone says why the code cannot be used. It is called with mu held.
func (o *Offer) gone() error {
	if o.err == ErrExpired { //nolint:errorlint // it is kept as it is
		return ErrExpired
	}
	return ErrSpent
}

func (o *Offer) attempt(r *run) (Result, error) {
	if err := r.begin(); err != nil {
		return Result{}, err
	}
	u, err := r.exchange()
	if err != nil {
		return Result{}, err
	}
	tag, err := readFrame(r.rw, frameTag, cpace.TagSize)
	if err != nil {
		return Result{}, err
	}
	isk, err := o.take(u, tag)
	if err != nil {
		return Result{}, err
	}
	r.derive(isk)
	result, err := r.confirmLast(u)
	err = spent(err)
	o.end(taken, result, err)
	return result, err
}

// take checks the guess of the other side. There is one, right or wrong.
func (o *Offer) take(u *cpace.Unconfirmed, tag []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state != open {
		return nil, o.gone()
	}
	isk, err := u.Confirm(tag)
	if err != nil {
		o.endLocked(open, Result{}, ErrGuessed)
		return nil, ErrGuessed
	}
	o.state = taken
	o.timer.Stop()
	return isk, nil
}
