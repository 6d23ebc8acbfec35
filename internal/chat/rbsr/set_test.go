package rbsr

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

func random(r *rand.Rand, times uint64) (k Key) {
	k.Time = r.Uint64N(times)
	for i := 0; i < 32; i += 8 {
		binary.BigEndian.PutUint64(k.ID[i:], r.Uint64())
	}
	return k
}

func generator(t testing.TB, seed uint64) *rand.Rand {
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// check compares a Set with what it should be.
func check(t *testing.T, s *Set, want []Key) {
	t.Helper()
	if s.Len() != len(want) {
		t.Fatalf("%d keys, want %d", s.Len(), len(want))
	}
	if got := s.Append(nil, Key{}, len(want)+1); !slices.Equal(got, want) {
		t.Fatal("the keys differ")
	}
	for _, b := range s.blocks {
		if len(b.keys) == 0 || len(b.keys) > blockKeys || b.sum != total(b.keys) {
			t.Fatalf("a block of %d keys, or a wrong sum", len(b.keys))
		}
	}
	for i := 0; i <= len(want); i += 1 + len(want)/9 {
		for j := i; j <= len(want); j += 1 + len(want)/9 {
			from, to := End, End
			if i < len(want) {
				from = want[i]
			}
			if j < len(want) {
				to = want[j]
			}
			f, n := s.Fingerprint(from, to)
			sum := total(want[i:j])
			if n != j-i || f != sum.fingerprint(j-i) {
				t.Fatalf("the fingerprint of [%d, %d)", i, j)
			}
		}
	}
}

// A Set is what a sorted slice without doubles is, whatever is added and removed where.
func TestSet(t *testing.T) {
	for seed := range uint64(8) {
		r := generator(t, seed)
		var s Set
		var want []Key
		times := []uint64{1, 50, 1 << 40}[seed%3] // many of one time, and few
		for range 10 {
			var add []Key
			for range r.IntN(1500) {
				add = append(add, random(r, times))
			}
			if r.IntN(2) == 0 {
				slices.SortFunc(add, Key.Compare)
			}
			before := s.Len()
			if n := s.Add(add...); n != s.Len()-before {
				t.Fatalf("%d were new, and %d are more", n, s.Len()-before)
			}
			if s.Add(add...) != 0 {
				t.Fatal("keys that are there were new")
			}
			want = append(want, add...)
			slices.SortFunc(want, Key.Compare)
			want = slices.Compact(want)
			var remove []Key
			for range r.IntN(len(want)/2 + 1) {
				i := r.IntN(len(want))
				remove, want = append(remove, want[i]), slices.Delete(want, i, i+1)
			}
			if n := s.Remove(remove...); n != len(remove) {
				t.Fatalf("removed %d of %d", n, len(remove))
			}
			for _, k := range remove {
				if s.Has(k) {
					t.Fatal("what was removed is there")
				}
			}
			check(t, &s, want)
		}
		s.Remove(want...)
		check(t, &s, nil)
	}
}

func TestEndIsNoKey(t *testing.T) {
	var s Set
	if s.Add(End, Key{Time: End.Time}) != 0 || s.Len() != 0 {
		t.Error("the end is in a set")
	}
	if _, ok := s.Last(); ok || s.Has(End) || s.Remove(End) != 0 {
		t.Error("an empty set has a key")
	}
}

func TestBetween(t *testing.T) {
	r := generator(t, 1)
	for range 10_000 {
		a, b := random(r, 3), random(r, 3)
		copy(b.ID[:], a.ID[:r.IntN(31)])
		if b.Less(a) {
			a, b = b, a
		}
		if m := between(a, b); !a.Less(m) || b.Less(m) {
			t.Fatalf("%x is not between %x and %x", m, a, b)
		}
	}
}

// A key takes at most 48 bytes, in order or not.
func TestMemory(t *testing.T) {
	const n = 50_000
	for _, order := range []string{"in order", "nearly in order", "in any order"} {
		r := generator(t, 7)
		keys := make([]Key, n)
		for i := range keys {
			keys[i] = random(r, 1)
			switch order {
			case "in order":
				keys[i].Time = uint64(i)
			case "nearly in order":
				keys[i].Time = uint64(i) + r.Uint64N(n/10)
			default:
				keys[i].Time = r.Uint64N(n)
			}
		}
		var before, after runtime.MemStats
		s := new(Set)
		runtime.GC()
		runtime.ReadMemStats(&before)
		s.Add(keys...)
		s.rank(End)
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := float64(after.HeapAlloc-before.HeapAlloc) / n
		t.Logf("%s: %.1f bytes a key in %d blocks", order, each, len(s.blocks))
		if each > 48 {
			t.Errorf("%s: %.1f bytes a key", order, each)
		}
		runtime.KeepAlive(keys)
		runtime.KeepAlive(s)
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, order := range []string{"in order", "anywhere"} {
		b.Run(order, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			var s Set
			for i := range 1_000_000 {
				k := random(r, 1)
				k.Time = uint64(i)
				s.Add(k)
			}
			i := uint64(1_000_000)
			for b.Loop() {
				k := random(r, 1_000_000)
				if order == "in order" {
					k.Time = i
				}
				i++
				s.Add(k)
			}
		})
	}
}
