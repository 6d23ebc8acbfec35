package share

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// A Store that takes long to open a file keeps nobody waiting but the one whose answer it is
// for: neither sessions, nor those who look how far the share is.
func TestStoreBlocks(t *testing.T) {
	for _, at := range []int32{1, 2, 7, 20} {
		virtually(t, func(t *testing.T, w *world) {
			sizes := []int64{150 * group, 170 * group, 20, 90 * group}
			a := w.share(sizes...)
			other := w.party("other", nil)
			other.store.fill(sizes...)
			for i, b := range w.blocks {
				if err := other.Add(b, i == len(w.blocks)-1, a.node.Key().SignAs); err != nil {
					t.Fatal(err)
				}
			}
			b := w.party("getter", nil)
			blocked, release := make(chan struct{}), make(chan struct{})
			var opens atomic.Int32
			b.store.opens = func(int) {
				if opens.Add(1) == at {
					close(blocked)
					<-release
				}
			}
			for _, p := range []*party{a, other} {
				w.Delay(p.node, b.node, 20*time.Millisecond)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			b.get(ctx, a, other)
			<-blocked
			time.Sleep(10 * time.Second) // of virtual time
			if have, of := b.Have(); have < of*9/10 {
				t.Errorf("at %d: %d of %d groups are there while one file is being opened", at, have, of)
			}
			close(release)
			b.wait(a)
			stop()
		})
	}
}
