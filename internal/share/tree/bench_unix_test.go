//go:build unix

package tree

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"lukechampine.com/blake3"
)

const benchSize = 64 << 20

// perGB reports the CPU time of the process and its children, which says more than the
// clock on a machine that is busy.
func perGB(b *testing.B, who int, each int64, f func()) {
	b.SetBytes(each)
	before := cpu(who)
	n := 0
	for b.Loop() {
		f()
		n++
	}
	b.ReportMetric((cpu(who)-before).Seconds()/float64(n)/float64(each)*1e9, "CPU-s/GB")
}

func cpu(who int) time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(who, &u) //nolint:errcheck // it does not fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkHash(b *testing.B) {
	p := random(benchSize)
	f := hashed(b, p)
	file := NodeFile{tempFile(b)}
	self := func(name string, run func()) {
		b.Run(name, func(b *testing.B) { perGB(b, syscall.RUSAGE_SELF, benchSize, run) })
	}
	self("Sum", func() { Sum(p) })
	self("HashAt", func() { HashAt(bytes.NewReader(p), f.Shape, nil, 1) })                   //nolint:errcheck // in memory
	self("HashAt, nodes in a file", func() { HashAt(bytes.NewReader(p), f.Shape, file, 1) }) //nolint:errcheck // as if
	self("HashAt, 2 goroutines", func() { HashAt(bytes.NewReader(p), f.Shape, nil, 2) })     //nolint:errcheck // in memory
	self("blake3.Sum256", func() { blake3.Sum256(p) })
	if b3sum, err := exec.LookPath("b3sum"); err == nil {
		b.Run("b3sum", func(b *testing.B) {
			perGB(b, syscall.RUSAGE_CHILDREN, benchSize, func() {
				cmd := exec.Command(b3sum, "--num-threads", "1")
				cmd.Stdin = bytes.NewReader(p)
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	small := p[:16<<10]
	b.Run("Sum of 16 KiB", func(b *testing.B) { perGB(b, syscall.RUSAGE_SELF, 16<<10, func() { Sum(small) }) })
	b.Run("Sum of 10 KB", func(b *testing.B) { perGB(b, syscall.RUSAGE_SELF, 10e3, func() { Sum(small[:10e3]) }) })
}

// Proofs of 1 MiB each, one after another.
func BenchmarkProof(b *testing.B) {
	p := random(benchSize)
	f := hashed(b, p)
	file := File{f.Shape, f.Root, NodeFile{tempFile(b)}}
	HashAt(bytes.NewReader(p), f.Shape, file.Nodes, 1) //nolint:errcheck // Encode would fail

	encode := func(name string, f File, trust bool) {
		b.Run(name, func(b *testing.B) {
			e := Encoder{Trust: trust}
			perGB(b, syscall.RUSAGE_SELF, benchSize, func() {
				for from := int64(0); from < f.Shape.Groups(); from += 16 {
					if err := e.Encode(discard{}, f, bytes.NewReader(p), Run{from, from + 16}, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
	encode("Encode", f, false)
	encode("Encode, nodes in a file", file, false)
	encode("Encode trusted", f, true)

	var proofs [][][]byte // each in frames of a group and the nodes before it
	for from := int64(0); from < f.Shape.Groups(); from += 16 {
		var w frames
		new(Encoder).Encode(&w, f, bytes.NewReader(p), Run{from, from + 16}, 0) //nolint:errcheck // Feed would fail
		proofs = append(proofs, w)
	}
	verify := func(name string, nodes Nodes, most int) {
		b.Run(name, func(b *testing.B) {
			var v Verifier
			give := func(int64, []byte) error { return nil }
			frame := make([]byte, most) // what a connection is read into
			perGB(b, syscall.RUSAGE_SELF, benchSize, func() {
				for i, proof := range proofs {
					v.Start(File{f.Shape, f.Root, nodes}, Run{int64(i) * 16, int64(i)*16 + 16}, 0, give) //nolint:errcheck // Feed says it too
					for _, rest := range proof {
						for len(rest) > 0 {
							n := copy(frame, rest)
							rest = rest[n:]
							v.Feed(frame[:n]) //nolint:errcheck // Done says it too
						}
					}
					if !v.Done() {
						b.Fatal(v.err)
					}
				}
			})
		})
	}
	verify("Verify", new(NodeMap), Group+4096)
	verify("Verify, nodes in a file", file.Nodes, Group+4096)
	verify("Verify, frames cut anywhere", new(NodeMap), 60_000)
}

type frames [][]byte

func (f *frames) Write(p []byte) (int, error) {
	*f = append(*f, bytes.Clone(p))
	return len(p), nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
