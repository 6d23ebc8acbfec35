package proxy

import "errors"

// maxChunkLine is the length in bytes of the longest line of a chunked body, and
// maxTrailer of all that follows the last chunk.
const (
	maxChunkLine = 4 << 10
	maxTrailer   = maxHead
)

// chunks follows a body in the chunked transfer coding (RFC 9112, section 7.1),
// byte by byte where there is syntax, to find its end. It is strict, because what
// it takes for the end must be the end for the server too.
//
//	size → data → dataCR → dataLF → size
//	size → (0) → trailer → … → ended
type chunks struct {
	state chunkState
	left  uint64 // bytes of data; while a size is read, its value so far
	digit int    // hexadecimal digits of the size so far
	line  int    // bytes of the line so far
	total int    // bytes of the trailer so far
	last  bool   // the chunk of size 0 has come
}

type chunkState int

const (
	inSize chunkState = iota
	inExtension
	sizeLF
	inData
	dataCR
	dataLF
	inTrailer
	trailerLF
)

var errChunk = errors.New("the chunked body is malformed")

// scan returns how many bytes of p belong to the body, and whether it ends there.
func (c *chunks) scan(p []byte) (n int, done bool, err error) {
	for n < len(p) {
		if c.state == inData {
			k := min(c.left, uint64(len(p)-n))
			n += int(k)
			if c.left -= k; c.left == 0 {
				c.state = dataCR
			}
			continue
		}
		done, err = c.step(p[n])
		if err != nil {
			return n, false, err
		}
		n++
		if done {
			return n, true, nil
		}
	}
	return n, false, nil
}

// step takes one byte that is not data.
func (c *chunks) step(b byte) (done bool, err error) {
	if c.line++; c.line > maxChunkLine {
		return false, errChunk
	}
	if c.state >= inTrailer {
		if c.total++; c.total > maxTrailer {
			return false, errChunk
		}
	}
	switch c.state {
	case inSize:
		return false, c.size(b)
	case inExtension:
		switch {
		case b == '\r':
			c.state = sizeLF
		case b < ' ' && b != '\t' || b == 0x7f:
			return false, errChunk
		}
	case dataCR:
		c.state = dataLF
		return false, must(b, '\r')
	case sizeLF, dataLF:
		return false, c.newline(b)
	case inTrailer:
		return false, c.trailer(b)
	case trailerLF:
		done = c.line == 2 // the line is empty
		c.line, c.state = 0, inTrailer
		return done, must(b, '\n')
	}
	return false, nil
}

// size takes a byte of the line that begins a chunk.
func (c *chunks) size(b byte) error {
	v, isHex := hexValue(b)
	switch {
	case isHex && c.digit < 15: // below 2^60
		c.left = c.left<<4 | uint64(v)
		c.digit++
		return nil
	case isHex || c.digit == 0:
		return errChunk
	case b == '\r':
		c.state = sizeLF
	case b == ';':
		c.state = inExtension
	default:
		return errChunk
	}
	c.last = c.left == 0
	return nil
}

// newline takes the LF after a size or after data.
func (c *chunks) newline(b byte) error {
	switch {
	case c.state == dataLF:
		c.state, c.left, c.digit = inSize, 0, 0
	case c.last:
		c.state = inTrailer
	default:
		c.state = inData
	}
	c.line = 0
	return must(b, '\n')
}

// trailer takes a byte of a line after the last chunk.
func (c *chunks) trailer(b byte) error {
	switch {
	case b == '\r':
		c.state = trailerLF
	case b < ' ' && b != '\t' || b == 0x7f, c.line == 1 && (b == ' ' || b == '\t' || b == ':'):
		return errChunk
	}
	return nil
}

func must(got, want byte) error {
	if got != want {
		return errChunk
	}
	return nil
}

func hexValue(b byte) (v byte, ok bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
