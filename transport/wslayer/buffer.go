package wslayer

import "sync"

// chunkSize is the size of the buffers that connections share: how much of a frame
// is written at once, and how much of a message is read before more is allocated.
const chunkSize = 64 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// takeBuffer returns an empty buffer that has room for chunkSize.
func takeBuffer() []byte { return chunks.Get().(*[chunkSize]byte)[:0] }

// giveBuffer gives a buffer to the next who takes one. One that has grown, and one
// that is not from takeBuffer, is left to the garbage collector.
func giveBuffer(b []byte) {
	if cap(b) == chunkSize {
		chunks.Put((*[chunkSize]byte)(b[:chunkSize]))
	}
}
