//go:build linux

package ipc

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// In a ring of messages, all is records: docs/protocol/shm.md, "Messages".

const (
	skip     = 0xFFFFFFFF // the length that means: go on at the beginning of the ring
	textFlag = 1
)

// putHead writes the two words at the beginning of the record at position at, which
// is a multiple of 8. Like the message itself, they are visible once tail is published.
func putHead(data []byte, at uint64, length, flags uint32) {
	binary.NativeEndian.PutUint32(data[at:], length)
	binary.NativeEndian.PutUint32(data[at+4:], flags)
}

// head reads them, each once: the producer may change them at any time.
func head(data []byte, at uint64) (length, flags uint32) {
	p := unsafe.Pointer(&data[at : at+recordHead][0])
	return atomic.LoadUint32((*uint32)(p)), atomic.LoadUint32((*uint32)(unsafe.Add(p, 4)))
}

// recordSize is the room in a ring that a message takes.
func recordSize(n int) uint64 { return recordHead + (uint64(n)+7)&^7 }

// needs returns how much must be free for a message of n bytes, with what is left
// unused at the end of the ring.
func (p *producer) needs(n int) uint64 {
	size, left := recordSize(n), uint64(len(p.data))-p.tail&uint64(len(p.data)-1)
	if size > left {
		return left + size
	}
	return size
}

// body returns where the message of n bytes goes, for which there is room. It
// writes the mark that sends the consumer back to the beginning, if need be.
func (p *producer) body(n int) []byte {
	at := p.tail & uint64(len(p.data)-1)
	if left := uint64(len(p.data)) - at; recordSize(n) > left {
		putHead(p.data, at, skip, 0)
		p.tail += left
		at = 0
	}
	at += recordHead
	return p.data[at : at+uint64(n) : at+uint64(n)]
}

// seal makes a record of the n bytes in the body. It is not published.
func (p *producer) seal(n int, text bool) {
	flags := uint32(0)
	if text {
		flags = textFlag
	}
	putHead(p.data, p.tail&uint64(len(p.data)-1), uint32(n), flags)
	p.tail += recordSize(n)
}

// A record is a message in the ring.
type record struct {
	body []byte
	text bool
}

// next returns the next record that is known to be in the ring; ok is false if
// there is none. It stays there until drop.
func (c *consumer) next() (r record, ok bool, err error) {
	for c.filled() > 0 {
		at := c.head & uint64(len(c.data)-1)
		left := uint64(len(c.data)) - at
		length, flags := head(c.data, at)
		if length == skip {
			if left > c.filled() {
				return r, false, violation("a mark at %d for the end of the ring, with tail %d", c.head, c.tail)
			}
			c.head += left
			continue
		}
		switch {
		case uint64(length) > uint64(maxMsg(uint64(len(c.data)))):
			return r, false, violation("a message of %d bytes", length)
		case recordSize(int(length)) > min(left, c.filled()):
			return r, false, violation("a record of %d bytes at %d, with tail %d", length, c.head, c.tail)
		case flags&^textFlag != 0:
			return r, false, violation("flags %#x", flags)
		}
		at += recordHead
		end := at + uint64(length)
		return record{c.data[at:end:end], flags&textFlag != 0}, true, nil
	}
	return r, false, nil
}

// drop takes the record with a message of n bytes, which next returned, out of the
// ring. It is not published.
func (c *consumer) drop(n int) { c.head += recordSize(n) }
