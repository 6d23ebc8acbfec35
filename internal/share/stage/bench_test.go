package stage

import (
	"fmt"
	"os"
	"testing"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// BenchmarkFiles puts 20,000 files of 16 KiB in place, everything synced.
func BenchmarkFiles(b *testing.B) {
	const files, size = 20_000, 16 << 10
	p := make([]byte, size)
	var m manifest.Builder
	enc := manifest.Encoder{Emit: m.Append}
	for i := range files {
		if i%100 == 0 {
			enc.Add(dirOf(fmt.Sprintf("d%03d", i/100))) //nolint:errcheck // Finish has it
		}
		e := fileOf(fmt.Sprintf("d%03d/f%02d", i/100, i%100), size)
		e.Root = tree.Sum(p)
		enc.Add(e) //nolint:errcheck // Finish has it
	}
	if err := enc.Finish(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := New(Config{Target: b.TempDir(), ID: id})
		if err == nil {
			err = s.Learn(m.Index(), nil, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
		g := int64(0)
		for n, e := range m.Index().From(0) {
			if e.Kind != manifest.File {
				continue
			}
			f, err := s.Open(n, e)
			if err == nil {
				_, err = f.WriteAt(p, 0)
				f.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
			s.Got(set1(g))
			g++
		}
		if err := end(s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
}

// BenchmarkFloor makes the same files where they belong and syncs once: what the disk allows.
func BenchmarkFloor(b *testing.B) {
	const files, size = 20_000, 16 << 10
	p := make([]byte, size)
	for b.Loop() {
		dir := b.TempDir()
		for i := range files {
			name := fmt.Sprintf("%s/d%03d", dir, i/100)
			if i%100 == 0 {
				must(b, os.Mkdir(name, 0o755))
			}
			must(b, os.WriteFile(fmt.Sprintf("%s/f%02d", name, i%100), p, 0o644))
		}
		f, err := os.Open(dir)
		must(b, err)
		must(b, fsSync(f))
		must(b, f.Close())
	}
	b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
}
