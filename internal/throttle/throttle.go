// Package throttle limits how often each of many may do something: a token bucket for
// every key, and a bound on how many keys are remembered. It decides at once and
// queues nothing; who wants to wait instead of being refused wants package rate.
package throttle

import (
	"sync"
	"time"
)

// A Set has a bucket for each key. Its fields do not change after the first call.
type Set[K comparable] struct {
	Every time.Duration // a key gets another token so often
	Burst int           // and has at most so many
	Keys  int           // keys that have a bucket of their own; all others share one

	mu     sync.Mutex // guards the buckets
	own    map[K]*bucket
	shared bucket
}

// A bucket is full at the time until, and has a token less for every Every before it.
type bucket struct{ until time.Time }

// Allow takes a token of k and tells whether there was one.
func (s *Set[K]) Allow(k K) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.own[k]
	if b == nil && len(s.own) >= s.Keys {
		for old, o := range s.own {
			if !o.until.After(now) {
				delete(s.own, old) // it is full, as a new one is
			}
		}
	}
	switch {
	case b != nil:
	case len(s.own) >= s.Keys:
		b = &s.shared
	default:
		if s.own == nil {
			s.own = map[K]*bucket{}
		}
		b = new(bucket)
		s.own[k] = b
	}
	if b.until.Before(now) {
		b.until = now
	}
	next := b.until.Add(s.Every)
	if next.Sub(now) > time.Duration(s.Burst)*s.Every {
		return false
	}
	b.until = next
	return true
}
