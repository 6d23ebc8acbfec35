//go:build linux

package bus

import (
	"context"
	"math/rand/v2"
	"time"
)

// A signal wakes all who wait for something to change. It is guarded by the mutex of
// what may change: who waits takes the channel, lets go of the mutex, and looks again
// when the channel is closed.
type signal struct{ ch chan struct{} }

func (s *signal) wait() <-chan struct{} {
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// pause waits for up to most, at random, or until ctx is done.
func pause(ctx context.Context, most time.Duration) {
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
