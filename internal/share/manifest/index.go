package manifest

import (
	"io"
	"iter"
	"slices"
	"sort"
)

// A Builder puts a manifest together out of bytes that come in order, from an Encoder
// or from somebody else, and checks them as a Decoder does. It is for one goroutine;
// an Index of it is not changed by what comes later. The zero Builder is empty.
type Builder struct {
	MaxEntries int // 0 means the constant of that name

	dec Decoder
	x   Index
}

// Append takes the next bytes, which stay the caller's and may end anywhere. When it
// has failed, it fails always, and the Index has what was right.
func (b *Builder) Append(p []byte) error {
	b.dec.MaxEntries = b.MaxEntries
	b.x.size = b.dec.blockSize()
	for len(p) > 0 && b.dec.err == nil {
		n := min(len(p), b.x.size-len(b.x.open))
		if b.dec.done {
			b.dec.fail(RuleAfter)
			break
		}
		b.x.open = grow(b.x.open, p[:n], b.x.size)
		p = p[n:]
		for b.dec.next(b.x.open) {
		}
		if b.dec.number > len(b.x.blocks) {
			b.x.blocks = append(b.x.blocks, b.x.open)
			b.x.first = append(b.x.first, b.dec.tally.Entries)
			b.x.open = nil
		}
	}
	b.x.totals, b.x.done = b.dec.tally.Totals, b.dec.done
	return b.dec.err
}

// Index returns what has come.
func (b *Builder) Index() Index { return b.x }

// grow appends to a block and never takes more memory than a block has.
func grow(block, more []byte, size int) []byte {
	if need := len(block) + len(more); need > cap(block) {
		bigger := make([]byte, len(block), min(size, max(need, 2*len(block))))
		copy(bigger, block)
		block = bigger
	}
	return append(block, more...)
}

// An Index is a manifest, or the beginning of one, in memory: its bytes, and for each
// block the number of its first entry. It does not change, and any number of
// goroutines may use it. The zero Index has no entries.
type Index struct {
	size   int
	blocks [][]byte // whole ones
	first  []int    // the number of the first entry behind each of them
	open   []byte   // what there is of the last one
	totals Totals
	done   bool
}

// Totals returns what the entries add up to.
func (x Index) Totals() Totals { return x.totals }

// Done tells whether the manifest is complete.
func (x Index) Done() bool { return x.done }

// Size returns how many bytes of the manifest there are.
func (x Index) Size() int64 { return int64(len(x.blocks))*int64(x.size) + int64(len(x.open)) }

// ReadAt reads bytes of the manifest, as [io.ReaderAt] says.
func (x Index) ReadAt(p []byte, off int64) (n int, err error) {
	for off >= 0 && off < x.Size() && n < len(p) {
		c := copy(p[n:], x.block(int(off / int64(x.size)))[off%int64(x.size):])
		n, off = n+c, off+int64(c)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Entry returns entry n, counted from 0. It reads half a block for it on average, which
// takes about a quarter of a millisecond: From is the way to many of them.
func (x Index) Entry(n int) (Entry, bool) {
	for _, e := range x.From(n) {
		return e, true
	}
	return Entry{}, false
}

// From returns the entries from n on, with their numbers.
func (x Index) From(n int) iter.Seq2[int, Entry] {
	return func(yield func(int, Entry) bool) {
		for i, d := range x.walk(n) {
			if !yield(i, d.place.entry(&d.item)) {
				return
			}
		}
	}
}

// Find returns the number of the entry with this path, and the entry.
func (x Index) Find(path string) (int, Entry, bool) {
	// The block is the last one whose first entry does not stand behind the path.
	k := sort.Search(x.starts(), func(i int) bool {
		d := alone(i, x.size)
		d.next(x.block(i))
		return compare(d.place.path, path) > 0
	}) - 1
	if k < 0 {
		return 0, Entry{}, false
	}
	for i, d := range x.walk(x.firstOf(k)) {
		if c := compare(d.place.path, path); c == 0 {
			return i, d.place.entry(&d.item), true
		} else if c > 0 {
			break
		}
	}
	return 0, Entry{}, false
}

// walk goes through the entries from n on without making anything of them: the
// Decoder is at the entry.
func (x Index) walk(n int) iter.Seq2[int, *Decoder] {
	return func(yield func(int, *Decoder) bool) {
		k, _ := slices.BinarySearch(x.first, n+1) // how many blocks end before n
		for ; n >= 0 && k < x.starts(); k++ {
			d := alone(k, x.size)
			for i, block := x.firstOf(k), x.block(k); i < x.totals.Entries && d.next(block); i++ {
				if i >= n && !yield(i, d) {
					return
				}
			}
		}
	}
}

// starts returns how many blocks have an entry.
func (x Index) starts() int {
	if x.firstOf(len(x.blocks)) < x.totals.Entries {
		return len(x.blocks) + 1
	}
	return len(x.blocks)
}

// firstOf returns the number of the first entry of block k.
func (x Index) firstOf(k int) int {
	if k == 0 {
		return 0
	}
	return x.first[k-1]
}

func (x Index) block(k int) []byte {
	if k == len(x.blocks) {
		return x.open
	}
	return x.blocks[k]
}
