package share

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// When the sharer ends a share, all who take part stop, also those who have heard of it from
// others only, and those who come later to one who knows; and it is said once.
func TestUnshare(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(300 * group)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b, c, d := w.party("done", nil), w.party("at it", nil), w.party("far", nil)
		w.Delay(a.node, b.node, 20*time.Millisecond)
		b.get(ctx, a)
		b.wait(a)
		w.Delay(b.node, c.node, 2*time.Second)
		w.Delay(b.node, d.node, time.Second)
		for _, p := range []*party{a, c} {
			w.Break(p.node, d.node) // it hears of nothing but what b says
		}
		w.Break(a.node, c.node)
		c.get(ctx, b)
		d.get(ctx, b)
		time.Sleep(10 * time.Second)
		e, err := a.Unshare(Withdrawn, a.node.Key().SignAs)
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		time.Sleep(20 * time.Second)
		late := w.party("late", nil)
		if err := late.Ask(ctx, late.node, b.Self); !errors.Is(err, ErrEnded) {
			t.Errorf("one who comes later: %v", err)
		}
		for _, p := range []*party{b, c, d, late} {
			if got, ok := p.Ending(); !ok || got != e {
				t.Errorf("%v is known of the end, %v", got, ok)
			}
			if said, ok := p.heard(Ended); !ok || !errors.Is(said.Err, ErrEnded) || said.Peer != a.Self {
				t.Errorf("%+v is said", said)
			}
			if _, ok := p.heard(Ended); ok {
				t.Error("it is said twice")
			}
			p.mu.Lock()
			if len(p.sessions) > 0 {
				t.Errorf("%d sessions go on", len(p.sessions))
			}
			p.mu.Unlock()
			if !errors.Is(p.Status().Ended, ErrEnded) {
				t.Errorf("the status says %v", p.Status().Ended)
			}
		}
		if err := b.Err(); err != nil {
			t.Errorf("what was there before: %v", err)
		}
		if err := c.Err(); !errors.Is(err, ErrEnded) {
			t.Errorf("what was not: %v", err)
		}
		b.working.Wait() // Join has returned
		for _, p := range []*party{a, w.party("closed", nil)} {
			p.Close()
			if err := p.Bury(e); err != nil { // as it may be, whatever has happened before
				t.Error(err)
			}
			p.Close()
		}
	})
}

// Nobody but the sharer can end a share.
func TestForgedEnd(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(3 * group)
		mallory := w.Node("mallory", nil)
		defer mallory.Close()
		b := w.party("getter", nil)
		e, err := a.Unshare(Expired, mallory.Key().SignAs)
		if err == nil || b.Bury(e) == nil {
			t.Error("somebody else has ended it")
		}
		for _, change := range []func(e *Ending){func(e *Ending) { e.Why = Expired }, func(e *Ending) { e.Sig[3]++ }, func(e *Ending) { e.Sig = a.head.Sig }} {
			e := Ending{Why: Withdrawn}
			e.Sig = [64]byte(a.node.Key().SignAs(peer.ContextShare, e.signed(a.ID)))
			change(&e)
			if b.Bury(e) == nil {
				t.Error("a changed end is believed")
			}
		}
		e = Ending{Why: Withdrawn}
		e.Sig = [64]byte(a.node.Key().SignAs(peer.ContextShare, e.signed(ID{9})))
		if b.Bury(e) == nil {
			t.Error("the end of another share is believed")
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		b.wait(a)
		stop()
	})
}

// Who has been in a share, and is told twice by its sharer that there is none, says so and does
// not ask for ever; who was never in it hears it once. A sharer that is only away is waited for.
func TestGone(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(30 * group)
		a.store.changed = map[int]bool{0: true} // nobody gets it
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b := w.party("in it", nil)
		b.get(ctx, a)
		time.Sleep(time.Second)
		a.Close()
		time.Sleep(time.Hour)
		select {
		case <-b.Over():
			t.Errorf("it has not waited for the sharer: %v", b.Err())
		default:
		}
		a.drop()
		<-b.Over()
		if err := b.Err(); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		b.working.Wait() // Join has returned
		if e, ok := b.heard(Ended); !ok || e.Peer != a.Self {
			t.Errorf("%+v is said", e)
		}
		c := w.party("never in it", nil)
		c.get(ctx, a)
		<-c.Over()
		if err := c.Err(); !errors.Is(err, ErrGone) || errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		c.working.Wait()
	})
}

// Others than the sharer may not have a share, or not for somebody: they are asked again.
func TestGoneElsewhere(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(30 * group)
		other, b := w.party("other", func(c *Config) { c.ID[5]++ }), w.party("getter", nil)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, other)
		time.Sleep(time.Hour)
		b.Found(a.Self)
		b.wait(a)
		stop()
	})
}

// Who parts has said that it has everything, and nobody complains.
func TestPart(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(100*group, 5)
		b := w.party("b", nil)
		w.Delay(a.node, b.node, 50*time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		b.wait(a)
		b.Part()
		synctest.Wait()
		if _, ok := a.heard(Finished); !ok {
			t.Error("the sharer has not heard that it has everything")
		}
		if e, ok := a.heard(Left); !ok || e.Err != nil {
			t.Errorf("it has gone: %v, %v", ok, e.Err)
		}
	})
}

// Whom the sharer does not let in at all is not left waiting for ever.
func TestShut(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		w.share(group)
		shut := w.Node("shut", func(peer.ID) bool { return false })
		defer shut.Close()
		c := w.party("c", func(c *Config) { c.Sharer = shut.Self() })
		c.Join(t.Context(), c.node, shut.Self())
		<-c.Over()
		if err := c.Err(); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	})
}

// Who has got everything stays for those who are being sent some of it, but not for ever, nor for
// those who have it.
func TestLinger(t *testing.T) {
	for _, test := range []struct {
		down  int64 // of the one who is served
		whole bool
		least time.Duration
		most  time.Duration
	}{
		{40 * group, true, 2 * time.Second, 4500 * time.Millisecond},
		{group, false, 5 * time.Second, 5 * time.Second},
	} {
		virtually(t, func(t *testing.T, w *world) {
			a := w.share(100 * group)
			b := w.party("b", nil)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			b.get(ctx, a)
			b.wait(a)
			began := time.Now()
			if b.Linger(ctx, 5*time.Second); time.Since(began) > 0 {
				t.Errorf("it stays %v for nobody", time.Since(began))
			}
			c := w.party("c", func(c *Config) { c.Down = test.down })
			c.get(ctx, b)
			time.Sleep(time.Second / 2) // of virtual time
			began = time.Now()
			b.Linger(ctx, 5*time.Second)
			if d := time.Since(began); d < test.least-time.Second/2 || d > test.most {
				t.Errorf("it stays for %v", d)
			}
			if have, of := c.Have(); (have == of) != test.whole {
				t.Errorf("%d of %d groups have come", have, of)
			}
			stop()
		})
	}
}
