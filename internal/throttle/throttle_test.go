package throttle

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAKeyHasItsBurstAndThenItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Set[string]{Every: time.Second, Burst: 3, Keys: 10}
		take := func(key string) (n int) {
			for range 100 {
				if s.Allow(key) {
					n++
				}
			}
			return n
		}
		if n := take("a"); n != 3 {
			t.Errorf("the first burst has %d", n)
		}
		if n := take("b"); n != 3 {
			t.Errorf("another key has %d", n)
		}
		time.Sleep(2 * time.Second)
		if n := take("a"); n != 2 {
			t.Errorf("after 2 s there are %d", n)
		}
		time.Sleep(time.Hour)
		if n := take("a"); n != 3 {
			t.Errorf("after an hour there are %d", n)
		}
	})
}

// Whoever has very many keys does not get very much by it, nor takes from those who
// were there before.
func TestManyKeysShareOneBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Set[int]{Every: time.Second, Burst: 3, Keys: 10}
		allowed := 0
		for key := range 10_000 {
			if s.Allow(key) {
				allowed++
			}
		}
		if allowed != 10+3 || len(s.own) != 10 {
			t.Errorf("%d were allowed, %d keys are remembered", allowed, len(s.own))
		}
		if first, second, third := s.Allow(0), s.Allow(0), s.Allow(0); !first || !second || third {
			t.Error("a key that was there has lost its tokens")
		}
		time.Sleep(time.Minute)
		if !s.Allow(20_000) || len(s.own) != 1 {
			t.Errorf("full buckets are remembered: %d", len(s.own))
		}
	})
}
