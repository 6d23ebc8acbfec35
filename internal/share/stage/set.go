package stage

import (
	"iter"
	"math/bits"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// A set is a set of numbers up to maxNumber: groups of a share, or entries. It takes memory
// for pages in which there are some: a share may announce files that are larger than any.
// The zero set is empty.
type set struct {
	pages []*page // nil: nothing is in it
	count int64
}

const (
	pageBits  = 1 << 18 // groups of 16 GiB, in 32 KiB of memory
	maxNumber = 1 << 34 // groups of a petabyte
)

type page [pageBits / 64]uint64

// word returns 64 numbers, of which n is one, as bits.
func (s *set) word(n int64) uint64 {
	if i := n / pageBits; i < int64(len(s.pages)) && s.pages[i] != nil {
		return s.pages[i][n%pageBits/64]
	}
	return 0
}

func (s *set) has(n int64) bool { return s.word(n)&(1<<(n%64)) != 0 }

// put puts a number in, or takes it out.
func (s *set) put(n int64, in bool) {
	if s.has(n) == in {
		return
	}
	i := n / pageBits
	for int64(len(s.pages)) <= i {
		s.pages = append(s.pages, nil)
	}
	if s.pages[i] == nil {
		s.pages[i] = new(page)
	}
	s.pages[i][n%pageBits/64] ^= 1 << (n % 64)
	if in {
		s.count++
	} else {
		s.count--
	}
}

// putRun puts a run in, or takes it out: that costs what of it is in the set, and not what a
// share has announced.
func (s *set) putRun(r tree.Run, in bool) {
	for n := s.next(r.From, r.To, !in); n < r.To; n = s.next(n, r.To, !in) {
		s.put(n, in)
	}
}

// next returns the first number from n on, and below to, that is in the set or, with in
// false, that is not; or to.
func (s *set) next(n, to int64, in bool) int64 {
	for n < to {
		if i := n / pageBits; in && (i >= int64(len(s.pages)) || s.pages[i] == nil) {
			n = (i + 1) * pageBits
			if i >= int64(len(s.pages)) {
				return to
			}
			continue
		}
		w := s.word(n)
		if !in {
			w = ^w
		}
		if w &= ^uint64(0) << (n % 64); w != 0 {
			return min(to, n/64*64+int64(bits.TrailingZeros64(w)))
		}
		n = (n/64 + 1) * 64
	}
	return to
}

// everything is a run of all numbers that may be in a set.
var everything = tree.Run{To: maxNumber}

// runs yields the runs of numbers of a run that are in the set, in order.
func (s *set) runs(in tree.Run) iter.Seq[tree.Run] {
	return func(yield func(tree.Run) bool) {
		limit := min(in.To, int64(len(s.pages))*pageBits)
		for r := (tree.Run{To: in.From}); r.To < limit; {
			r.From = s.next(r.To, limit, true)
			r.To = s.next(r.From, limit, false)
			if r.Len() == 0 || !yield(r) {
				return
			}
		}
	}
}

// all tells whether all numbers of a run are in the set.
func (s *set) all(r tree.Run) bool { return r.Len() <= 0 || s.next(r.From, r.To, false) == r.To }

// none tells whether none is.
func (s *set) none(r tree.Run) bool { return r.Len() <= 0 || s.next(r.From, r.To, true) == r.To }

func (s *set) clone() set {
	c := set{make([]*page, len(s.pages)), s.count}
	for i, p := range s.pages {
		if p != nil {
			q := *p
			c.pages[i] = &q
		}
	}
	return c
}
