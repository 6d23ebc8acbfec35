package share

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// Who passes on what comes asks for as much as there is room for, in order, and has nothing
// for others.
func TestPassing(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(100*group, 300*group, 5)
		b := w.party("passing", func(c *Config) { c.Passing = true })
		w.Delay(a.node, b.node, 20*time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		for _, until := range []int64{0, 10, 200, 401} {
			b.Until(until)
			time.Sleep(time.Minute) // of virtual time
			if have, of := b.Have(); have != until || of != 401 {
				t.Errorf("%d of %d groups are there, and not %d", have, of, until)
			}
			b.mu.Lock()
			if b.picker.done.missing(0, until).Len() != 0 {
				t.Errorf("others than the first %d came", until)
			}
			b.mu.Unlock()
		}
		b.wait(a)
		a.mu.Lock()
		if m := a.sessions[b.Self].m; m.all || m.have.count > 0 {
			t.Error("it says that it has something")
		}
		a.mu.Unlock()

		c := w.party("c", nil)
		w.Break(a.node, c.node) // of which it hears
		c.get(ctx, b)
		time.Sleep(time.Minute) // of virtual time
		if have, of := c.Have(); have > 0 || of != 401 {
			t.Errorf("%d of %d groups came from it", have, of)
		}
		// One who asks all the same is told that it is not there.
		c.mu.Lock()
		c.sessions[b.Self].m.have.add(tree.Run{To: 7})
		c.sessions[b.Self].kick()
		c.mu.Unlock()
		time.Sleep(time.Minute) // of virtual time
		if have, _ := c.Have(); have > 0 {
			t.Errorf("%d groups came from it", have)
		}
		if _, ok := b.heard(Unsent); ok {
			t.Error("it complains")
		}
		stop()
	})
}
