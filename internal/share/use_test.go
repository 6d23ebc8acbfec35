package share

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
)

// Who may not have what is in the files sees what there is, and is sent no group of them; who may is asked about
// once, though it asks often.
func TestUse(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var asked, refused []peer.ID
		a := w.share(100*group, 5)
		b, c := w.party("bob", nil), w.party("carol", nil)
		a.Use = func(who peer.ID) bool {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, who)
			if who != b.Self {
				refused = append(refused, who)
			}
			return who == b.Self
		}
		a.Admit = func(who peer.ID, proved bool) bool {
			mu.Lock()
			defer mu.Unlock()
			return proved && !slices.Contains(refused, who)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		c.get(ctx, a)
		<-c.Over()
		if err := c.Err(); !errors.Is(err, ErrEnded) {
			t.Errorf("whom the share is not for is told: %v", err)
		}
		if _, of := c.Have(); of != 101 || a.Traffic().Sent > 0 {
			t.Errorf("of %d groups that it knows of it was sent %d", of, a.Traffic().Sent)
		}
		b.get(ctx, a)
		b.wait(a)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(asked, []peer.ID{c.Self, b.Self}) {
			t.Errorf("it was asked about %v", asked)
		}
		stop()
	})
}
