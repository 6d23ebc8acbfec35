package manifest

import "errors"

// ErrFinished: the manifest has its end already.
var ErrFinished = errors.New("the manifest is finished")

// An Encoder writes a manifest, one block after the other. It keeps one block. It is
// for one goroutine.
type Encoder struct {
	// Emit is given every block when it is full, and the last one by Finish. The
	// bytes are the Encoder's again when it returns. If it fails, so does all that
	// follows.
	Emit func(block []byte) error

	MaxEntries int // 0 means the constant of that name

	size   int // of blocks; 0 means BlockSize: tests have smaller ones
	place  place
	tally  tally
	number int
	block  []byte // empty before its first entry
	err    error
}

// Add writes the next entry. What a Decoder would refuse it refuses with an [*Error],
// and can then go on without that entry.
func (e *Encoder) Add(entry Entry) error {
	if e.err != nil {
		return e.err
	}
	it, rule := e.place.item(&entry)
	if rule == "" {
		rule = e.place.check(&it)
	}
	tally, tooMuch := e.tally.with(&it, len(entry.Path), e.MaxEntries)
	if rule == "" {
		rule = tooMuch
	}
	if rule != "" {
		return &Error{e.number, e.tally.Entries, shown(entry.Path), rule}
	}
	if len(e.block) > 0 {
		if b := it.append(e.block, e.place.mtime); len(b)+1 <= e.blockSize() {
			e.block = b
			e.place.move(&it)
			e.tally = tally
			return nil
		}
		if e.err = e.close(); e.err != nil {
			return e.err
		}
	}
	start, _ := e.place.at(it.depth)
	parent := []byte(entry.Path[:max(0, start-1)])
	e.place.begin(parent)
	it, _ = e.place.item(&entry) // nothing is left out at the beginning of a block
	e.block = it.append(appendHeader(e.block, e.number, parent), 0)
	e.place.move(&it)
	e.tally = tally
	return nil
}

// Partial returns what there is of the block that is not yet full, all of it whole
// entries. It is a part of the manifest in every case: a Decoder reads it, and what
// the Encoder adds follows it. It is the Encoder's, and good until the next call.
func (e *Encoder) Partial() []byte { return e.block }

// Totals returns what has been added up to now.
func (e *Encoder) Totals() Totals { return e.tally.Totals }

// Finish writes the end and gives out the last block.
func (e *Encoder) Finish() error {
	if e.err != nil {
		return e.err
	}
	if len(e.block) > 0 && len(appendFooter(e.block, e.tally.Totals)) > e.blockSize() {
		if e.err = e.close(); e.err != nil {
			return e.err
		}
	}
	if len(e.block) == 0 {
		e.block = appendHeader(e.block, e.number, nil)
	}
	e.block = appendFooter(e.block, e.tally.Totals)
	if e.err = e.Emit(e.block); e.err != nil {
		return e.err
	}
	e.err, e.block = ErrFinished, e.block[:0]
	return nil
}

// close pads the block and gives it out.
func (e *Encoder) close() error {
	b := append(e.block, endOfBlock)
	for len(b) < e.blockSize() {
		b = append(b, 0)
	}
	e.number++
	e.block = b[:0]
	return e.Emit(b)
}

func (e *Encoder) blockSize() int {
	if e.size == 0 {
		return BlockSize
	}
	return e.size
}
