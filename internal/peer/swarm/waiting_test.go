package swarm

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A stall is a stream on which the answer comes at some time, read by a process whose timers
// are so late.
type stall struct {
	answer   time.Time
	late     time.Duration
	deadline time.Time
}

func (s *stall) SetReadDeadline(t time.Time) error { s.deadline = t; return nil }

func (s *stall) Read(p []byte) (int, error) {
	if !s.answer.After(s.deadline) {
		time.Sleep(time.Until(s.answer))
		return len(p), nil
	}
	time.Sleep(time.Until(s.deadline) + s.late)
	return 0, os.ErrDeadlineExceeded
}

// A link is dead that was silent for as long as it may be, in time in which this process
// was awake, and not sooner: neither while anything arrives, nor while timers are late.
func TestWaiting(t *testing.T) {
	const each = 500 * time.Millisecond
	for _, c := range []struct {
		name         string
		answer, late time.Duration
		arrives      time.Duration // something else does, so often; 0 = nothing
		dies         time.Duration // after at least so long; 0 = not at all
		most         time.Duration // and at most
	}{
		{"an answer in time", each, 0, 0, 0, 0},
		{"an answer to the second", 2*each - 10*time.Millisecond, 0, 0, 0, 0},
		{"nothing", time.Hour, 0, 0, 2 * each, 2*each + each/looks},
		{"timers that are a little late", time.Hour, 10 * time.Millisecond, 0, 2 * each, 3 * each},
		{"timers that are late", time.Hour, each / 4, 0, 4 * each, 8 * each},
		{"a process that gets no time to run", 15 * time.Second, 2 * each, 0, 0, 0},
		{"the same for ever", time.Hour, 2 * each, 0, 30 * each, 40 * each},
		{"a process that gets no time at all", time.Hour, 6 * each, 0, pingMostTry, pingMostTry + 7*each},
		{"something else that arrives", 29 * time.Second, 0, 2*each - 10*time.Millisecond, 0, 0},
		{"something else for ever", time.Hour, 0, each, pingMostTry, pingMostTry + each},
		{"something else too seldom", time.Hour, 0, 5 * each, 2 * each, 4 * each},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			moved := func() uint64 {
				if c.arrives == 0 {
					return 7
				}
				return uint64(time.Since(begun) / c.arrives)
			}
			err := awaitAnswer(&stall{answer: begun.Add(c.answer), late: c.late}, make([]byte, 32), func() time.Duration { return each }, moved)
			took := time.Since(begun)
			switch {
			case c.dies == 0 && (err != nil || took < c.answer || took > c.answer+c.late+each/looks):
				t.Errorf("%s: after %v: %v", c.name, took, err)
			case c.dies > 0 && (!errors.Is(err, errDead) || took < c.dies || took > c.most):
				t.Errorf("%s: %v after %v, want dead after %v to %v", c.name, err, took, c.dies, c.most)
			}
		})
	}
}

// What fails otherwise is told as it is.
func TestWaitingFails(t *testing.T) {
	err := awaitAnswer(broken{}, make([]byte, 1), func() time.Duration { return time.Second }, new(atomic.Uint64).Load)
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) SetReadDeadline(time.Time) error { return nil }
func (broken) Read([]byte) (int, error)        { return 0, io.ErrClosedPipe }
