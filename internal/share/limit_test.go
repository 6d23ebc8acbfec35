package share

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"
)

const mib = 1 << 20

// within tells whether a time is the one that a limit leads to.
func within(took time.Duration, bytes, rate int64) bool {
	want := float64(bytes) / float64(rate)
	return math.Abs(took.Seconds()-want) <= 0.02*want+1
}

// twins makes two parties that have all of a share.
func (w *world) twins(sizes ...int64) []*party {
	a, other := w.share(sizes...), w.party("other", nil)
	other.store.fill(sizes...)
	for i, b := range w.blocks {
		if err := other.Add(b, i == len(w.blocks)-1, a.node.Key().SignAs); err != nil {
			w.t.Fatal(err)
		}
	}
	return []*party{a, other}
}

// A limit is what comes, neither more nor less, and the sessions have equal parts of it.
func TestDown(t *testing.T) {
	for _, rate := range []int64{20_000, 100_000, mib, 10 * mib}[:fewer(t, 4, 3)] {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				size := min(30*rate, 40*mib)
				from := w.twins(size/2, size/2, 5)
				b := w.party("getter", func(c *Config) { c.Down = rate })
				for _, p := range from {
					w.Delay(p.node, b.node, 5*time.Millisecond)
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				began := time.Now()
				b.get(ctx, from...)
				b.wait(from[0])
				if took := time.Since(began); !within(took, size, rate) {
					t.Errorf("%d bytes have come in %v", size, took)
				}
				for _, p := range b.Status().Peers {
					if share := float64(p.Got) / float64(size); size > 100*group && math.Abs(share-0.5) > 0.1 {
						t.Errorf("one has sent %.2f of it", share)
					}
				}
				for _, p := range append(from, b) {
					if e, ok := p.heard(Unreachable); ok {
						t.Errorf("%s: %v", e.Text, e.Err)
					}
				}
				stop()
			})
		})
	}
}

// A limit is what is sent, and all who fetch get equal parts of it: those too who wait so long
// for the next group that they could think that nothing comes any more.
func TestUp(t *testing.T) {
	for _, rate := range []int64{2_000, 100_000, mib, 10 * mib}[:fewer(t, 4, 3)] {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				size := min(100*rate, 40*mib)
				w.limited = rate
				a := w.share(size, 5)
				var getters []*party
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				for i := range 4 {
					g := w.party(fmt.Sprint("getter", i), func(c *Config) { c.InOrder = true }) // all ask the sharer for all
					w.Delay(a.node, g.node, 20*time.Millisecond)
					for _, o := range getters {
						w.Break(o.node, g.node)
					}
					getters = append(getters, g)
				}
				began := time.Now()
				for _, g := range getters {
					g.get(ctx, a)
				}
				time.Sleep(time.Duration(float64(size) / float64(rate) * 2 * float64(time.Second)))
				v := a.Status()
				if !within(time.Since(began), v.Sent, rate) {
					t.Errorf("%d bytes were sent in %v", v.Sent, time.Since(began))
				}
				for _, p := range v.Peers {
					if share := float64(p.Sent) / float64(v.Sent); math.Abs(share-0.25) > 0.05 {
						t.Errorf("one has got %.2f of it", share)
					}
				}
				for _, g := range getters {
					g.wait(a)
					if e, ok := g.heard(Left); ok {
						t.Errorf("%s: %v", e.Text, e.Err)
					}
				}
				if took := time.Since(began); !within(took, 4*size, rate) {
					t.Errorf("%d bytes were sent in %v", 4*size, took)
				}
				stop()
			})
		})
	}
}

// One with a small link sends nothing twice before it has sent everything once, to however
// many, but for what those have asked for who came at the same time and had not heard of each
// other; and they are not much slower than one would be.
func TestSmallLink(t *testing.T) {
	for _, many := range []int{2, fewer(t, 8, 4)} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				const size, rate = 40 * mib, mib
				w.limited = rate
				a := w.share(size)
				read := map[int64]bool{}
				twice := 0
				a.store.reads = func(_ int, off int64) {
					if read[off] && len(read) < size/group {
						twice++
					}
					read[off] = true
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var getters []*party
				began := time.Now()
				for i := range many {
					g := w.party(fmt.Sprint("getter", i), nil)
					w.Delay(a.node, g.node, 20*time.Millisecond)
					getters = append(getters, g)
					g.get(ctx, a)
				}
				for _, g := range getters {
					g.wait(a)
				}
				took := time.Since(began)
				stop()
				a.store.mu.Lock()
				defer a.store.mu.Unlock()
				if twice > size/group/50 {
					t.Errorf("%d groups were sent again before all had been sent", twice)
				}
				if best := float64(size) / rate; took.Seconds() > 1.3*best {
					t.Errorf("it took %.2f of the time of one", took.Seconds()/best)
				}
			})
		})
	}
}

// Two who fetch the same and cannot reach each other do not wait for each other for long.
func TestApart(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		const size, rate = 40 * mib, mib
		w.limited = rate
		a := w.share(size)
		b, c := w.party("one", nil), w.party("two", nil)
		w.Break(b.node, c.node)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		began := time.Now()
		for _, p := range []*party{b, c} {
			w.Delay(a.node, p.node, 20*time.Millisecond)
			p.get(ctx, a)
		}
		b.wait(a)
		c.wait(a)
		if took, best := time.Since(began), 2.0*size/rate; took.Seconds() > 1.3*best {
			t.Errorf("it took %v, %.2f of the best", took, took.Seconds()/best)
		}
		stop()
	})
}
