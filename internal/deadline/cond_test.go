package deadline

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A deadline on a condition wakes who waits, can be moved and taken back, and a timer
// of one that was replaced does nothing.
func TestCond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		c := sync.NewCond(&mu)
		var d Cond
		begin := time.Now()
		mu.Lock()
		defer mu.Unlock()
		d.Set(c, begin.Add(time.Second))
		d.Set(c, begin.Add(2*time.Second))
		for !d.Passed() {
			c.Wait()
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("woken after %v, want 2 s", took)
		}
		d.Set(c, time.Time{})
		if d.Passed() {
			t.Error("a deadline that was taken back has passed")
		}
		d.Set(c, begin)
		if !d.Passed() {
			t.Error("a deadline in the past has not passed")
		}
	})
}
