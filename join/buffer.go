package join

import "sync"

// Sizes of buffers, in bytes. A direction begins with a tiny one, because most are idle
// most of the time, has a small one once a read has filled that, and switches to a large
// one while reads fill it.
const (
	tinyBuffer  = 512
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10
)

// A buffer is what one direction reads into. What next returned is valid until it
// is called again.
type buffer struct {
	small []byte
	large *[]byte // from the pool while reads are long, else nil
	short int     // reads in a row that the small one would have held
}

// shortReads is how many short reads in a row return the large buffer to the pool.
const shortReads = 16

var largeBuffers = sync.Pool{New: func() any { p := make([]byte, largeBuffer); return &p }}

// next returns the space for the next read, in the light of how much the last
// one returned.
func (b *buffer) next(last int) []byte {
	switch {
	case b.small == nil:
		b.small = make([]byte, tinyBuffer)
	case len(b.small) == tinyBuffer && last == tinyBuffer:
		b.small = make([]byte, smallBuffer)
	case b.large == nil && last == smallBuffer:
		b.large, b.short = largeBuffers.Get().(*[]byte), 0
	case b.large != nil && last > smallBuffer:
		b.short = 0
	case b.large != nil:
		if b.short++; b.short == shortReads {
			b.free()
		}
	}
	if b.large != nil {
		return *b.large
	}
	return b.small
}

func (b *buffer) free() {
	if b.large != nil {
		largeBuffers.Put(b.large)
		b.large = nil
	}
}
