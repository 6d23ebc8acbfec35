package rbsr

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/golden"
)

// vectors makes testdata/vectors.txt: two exchanges, message by message, and what is refused.
func vectors(t *testing.T) string {
	var out strings.Builder
	key := func(i int) Key {
		return Key{Time: uint64(i/2) * 1000, ID: sha256.Sum256(fmt.Appendf(nil, "key %d", i))}
	}
	set := func(name string, keys ...int) *Set {
		s := new(Set)
		for _, i := range keys {
			s.Add(key(i))
		}
		f, n := s.Fingerprint(Key{}, End)
		fmt.Fprintf(&out, "set-%s of %d keys, fingerprint %x\n", name, n, f)
		return s
	}
	numbers := func(from, to int, but ...int) (n []int) {
		for i := from; i < to; i++ {
			if !slices.Contains(but, i) {
				n = append(n, i)
			}
		}
		return n
	}
	talk := func(name string, from Key, a, b *Set) {
		x, m := Begin(a, from)
		y := Join(b)
		for i := 1; m != nil; i++ {
			lower, spans, err := parse(m)
			if err != nil || string(write(lower, spans)) != string(m) {
				t.Errorf("%s, message %d: %v", name, i, err)
			}
			fmt.Fprintf(&out, "%s-%d %x\n", name, i, m)
			side := []*Exchange{x, y}[i%2]
			if m, err = side.Take(m); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range x.Need() {
			fmt.Fprintf(&out, "%s-a-needs %d %x\n", name, k.Time, k.ID)
		}
		for _, k := range y.Need() {
			fmt.Fprintf(&out, "%s-b-needs %d %x\n", name, k.Time, k.ID)
		}
	}
	for i := range 3 {
		fmt.Fprintf(&out, "key-%d %d %x\n", i, key(i).Time, key(i).ID)
	}
	none, three := set("none"), set("three", 0, 1, 2)
	a, b := set("a", numbers(0, 200, 77)...), set("b", numbers(0, 200, 13, 150)...)
	talk("equal", Key{}, three, three)
	talk("few", Key{}, none, three)
	talk("many", Key{}, a, b)
	talk("later", Key{Time: 50_000}, a, b)
	for _, name := range slices.Sorted(maps.Keys(refused())) {
		fmt.Fprintf(&out, "refused-%s %s\n", strings.ReplaceAll(name, " ", "-"), hex.EncodeToString(refused()[name]))
	}
	return out.String()
}

func TestVectors(t *testing.T) { golden.Check(t, "testdata/vectors.txt", vectors(t)) }
