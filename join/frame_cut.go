package join

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/tenon-net/tenon/transport"
)

// minCut is the least space, and chunkLen the most, that a cutter offers for one
// read; a Chunks message is never longer than chunkLen.
const (
	minCut   = 4 << 10
	chunkLen = 64 << 10
)

// A cutter finds the messages in a run of bytes. It does no I/O: bytes are put
// into space, and taken out by next. It holds no more than one message of max bytes
// and one read, and grows only with the bytes that have come.
type cutter struct {
	framing    Framing
	max        int
	buf        []byte
	start, end int // of what has come and not been taken
	seen       int // bytes from start that are known to hold no separator
	filled     bool
}

func newCutter(f Framing, limit int) *cutter {
	if limit <= 0 {
		limit = DefaultMaxMsg
	}
	return &cutter{framing: f, max: min(limit, math.MaxInt32)}
}

// space returns room for at least one byte more. It moves what is held, so that
// what next returned is no longer valid.
func (c *cutter) space() []byte {
	if c.start == c.end {
		c.start, c.end = 0, 0
		if len(c.buf) > chunkLen {
			c.buf = nil
		}
	}
	size := len(c.buf)
	if held := c.end - c.start; c.filled && size < chunkLen || held == size {
		size = min(2*size, held+chunkLen) // a full buffer makes a larger one
	}
	if size = max(size, minCut); size > len(c.buf) {
		bigger := make([]byte, size)
		copy(bigger, c.buf[c.start:c.end])
		c.buf, c.start, c.end = bigger, 0, c.end-c.start
	} else if c.start > 0 {
		c.start, c.end = 0, copy(c.buf, c.buf[c.start:c.end])
	}
	room := c.buf[c.end:]
	if c.framing == Chunks {
		room = room[:min(len(room), c.max)]
	}
	return room
}

// added says that n bytes have been put into space.
func (c *cutter) added(n int) {
	c.end += n
	c.filled = c.end == len(c.buf)
}

// next returns the next whole message, valid until space is called, or false if
// more bytes are needed. After an error there is no next message.
func (c *cutter) next() ([]byte, bool, error) {
	held := c.buf[c.start:c.end]
	switch c.framing {
	case Chunks:
		if n := min(len(held), c.max); n > 0 {
			return c.take(n, 0), true, nil
		}
	case Prefixed:
		if len(held) < 4 {
			break
		}
		n := binary.BigEndian.Uint32(held)
		if uint64(n) > uint64(c.max) {
			return nil, false, c.framing.tooLongError(c.max)
		}
		if len(held)-4 >= int(n) {
			c.start += 4
			return c.take(int(n), 0), true, nil
		}
	default:
		i := bytes.IndexByte(held[c.seen:], c.framing.separator())
		switch {
		case i >= 0 && c.seen+i > c.max, i < 0 && len(held) > c.max:
			return nil, false, c.framing.tooLongError(c.max)
		case i >= 0:
			return c.take(c.seen+i, 1), true, nil
		}
		c.seen = len(held)
	}
	return nil, false, nil
}

// rest returns what is left when no more bytes will come: a last message that
// nothing ends, if there is one. Half a message of Prefixed is an error.
func (c *cutter) rest() ([]byte, bool, error) {
	n := c.end - c.start
	if n == 0 {
		return nil, false, nil
	}
	if c.framing == Prefixed {
		return nil, false, io.ErrUnexpectedEOF
	}
	return c.take(n, 0), true, nil
}

func (c *cutter) take(n, separator int) []byte {
	p := c.buf[c.start : c.start+n : c.start+n]
	c.start += n + separator
	c.seen = 0
	return p
}

// frame appends to dst the message p as it stands in a Stream.
func (f Framing) frame(dst, p []byte) ([]byte, error) {
	switch f {
	case Chunks:
		return append(dst, p...), nil
	case Prefixed:
		if uint64(len(p)) > math.MaxUint32 {
			return dst, transport.ErrMsgTooLong
		}
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...), nil
	case People:
		dst = append(dst, p...)
		if len(p) == 0 || p[len(p)-1] != '\n' {
			dst = append(dst, '\n')
		}
		return dst, nil
	}
	i := bytes.IndexByte(p, f.separator())
	switch {
	case i >= 0 && f == Lines && i == len(p)-1:
		return append(dst, p...), nil
	case i >= 0:
		return dst, f.separatorError()
	}
	return append(append(dst, p...), f.separator()), nil
}

// errBroken follows a write that failed in the middle of a message: what was
// written next would be taken for the rest of it.
var errBroken = errors.New("an earlier write failed in the middle of a message")
