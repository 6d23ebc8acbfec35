package share

import (
	"context"
	"testing"
	"time"
)

// Zeros are not sent, and are there in the end; also where so little may be sent that they would take minutes.
func TestZeros(t *testing.T) {
	for name, up := range map[string]int64{"no limit": 0, "a limit": 100_000} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				const size = 500*group + 12_345
				w.limited, w.sparse = up, true
				a := w.share(size, 12*group, 40_000)
				b := w.party("getter", nil)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				began := time.Now()
				b.get(ctx, a)
				b.wait(a)
				if sent := a.Status().Sent; sent > size/50 {
					t.Errorf("%d bytes were sent", sent)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				stop()
			})
		})
	}
}
