package link

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/tenon-net/tenon/internal/account"
)

// A buffer is a queue, whatever the sizes, and pays for what it holds.
func TestBuffer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		memory := &account.Account{Limit: 1 << 20}
		q := buffer{memory: memory}
		var want []byte
		for range 200 {
			switch n := r.IntN(3); n {
			case 0, 1:
				p := random(1 << r.IntN(19))
				m := q.put(p)
				if want = append(want, p[:m]...); m == 0 && memory.Used() < memory.Limit-largeBlock {
					t.Fatal("nothing was taken")
				}
			default:
				p := make([]byte, 1<<r.IntN(19))
				m := q.take(p)
				if !bytes.Equal(p[:m], want[:m]) {
					t.Fatal("other bytes")
				}
				want = want[m:]
			}
			if q.length != len(want) || memory.Used() < int64(len(want)) || len(want) == 0 && memory.Used() != 0 {
				t.Fatalf("%d bytes, %d booked, want %d", q.length, memory.Used(), len(want))
			}
			if len(want) > 0 {
				i := r.IntN(len(want))
				if k, at := q.at(i); k.b[at] != want[i] {
					t.Fatal("another byte")
				}
			}
		}
		q.clear()
		if memory.Used() != 0 {
			t.Fatal("not all was given back")
		}
	}
}
