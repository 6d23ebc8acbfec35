package share

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// Everybody can tell at any time what is there, what has gone where, and who has finished.
func TestStatus(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		const size = 30*group + 7 + 100 + 0 + 400*group
		a := w.share(30*group+7, 100, 0, 400*group)
		if v := a.Status(); v.Bytes != size || v.OfBytes != size || v.Groups != v.OfGroups || !v.Final || v.Root != a.Root {
			t.Errorf("the sharer: %+v", v)
		}
		b := w.party("getter", func(c *Config) { c.Down = 0 })
		w.Delay(a.node, b.node, 200*time.Millisecond)
		b.Had(tree.Run{From: 29, To: 32}) // the last group of the first file is short, and the next file
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		time.Sleep(2 * time.Second) // of virtual time
		v := b.Status()
		if have := group + 7 + 100 + v.Got; v.Bytes != have || v.Got == 0 || v.Bytes >= size || v.OfBytes != size || !v.Final || v.Manifest != v.OfManifest {
			t.Errorf("at work: %+v", v)
		}
		if p := v.Peers; len(p) != 1 || p[0].ID != a.Self || !p[0].All || p[0].Groups != v.OfGroups || p[0].Got != v.Got || p[0].Down <= 0 || p[0].Sent != 0 || p[0].Up != 0 {
			t.Errorf("at work: %+v", p)
		}
		if e, ok := a.heard(Joined); !ok || e.Peer != b.Self {
			t.Errorf("%+v is said", e)
		}
		if e, ok := a.heard(Finished); ok {
			t.Errorf("%+v is said too early", e)
		}
		<-b.Over()
		time.Sleep(time.Minute)
		if e, ok := a.heard(Finished); !ok || e.Peer != b.Self {
			t.Errorf("%+v is said", e)
		}
		v, sent := b.Status(), a.Status()
		if v.Bytes != size || v.Got != size-group-7-100 || v.Down > 1 || sent.Sent < v.Got || float64(sent.Sent) > 1.01*float64(v.Got) {
			t.Errorf("at the end: %+v, the sharer has sent %d", v, sent.Sent)
		}
		if p := sent.Peers; len(p) != 1 || !p[0].All || !p[0].Finished || p[0].Sent != sent.Sent {
			t.Errorf("at the sharer: %+v", p)
		}
		stop()
		b.Close()
		time.Sleep(time.Second)
		if _, ok := a.heard(Finished); ok {
			t.Error("it has finished twice")
		}
	})
}

// Who wants a part only has finished when that is there, and counts bytes as it does; it is not said to have
// everything.
func TestFinishedWithPart(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(10*group, 20*group+1, 5)
		b := w.party("getter", func(c *Config) {
			c.Store = &keeping{memory: new(memory), skipped: []tree.Run{{From: 10, To: 31}}}
		})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		<-b.Over()
		time.Sleep(time.Minute)
		if v := b.Status(); v.Bytes != 10*group+5 || v.Skipped != 20*group+1 || v.Groups != 11 {
			t.Errorf("%+v", v)
		}
		if e, ok := a.heard(Content); !ok || e.Peer != b.Self {
			t.Errorf("%+v is said", e)
		}
		if e, ok := a.heard(Finished); ok {
			t.Errorf("%+v is said", e)
		}
		if p := a.Status().Peers; len(p) != 1 || !p[0].Finished || p[0].All {
			t.Errorf("%+v", p)
		}
		if _, ok := b.heard(Stuck); ok {
			t.Error("it is said to be stuck")
		}
		stop()
	})
}

// Who can get nothing for long is told why, again and again, but not often.
func TestStuck(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(30 * group)
		b := w.party("getter", nil)
		w.Break(a.node, b.node)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		time.Sleep(time.Hour) // of virtual time
		n := 0
		for e, ok := b.heard(Stuck); ok; e, ok = b.heard(Stuck) {
			if n++; e.Peer != a.Self || e.Err == nil || e.Text == "" {
				t.Errorf("%+v is said", e)
			}
		}
		if n < 4 || n > 20 {
			t.Errorf("in an hour it is said %d times", n)
		}
		c := w.party("alone", nil)
		c.get(ctx)
		time.Sleep(time.Minute)
		if e, ok := c.heard(Stuck); !ok || !errors.Is(e.Err, errNobody) {
			t.Errorf("%+v is said", e)
		}
		stop()
	})
}

// Who wants what was shared once, and finds the sharer with something else, is told that nobody has it.
func TestStuckWithOther(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(10 * group)
		root := a.Status().Root
		w.again(1, 20*group)
		b := w.party("getter", func(c *Config) { c.Root = root })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, w.sharer)
		time.Sleep(time.Minute)
		if e, ok := b.heard(Stuck); !ok || !errors.Is(e.Err, ErrChanged) {
			t.Errorf("%+v is said", e)
		}
		stop()
	})
}

func TestMeter(t *testing.T) {
	var m meter
	now := time.Unix(100, 0)
	for range 100 {
		m.add(1000, now)
		now = now.Add(10 * time.Millisecond)
	}
	if r := m.rate(now); math.Abs(r-100_000) > 5_000 || m.bytes != 100_000 {
		t.Errorf("%v bytes a second, %d bytes", r, m.bytes)
	}
	if r := m.rate(now.Add(time.Minute)); r > 1 {
		t.Errorf("%v bytes a second after a minute", r)
	}
	if r := (&meter{}).rate(now); r != 0 {
		t.Errorf("%v bytes a second of nothing", r)
	}
}
