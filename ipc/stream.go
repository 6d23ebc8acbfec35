//go:build linux

package ipc

// In a ring of bytes, what is put in and taken out has no boundaries.

// put copies as much of b into the ring as there is known to be room for, and
// returns how much that was. It is not published.
func (p *producer) put(b []byte) int {
	b = b[:min(uint64(len(b)), p.free())]
	at := p.tail & uint64(len(p.data)-1)
	if n := copyOut(p.data[at:], b); n < len(b) {
		copyOut(p.data, b[n:])
	}
	p.tail += uint64(len(b))
	return len(b)
}

// space returns the room that is known to be there up to the end of the ring, at
// most n bytes.
func (p *producer) space(n int) []byte {
	at := p.tail & uint64(len(p.data)-1)
	n = int(min(uint64(n), p.free(), uint64(len(p.data))-at))
	return p.data[at : at+uint64(n) : at+uint64(n)]
}

// take copies what is known to be in the ring to b, as much as fits, and returns
// how much that was. It is not published.
func (c *consumer) take(b []byte) int {
	b = b[:min(uint64(len(b)), c.filled())]
	at := c.head & uint64(len(c.data)-1)
	n := copy(b, c.data[at:])
	copy(b[n:], c.data)
	c.head += uint64(len(b))
	return len(b)
}

// front returns what is known to be in the ring, up to the end of the ring.
func (c *consumer) front() []byte {
	at := c.head & uint64(len(c.data)-1)
	end := min(at+c.filled(), uint64(len(c.data)))
	return c.data[at:end:end]
}
