//go:build linux

package ipc

import (
	"context"
	"fmt"
	"os"
	"testing"
)

func BenchmarkScratch(b *testing.B) {
	for _, ring := range []int64{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 16 << 20} {
		for _, size := range []int{64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("ring=%dk/%dk", ring>>10, size>>10), func(b *testing.B) {
				name := newPlace(b)
				l, err := (&Listen{Name: name, Size: ring}).Listen(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				startChild(b, os.Getenv("TENON_IPC_CPUS"), "drain", "shm", name)
				c, err := l.Accept()
				if err != nil {
					b.Fatal(err)
				}
				pin(b, 0)
				defer c.Close()
				p := make([]byte, size)
				for i := range p {
					p[i] = 'x'
				}
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := c.(*Conn).Write(p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
