package link

import (
	"sync"

	"github.com/tenon-net/tenon/internal/account"
)

// The sizes of blocks, without the room for a head. A large one makes one frame of data.
const (
	tinyBlock   = 512 // most streams carry little, and keep it until it is acknowledged
	smallBlock  = 4 << 10
	middleBlock = 32 << 10
	largeBlock  = maxData

	// minPiece is how much of a long Write a block takes at least that is not empty: it
	// is better to waste its end than to send two frames.
	minPiece = 16 << 10
)

var tinyBlocks, smallBlocks, middleBlocks, largeBlocks = pool(tinyBlock), pool(smallBlock), pool(middleBlock), pool(largeBlock)

func pool(size int) *sync.Pool { return &sync.Pool{New: func() any { return newBlock(size) }} }

// poolOf returns where blocks of a size are.
func poolOf(size int) *sync.Pool {
	switch size {
	case tinyBlock:
		return tinyBlocks
	case smallBlock:
		return smallBlocks
	case middleBlock:
		return middleBlocks
	}
	return largeBlocks
}

// A block is a piece of a buffer: b[start:end] is held. The first headSize bytes are
// room for the head of a frame.
type block struct {
	b          []byte
	start, end int
	pinned     bool // somebody reads or writes it without the lock
}

func newBlock(size int) *block {
	return &block{b: make([]byte, headSize+size), start: headSize, end: headSize}
}

func (k *block) size() int { return len(k.b) - headSize }

// A buffer is a queue of bytes in blocks. It grows as it fills and gives all back when
// it is empty.
type buffer struct {
	blocks []*block
	length int
	memory *account.Account // pays for the blocks; nil if they are paid for
}

// room returns where up to n more bytes may be put, as many as fit into one block, and
// none if there is no memory. The first bytes of a buffer always have some.
func (q *buffer) room(n int) *block {
	if len(q.blocks) > 0 {
		if k := q.blocks[len(q.blocks)-1]; len(k.b)-k.end >= min(n, minPiece) {
			return k
		}
	}
	size := largeBlock
	switch {
	case len(q.blocks) == 0 && n <= tinyBlock:
		size = tinyBlock
	case len(q.blocks) == 0 && n <= smallBlock:
		size = smallBlock
	case n <= middleBlock && q.length < 2*middleBlock:
		size = middleBlock
	}
	if q.memory != nil && !q.memory.Take(int64(size), false) {
		if len(q.blocks) > 0 {
			return nil
		}
		size = smallBlock
		q.memory.Take(smallBlock, true)
	}
	k := poolOf(size).Get().(*block) //nolint:forcetypeassert // there is nothing else in it
	q.blocks = append(q.blocks, k)
	return k
}

// put adds as much of p as fits into one block and returns how much that is.
func (q *buffer) put(p []byte) int {
	k := q.room(len(p))
	if k == nil {
		return 0
	}
	n := copy(k.b[k.end:], p)
	k.end += n
	q.length += n
	return n
}

// take moves bytes from the front to p.
func (q *buffer) take(p []byte) (n int) {
	for _, k := range q.blocks {
		m := copy(p[n:], k.b[k.start:k.end])
		if n += m; n == len(p) {
			break
		}
	}
	q.drop(n)
	return n
}

// drop removes n bytes from the front.
func (q *buffer) drop(n int) {
	q.length -= n
	for _, k := range q.blocks {
		m := min(n, k.end-k.start)
		k.start += m
		if n -= m; n == 0 {
			break
		}
	}
	q.trim()
}

// trim gives blocks back that are empty.
func (q *buffer) trim() {
	i := 0
	for ; i < len(q.blocks); i++ {
		k := q.blocks[i]
		if k.pinned || k.start < k.end {
			break
		}
		q.free(k)
	}
	if i > 0 {
		q.blocks = q.blocks[:copy(q.blocks, q.blocks[i:])]
	}
	if len(q.blocks) == 0 {
		q.blocks = nil
	}
}

func (q *buffer) free(k *block) {
	if q.memory != nil {
		q.memory.Give(int64(k.size()))
	}
	k.start, k.end = headSize, headSize
	poolOf(k.size()).Put(k)
}

// clear removes everything.
func (q *buffer) clear() { q.drop(q.length) }

// at returns the block in which the byte number i from the front is, and where. It
// looks from the back, where who sends is.
func (q *buffer) at(i int) (k *block, offset int) {
	from := q.length
	for j := len(q.blocks) - 1; j >= 0; j-- {
		k := q.blocks[j]
		if from -= k.end - k.start; i >= from {
			return k, k.start + i - from
		}
	}
	panic("link: there is no such byte")
}
