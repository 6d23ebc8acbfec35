package meet

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "of the simulation of a hundred members, and of gossip; 0 = another one each time")

// A hundred members, parted at random again and again, end with the same.
func TestHundredMembers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := *seedFlag; s != 0 {
		seed = s
	}
	t.Logf("-seed %d", seed)
	simulate(t, seed, 100, 2)
}

// Few members, and many seeds.
func TestManySeeds(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { simulate(t, seed+1, 6, 10) })
	}
}

func simulate(t *testing.T, seed uint64, members, rounds int) {
	virtually(t, func(t *testing.T, w *world) {
		r := rand.New(rand.NewPCG(seed, 0))
		for i := range members {
			w.party(fmt.Sprint("member ", i))
		}
		part := make([]int, members)
		said := 0
		for range rounds {
			parts := 1 + r.IntN(4)
			for i := range part {
				part[i] = r.IntN(parts)
			}
			for i, a := range w.all {
				for j, b := range w.all[:i] {
					w.Delay(a.node, b.node, time.Duration(r.IntN(200))*time.Millisecond)
					switch {
					case part[i] == part[j]:
						w.Heal(a.node, b.node)
					case r.IntN(2) == 0:
						w.Break(a.node, b.node)
					default:
						w.Silence(a.node, b.node)
					}
				}
			}
			for range 50 {
				w.all[r.IntN(members)].say(fmt.Sprint("said ", said))
				said++
				time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
			}
		}
		for i, a := range w.all {
			for _, b := range w.all[:i] {
				w.Heal(a.node, b.node)
			}
		}
		w.equal(30 * time.Minute)
		if n := w.all[0].set.index.Len(); n != said {
			t.Errorf("seed %d: %d of %d events are there", seed, n, said)
		}
	})
}
