package pair

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// How long a joiner waits before it looks for another connection, and for how long it goes
// on looking when it has lost one and finds none.
const (
	againMin  = 250 * time.Millisecond
	againMax  = 4 * time.Second
	findAgain = 20 * time.Second
)

// isLost tells whether an attempt has failed for the connection's sake, or because others
// were in the way, before the code was tried: on another connection it is as good as before.
func isLost(err error) bool {
	if Spent(err) || errors.Is(err, transport.ErrTimeout) {
		return false
	}
	r := reasonFor(err) // what the other side did or said
	return r == 0 || r == reasonBusy
}

// JoinFound is [Join] on the connections that find returns: on the next one, if one is lost
// before the code was tried. Networks change while people pair, and on a local one
// anybody may announce the channel and hang up. It goes on until ctx ends, at most for the
// [Lifetime] of a code. An error of find ends it, but when a connection was lost, the way may
// take a moment to come back.
func JoinFound(ctx context.Context, find func(context.Context) (transport.Stream, error), code Code, side Side) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, Lifetime, ErrExpired)
	defer cancel()
	var lost time.Time // when the latest connection was; zero = none was
	for wait := againMin; ; wait = min(2*wait, againMax) {
		s, err := find(ctx)
		if err == nil {
			var result Result
			if result, err = Join(ctx, s, code, side); err == nil || !isLost(err) {
				return result, err
			}
			lost = time.Now()
		}
		if time.Since(lost) > findAgain {
			return Result{}, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		}
	}
}
