package serve

import (
	"bufio"
	"io"
)

// crlfWriter writes CR LF for each LF that has no CR before it.
type crlfWriter struct {
	w   io.Writer
	cr  bool   // the last byte given to Write was a CR
	out []byte // reused
}

func (c *crlfWriter) Write(p []byte) (int, error) {
	c.out = c.out[:0]
	for _, b := range p {
		if b == '\n' && !c.cr {
			c.out = append(c.out, '\r')
		}
		c.out = append(c.out, b)
		c.cr = b == '\r'
	}
	n, err := c.w.Write(c.out)
	if err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// lfReader reads LF for each CR LF. A CR alone stays a CR, and is held back until
// it is known what follows.
type lfReader struct{ r *bufio.Reader }

func (l lfReader) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || l.r.Buffered() > 0) {
		b, err := l.r.ReadByte()
		if err != nil {
			return n, err
		}
		if b == '\r' {
			if n > 0 && l.r.Buffered() == 0 {
				return n, l.r.UnreadByte()
			}
			if next, err := l.r.Peek(1); err == nil && next[0] == '\n' {
				continue
			}
		}
		p[n] = b
		n++
	}
	return n, nil
}
