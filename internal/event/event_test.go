package event_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/event"
)

func publish(l *event.Log[uint64], n int) {
	for range n {
		l.Publish(func(seq uint64) uint64 { return seq })
	}
}

func TestSince(t *testing.T) {
	l := event.New[uint64](100, 4)
	changed := l.Changed()
	publish(l, 3)
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	for _, c := range []struct {
		more  int // published before
		since uint64
		limit int
		want  []uint64
		gap   bool
	}{
		{0, 0, 10, []uint64{100, 101, 102}, false},
		{0, 99, 2, []uint64{100, 101}, false},
		{0, 101, 10, []uint64{102}, false},
		{0, 102, 10, nil, false},
		{0, 7, 10, []uint64{100, 101, 102}, true},   // of a log before
		{0, 103, 10, []uint64{100, 101, 102}, true}, // of a log to come
		{3, 101, 10, []uint64{102, 103, 104, 105}, false},
		{1, 101, 10, []uint64{103, 104, 105, 106}, true},
		{0, 0, 10, []uint64{103, 104, 105, 106}, false},
		{0, ^uint64(0), 1, []uint64{103}, true},
	} {
		publish(l, c.more)
		got, last, err := l.Since(c.since, c.limit)
		wantLast := c.since
		if len(c.want) > 0 {
			wantLast = c.want[len(c.want)-1]
		}
		if !slices.Equal(got, c.want) || last != wantLast || errors.Is(err, event.ErrGap) != c.gap {
			t.Errorf("Since(%d, %d) = %v, %d, %v; want %v", c.since, c.limit, got, last, err, c.want)
		}
	}
}

// A reader that follows sees every number once, or is told of a gap.
func TestFollow(t *testing.T) {
	const all = 10000
	l := event.New[uint64](1, 64)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for seq := uint64(0); seq < all; {
				changed := l.Changed()
				got, last, err := l.Since(seq, 16)
				for i, n := range got {
					if i == 0 && (seq == 0 || err != nil) {
						seq = n - 1 // it begins later, and said so
					}
					if want := seq + 1 + uint64(i); n != want {
						t.Errorf("%d in place of %d, and no gap", n, want)
						return
					}
				}
				if seq = last; len(got) == 0 {
					<-changed
				}
			}
		})
	}
	publish(l, all)
	readers.Wait()
}
