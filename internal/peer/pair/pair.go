// Package pair introduces two peers to each other by a short code that people say
// aloud: a number and three words. Whoever listens, relays or sits between learns
// nothing and has one guess. docs/protocol/pairing.md is the protocol.
//
// The one who shows the code makes an [Offer], which takes any number of attempts
// and ends with the first that is right or wrong; the one who types it calls [Join].
// Both learn who the other is, what it wants to be called, and the same four words
// to compare. Neither gets a right by it. A code can also be for one thing that one
// gives the other, or make one a device of the other: see [Purpose].
//
// The package speaks over connections that it is given, and cares for no way to
// make one.
package pair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/cpace"
	"github.com/tenon-net/tenon/transport"
)

// Limits of time.
const (
	Lifetime = 10 * time.Minute // of a code
	MaxRun   = 30 * time.Second // of one attempt
)

// Errors of both sides. Those about the code also match [transport.ErrDenied].
var (
	ErrProtocol = errors.New("the other side does not keep to the pairing protocol")

	// ErrWrongCode: the words are not those that the other side has. The code is
	// spent.
	ErrWrongCode = transport.Mark(errors.New("the code is wrong, and of no use any more"), transport.ErrDenied)

	// ErrGuessed is the same at the side that shows the code.
	ErrGuessed = transport.Mark(errors.New("somebody has tried a wrong code; this one is of no use any more"), transport.ErrDenied)

	// ErrSpent: somebody has used the code or tried a wrong one, or it was withdrawn.
	ErrSpent = transport.Mark(errors.New("the code is of no use any more: it was used or withdrawn, or somebody has tried a wrong one"), transport.ErrDenied)

	// ErrExpired: nobody has used the code in time.
	ErrExpired = transport.Mark(errors.New("the code has run out"), transport.ErrDenied)

	// ErrClosed: the offer was withdrawn.
	ErrClosed = errors.New("the code was withdrawn")

	ErrBusy     = errors.New("too many are trying to pair at once")
	ErrOneself  = errors.New("both sides are the same peer")
	ErrIdentity = errors.New("the peer that pairs is not the one at the other side of the connection")
)

// Spent tells whether err has made the code useless, so that a new one is needed.
func Spent(err error) bool {
	var s *spentError
	for _, e := range []error{ErrWrongCode, ErrGuessed, ErrSpent, ErrExpired} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, &s)
}

// A spentError is a failure after which the code cannot be used again, though
// nothing was wrong with it.
type spentError struct{ err error }

func (e *spentError) Error() string { return e.err.Error() + "; the code is of no use any more" }
func (e *spentError) Unwrap() error { return e.err }

// spent marks err.
func spent(err error) error {
	if err == nil || Spent(err) {
		return err
	}
	return &spentError{err}
}

// A Side is what one of the two brings along.
type Side struct {
	Key  *peer.Key
	Name string  // what it suggests to be called; may be empty
	Link peer.ID // who the connection says is at the other side; zero = it does not say

	// For is what the code is for, and Give returns what the side that sends has for the
	// other, who has proved to be that peer: at most [MaxGiven] bytes, at once. It gets no
	// more than these.
	For  Purpose
	Give func(peer.ID) ([]byte, error)
}

// A Result is what both sides have when they are paired.
type Result struct {
	Peer      peer.ID
	Suggested peer.Name // what the peer wants to be called, if that can be a name
	Said      string    // the same as it was said, harmless, for people
	Words     [4]string // both sides see the same
	Given     string    // what the other side gave, if the code was for that
}

// Join uses a code that somebody has shown to this side's user, on a connection to the
// side that shows it. It closes rw, and at the end of ctx at once. An error that is
// [Spent] means that the code must not be tried again.
func Join(ctx context.Context, rw io.ReadWriteCloser, code Code, side Side) (Result, error) {
	var result Result
	err := bounded(ctx, rw, func() (err error) {
		result, err = (&run{rw: rw, role: parts[side.For].types, code: code, side: side}).join()
		return err
	})
	return result, err
}

func (r *run) join() (Result, error) {
	if err := r.begin(); err != nil {
		return Result{}, err
	}
	u, err := r.exchange()
	if err != nil {
		return Result{}, err
	}
	result, err := r.confirmFirst(u)
	return result, spent(err)
}

// confirmFirst goes on from where the other side can find out whether a guess at the
// code is right: from here on it is spent.
func (r *run) confirmFirst(u *cpace.Unconfirmed) (Result, error) {
	if err := writeFrame(r.rw, frameTag, u.Tag()); err != nil {
		return Result{}, err
	}
	tag, err := readFrame(r.rw, frameTag, cpace.TagSize)
	if err != nil {
		return Result{}, err
	}
	isk, err := u.Confirm(tag)
	if err != nil {
		return Result{}, ErrWrongCode
	}
	r.derive(isk)
	id, said, err := r.meet(peer.ID{})
	if err != nil {
		return Result{}, err
	}
	if err := r.introduce(id); err != nil {
		return Result{}, err
	}
	again, _, err := r.meet(r.side.Key.ID())
	if err != nil {
		return Result{}, err
	}
	if again != id {
		return Result{}, fmt.Errorf("%w: it is one peer first and another then", ErrProtocol)
	}
	given, err := r.give(id)
	if err != nil {
		return Result{}, err
	}
	return r.result(id, said, given), nil
}

// bounded runs an attempt within the limits of time and closes the connection behind
// it. If it fails, the other side is told why, as far as it is its business.
func bounded(ctx context.Context, rw io.ReadWriteCloser, attempt func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, MaxRun, transport.Mark(errors.New("the other side takes too long to pair"), transport.ErrTimeout))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { rw.Close() }) //nolint:errcheck // it ends what is being waited for
	err := attempt()
	if !stop() && err != nil {
		cause := context.Cause(ctx) // err is about the connection that was closed
		if Spent(err) {
			return spent(cause)
		}
		return cause
	}
	if r := reasonFor(err); r != 0 && !errors.As(err, new(*refusedError)) {
		writeFrame(rw, frameRefuse, []byte{byte(r)}) //nolint:errcheck // it is said once, heard or not
	}
	if s, ok := rw.(transport.Stream); ok && err != nil {
		transport.LingeringClose(s) //nolint:errcheck // there is an error already
	} else {
		rw.Close() //nolint:errcheck // all has been sent
	}
	return err
}
