package share

import (
	"math/bits"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// A set is a set of small numbers: groups of a share, or pieces. The zero set is empty.
type set struct {
	words []uint64
	count int64
}

// word returns 64 members as bits, the lowest being 64*i.
func (s *set) word(i int64) uint64 {
	if i >= int64(len(s.words)) {
		return 0
	}
	return s.words[i]
}

func (s *set) has(n int64) bool { return s.word(n/64)&(1<<(n%64)) != 0 }

// add adds the numbers of a run and returns how many of them are new.
func (s *set) add(r tree.Run) int64 {
	if need := (r.To + 63) / 64; need > int64(len(s.words)) {
		s.words = append(s.words, make([]uint64, need-int64(len(s.words)))...)
	}
	return s.change(r, func(w, mask uint64) uint64 { return w | mask })
}

// put says which of 64 numbers, the lowest being 64*i, are in the set.
func (s *set) put(i int64, w uint64) {
	if i >= int64(len(s.words)) {
		s.words = append(s.words, make([]uint64, i+1-int64(len(s.words)))...)
	}
	s.count += int64(bits.OnesCount64(w) - bits.OnesCount64(s.words[i]))
	s.words[i] = w
}

// remove takes the numbers of a run out.
func (s *set) remove(r tree.Run) {
	r.To = min(r.To, 64*int64(len(s.words)))
	s.change(r, func(w, mask uint64) uint64 { return w &^ mask })
}

func (s *set) change(r tree.Run, to func(w, mask uint64) uint64) (more int64) {
	for at := r.From; at < r.To; {
		i := at / 64
		mask := maskOf(at%64, min(r.To-i*64, 64))
		before := bits.OnesCount64(s.words[i])
		s.words[i] = to(s.words[i], mask)
		more += int64(bits.OnesCount64(s.words[i]) - before)
		at = (i + 1) * 64
	}
	s.count += more
	return more
}

// maskOf has the bits from a up to, and not including, b.
func maskOf(a, b int64) uint64 {
	return ^uint64(0) << a & (^uint64(0) >> (64 - b))
}

// missing returns the first run of numbers, from one on and below a limit, that are not
// in the set. It is empty if there is none.
func (s *set) missing(from, limit int64) tree.Run {
	first := s.scan(from, limit, true)
	return tree.Run{From: first, To: s.scan(first, limit, false)}
}

// scan returns the first number, from one on and below a limit, that is in the set or,
// with clear, that is not; or the limit.
func (s *set) scan(from, limit int64, clear bool) int64 {
	for at := from; at < limit; {
		i := at / 64
		w := s.word(i)
		if clear {
			w = ^w
		}
		if w &= ^uint64(0) << (at % 64); w != 0 {
			return min(i*64+int64(bits.TrailingZeros64(w)), limit)
		}
		at = (i + 1) * 64
	}
	return limit
}
