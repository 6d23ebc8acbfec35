package manifest

import (
	"iter"
	"math"
)

// A Decoder reads a manifest, one block after the other. It keeps no entries. It is
// for one goroutine.
type Decoder struct {
	MaxEntries int // 0 means the constant of that name

	size   int  // of blocks; 0 means BlockSize: tests have smaller ones
	alone  bool // nothing is known of the blocks before
	number int  // of the block
	off    int  // bytes of it that have been read
	place  place
	item   item // the last one
	tally  tally
	done   bool
	err    error

	before place // at the end of the block before this one
	used   int   // bytes of that up to its end mark
}

// Block reads the entries of the next block, of which the first bytes may be given
// alone: when all entries that are there in full have been read, it can be called
// again with more of the same block, and goes on. A block is over when all of its
// BlockSize bytes have been given and every entry was taken; then comes the next one.
// After an [*Error] there is nothing more.
func (d *Decoder) Block(block []byte) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for d.next(block) {
			if !yield(d.place.entry(&d.item), nil) {
				return
			}
		}
		if d.err != nil {
			yield(Entry{}, d.err)
		}
	}
}

// Done tells whether the end of the manifest has been read.
func (d *Decoder) Done() bool { return d.done }

// Totals returns what has been read up to now.
func (d *Decoder) Totals() Totals { return d.tally.Totals }

// OneBlock reads the entries of a block by itself, whole or in part. What depends on
// other blocks is not checked.
func OneBlock(number int, block []byte) iter.Seq2[Entry, error] {
	return alone(number, BlockSize).Block(block)
}

// alone returns a Decoder for one block. It counts nothing that a block does not bound.
func alone(number, size int) *Decoder {
	return &Decoder{MaxEntries: math.MaxInt / meanPath, alone: true, number: number, size: size}
}

// Read reads a whole manifest.
func Read(manifest []byte) iter.Seq2[Entry, error] { return new(Decoder).read(manifest) }

func (d *Decoder) read(manifest []byte) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for len(manifest) > 0 && d.err == nil {
			n := min(len(manifest), d.blockSize())
			if d.done {
				d.fail(RuleAfter)
				break
			}
			for d.next(manifest[:n]) {
				if !yield(d.place.entry(&d.item), nil) {
					return
				}
			}
			manifest = manifest[n:]
		}
		if !d.done && d.err == nil {
			d.fail(RuleCut)
		}
		if d.err != nil {
			yield(Entry{}, d.err)
		}
	}
}

// next reads one entry into item and moves to it, or returns false: the block is over,
// or more of it is needed, or err is set.
func (d *Decoder) next(block []byte) bool {
	switch {
	case d.err != nil:
		return false
	case len(block) > d.blockSize(), d.done && len(block) > d.off:
		d.item = item{}
		d.fail(RuleAfter)
		return false
	case d.done, len(block) < d.off:
		return false
	}
	d.item = item{}
	r := reader{b: block[d.off:]}
	if d.off == 0 {
		d.header(&r)
	}
	what := endOfBlock
	if len(r.b) > 0 {
		what = r.b[0]
	} else {
		r.fail(RuleCut)
	}
	switch {
	case r.rule != "":
	case what == endOfBlock:
		d.end(&r, block)
	case what == footerMark:
		d.footer(&r)
	default:
		r.item(&d.item, d.place.mtime)
		d.accept(&r)
	}
	switch {
	case r.rule == RuleCut && len(block) < d.blockSize():
		return false // the rest has not come yet
	case r.rule != "":
		d.fail(r.rule)
		return false
	case what == endOfBlock:
		d.off = 0
		return false
	}
	d.off = len(block) - len(r.b)
	return what != footerMark
}
