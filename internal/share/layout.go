package share

import (
	"iter"
	"slices"
	"sort"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// All groups of all files of a share are counted through, in the order of the manifest: a
// file of n groups has the n numbers that follow those of the file before it. So what is
// there, what is wanted and what somebody has are runs of numbers, whether a share is one
// file of a terabyte or a million files of a few bytes. The numbers of what comes first do
// not depend on what follows, so that a share can grow.
//
// Groups are passed around one by one, but told of in pieces of 64.

// piece is how many groups there are in a piece.
const piece = 64

// pieces returns how many pieces have these groups.
func pieces(groups int64) int64 { return (groups + piece - 1) / piece }

// every is how many entries there are between two marks of a layout.
const every = 256

// A layout finds the files that groups belong to. It does not change.
type layout struct {
	index  manifest.Index
	marks  []int64 // the first group of every entry whose number is a multiple of every
	groups int64
}

// grown returns the layout of a manifest of which l is that of the beginning.
func (l layout) grown(index manifest.Index) layout {
	more := layout{index, slices.Clip(l.marks), l.groups}
	for n, e := range index.From(l.index.Totals().Entries) {
		if n%every == 0 {
			more.marks = append(more.marks, more.groups)
		}
		more.groups += tree.Shape(e.Size).Groups()
	}
	return more
}

// A part is some of the groups of one file.
type part struct {
	n     int // the number of the entry
	entry manifest.Entry
	first int64    // the number in the share of the file's first group
	run   tree.Run // of the file's groups
}

// whole returns the part's groups as they are counted in the share.
func (p part) whole() tree.Run {
	return tree.Run{From: p.first + p.run.From, To: p.first + p.run.To}
}

// parts yields the files that have groups of a run, which must be in the layout.
func (l layout) parts(r tree.Run) iter.Seq[part] {
	return func(yield func(part) bool) {
		mark := sort.Search(len(l.marks), func(i int) bool { return l.marks[i] > r.From }) - 1
		if mark < 0 {
			return
		}
		first := l.marks[mark]
		for n, e := range l.index.From(mark * every) {
			groups := tree.Shape(e.Size).Groups()
			run := tree.Run{From: max(r.From-first, 0), To: min(r.To-first, groups)}
			switch {
			case first >= r.To:
				return
			case run.Len() <= 0:
			case !yield(part{n, e, first, run}):
				return
			}
			first += groups
		}
	}
}

// bytes returns how many bytes those groups of a run have that are in a set.
func (l layout) bytes(of *set, r tree.Run) (n int64) {
	if r.Len() <= 0 || of.scan(r.From, r.To, false) == r.To {
		return 0
	}
	for p := range l.parts(r) {
		for at, in := p.whole().From, p.whole(); at < in.To; {
			from := of.scan(at, in.To, false)
			at = of.scan(from, in.To, true)
			n += p.upTo(at) - p.upTo(from)
		}
	}
	return n
}

// upTo returns how many bytes of the file are in groups of the share before one.
func (p part) upTo(g int64) int64 { return min((g-p.first)*tree.Group, p.entry.Size) }
