package scan

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// BenchmarkAgain shares 20,000 files again that have not changed.
func BenchmarkAgain(b *testing.B) {
	dir, cache := b.TempDir(), b.TempDir()
	for i := range 20_000 {
		write(b, filepath.Join(dir, fmt.Sprintf("%03d", i/100), fmt.Sprintf("file %05d", i)), random(i%512))
	}
	run := func() {
		var m manifest.Builder
		s, err := New(Config{Paths: []string{dir}, Cache: cache, now: later, Add: func(p []byte, _ bool) error { return m.Append(p) }})
		if err == nil {
			err = s.Run(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.Progress().Hashed), "hashed/op")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	run()
	b.ResetTimer()
	for b.Loop() {
		run()
	}
}
