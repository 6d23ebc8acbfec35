package wslayer

import (
	"bufio"
	"errors"
	"io"
	"net"

	"github.com/tenon-net/tenon/transport"
)

// incoming is the message that is being read. It outlives a time-out.
type incoming struct {
	op         opcode // opText or opBinary; 0 between messages
	compressed bool
	fin        bool  // the current frame is the last
	left       int64 // payload of the current frame that is still to come
	key        [4]byte
	pos        int   // of the mask
	total      int64 // payload of all its frames up to the current one
	saved      msgBuffer
	text       utf8Check
}

// ReadMsg reads one message, whatever frames it comes in. Other frames that come
// before it are taken care of.
func (c *Conn) ReadMsg(p []byte) (int, transport.Meta, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	c.takeBack()
	if err := c.unreadable(); err != nil {
		return 0, transport.Meta{}, c.explain(err)
	}
	n, short, err := c.readMsg(p)
	if err != nil {
		return 0, transport.Meta{}, c.failed(err)
	}
	m := transport.Meta{Text: c.in.op == opText}
	c.in = incoming{}
	if short {
		return n, m, io.ErrShortBuffer
	}
	return n, m, nil
}

// LendMsg is ReadMsg into memory that is taken only when a message comes.
func (c *Conn) LendMsg() ([]byte, transport.Meta, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	c.takeBack()
	if err := c.unreadable(); err != nil {
		return nil, transport.Meta{}, c.explain(err)
	}
	p, err := c.gather()
	if err != nil {
		return nil, transport.Meta{}, c.failed(err)
	}
	m := transport.Meta{Text: c.in.op == opText}
	c.in, c.lent = incoming{}, p
	return p.b, m, nil
}

// unreadable returns why no message can be read, or nil. The caller holds rmu.
func (c *Conn) unreadable() error {
	if c.closing {
		return net.ErrClosed
	}
	return c.readErr
}

// takeBack ends the validity of what LendMsg returned.
func (c *Conn) takeBack() { c.free(&c.lent) }

// failed remembers an error that ends the reading, and tells the other side if it
// was its mistake.
func (c *Conn) failed(err error) error {
	if isTimeout(err) {
		return c.explain(err)
	}
	c.readErr = err
	c.free(&c.in.saved)
	if f := (*failure)(nil); errors.As(err, &f) {
		c.queueClose(transport.CloseStatus{Code: uint64(f.status), Reason: f.msg})
	}
	return c.explain(err)
}

// gather reads up to the end of a message into memory of the Conn's own. On a
// time-out it leaves what it has in c.in.saved.
func (c *Conn) gather() (p msgBuffer, err error) {
	for !c.in.whole() {
		if c.in.left == 0 {
			err = c.nextFrame()
		} else {
			err = c.collect()
		}
		if err != nil {
			return msgBuffer{}, err
		}
	}
	if !c.in.compressed {
		p, c.in.saved = c.in.saved, msgBuffer{}
	} else if p, err = c.inflateAll(); err != nil {
		return msgBuffer{}, err
	}
	if c.in.op == opText && !c.in.text.done() {
		c.free(&p)
		return msgBuffer{}, errBadText
	}
	return p, nil
}

// readMsg reads into p up to the end of a message. On a time-out it saves what it
// has.
func (c *Conn) readMsg(p []byte) (n int, short bool, err error) {
	if !c.in.compressed {
		n = copy(p, c.in.saved.b)
		short = len(c.in.saved.b) > n
		c.free(&c.in.saved)
	}
	for !c.in.whole() {
		if c.in.left == 0 {
			err = c.nextFrame()
		} else if c.in.compressed {
			err = c.collect()
		} else {
			var k int
			k, err = c.readPayload(p[n:])
			short = short || k > len(p)-n
			n = min(n+k, len(p))
		}
		if err != nil {
			if isTimeout(err) && !c.in.compressed {
				err = c.save(p[:n], err)
			}
			return 0, false, err
		}
	}
	if c.in.compressed {
		var total int64
		if total, err = c.inflate(p[:0:len(p)], c.in.saved.b); err != nil {
			return 0, false, err
		}
		n, short = int(min(total, int64(len(p)))), total > int64(len(p))
		c.free(&c.in.saved)
	}
	if c.in.op == opText && !c.in.text.done() {
		return 0, false, errBadText
	}
	return n, short, nil
}

// save keeps what has been read of a message until the next call, which err delays.
func (c *Conn) save(p []byte, err error) error {
	c.in.saved.b = takeBuffer()
	if n := int64(len(p)); n > chunkSize {
		if !c.share.tryReserve(n) {
			return errNoMemory
		}
		c.resize(&c.in.saved, n)
	}
	c.in.saved.b = append(c.in.saved.b, p...)
	return err
}

var errBadText error = &failure{StatusInvalidData, "a text message is not UTF-8"}

// readPayload reads what has arrived of the current frame into p, or past it when
// p is full: then k > len(p), and what did not fit is lost.
func (c *Conn) readPayload(p []byte) (k int, err error) {
	room := len(p)
	var scratch [512]byte
	if room == 0 {
		p = scratch[:]
	}
	k, err = c.br.Read(p[:min(int64(len(p)), c.in.left)])
	if !c.in.take(p[:k]) {
		return k, errBadText
	}
	return k, cut(err)
}

// collect reads what has arrived of the current frame into c.in.saved. The first
// chunk is there for everybody. For more, memory is taken once and for all of the
// frame: those who waited for each other, with half a message each, would wait for
// ever.
func (c *Conn) collect() error {
	h := &c.in.saved
	if h.b == nil {
		h.b = takeBuffer()
	}
	n := len(h.b)
	if n == cap(h.b) {
		size := max(int64(n)+c.in.left, min(2*int64(n), c.limit()))
		if c.in.fin {
			size = int64(n) + c.in.left
		}
		if err := c.reserve(size); err != nil {
			return err
		}
		c.resize(h, size)
	}
	k, err := c.br.Read(h.b[n:min(int64(cap(h.b)), int64(n)+c.in.left)])
	h.b = h.b[:n+k]
	if !c.in.take(h.b[n:]) {
		return errBadText
	}
	return cut(err)
}

// limit is how long the current message may be on the wire. A compressed one can be
// longer than what it stands for: stored blocks have headers, and the codes of some
// bytes are longer than they (RFC 1951, sections 3.2.4 and 3.2.6).
func (c *Conn) limit() int64 {
	if c.in.compressed {
		return c.max + c.max/4 + 1024
	}
	return c.max
}

// whole tells whether all of the message has been read.
func (in *incoming) whole() bool { return in.op != 0 && in.fin && in.left == 0 }

func (in *incoming) masked() bool { return in.key != [4]byte{} }

// take unmasks a piece of the payload, and tells whether it is text if it must be.
func (in *incoming) take(p []byte) bool {
	in.left -= int64(len(p))
	if in.masked() {
		in.pos = mask(p, in.key, in.pos)
	}
	return in.op != opText || in.compressed || in.text.write(p)
}

// skip drops what has arrived of the current frame, and tells whether that failed.
func (in *incoming) skip(br *bufio.Reader) (failed bool) {
	n, err := br.Discard(int(in.left))
	in.left -= int64(n)
	return err != nil
}

// nextFrame reads the header of a data frame, or a whole control frame, which it
// takes care of. The error is io.EOF when that was a close frame, and the end clean.
func (c *Conn) nextFrame() error {
	h, size, err := peekHeader(c.br)
	if err != nil {
		return cut(err)
	}
	if h.masked == c.client {
		if c.client {
			return protocolError("a frame of the server is masked") // section 5.1
		}
		return protocolError("a frame of the client is not masked")
	}
	if h.op.isControl() {
		return c.control(h, size)
	}
	switch {
	case h.op == opContinuation && c.in.op == 0:
		return protocolError("a message begins with a continuation") // section 5.4
	case h.op != opContinuation && c.in.op != 0:
		return protocolError("a message begins inside another")
	case h.rsv1 && !c.deflate:
		return protocolError("a reserved bit is set")
	}
	if h.op != opContinuation {
		c.in.op, c.in.compressed = h.op, h.rsv1
	}
	if h.length > c.limit()-c.in.total {
		return &failure{StatusTooBig, "a message is longer than the limit"}
	}
	c.in.fin, c.in.left, c.in.key, c.in.pos = h.fin, h.length, h.key, 0
	c.in.total += h.length
	_, err = c.br.Discard(size)
	return err
}

// control takes care of a control frame. It reads it whole before it takes it, so
// that a time-out loses nothing.
func (c *Conn) control(h header, size int) error {
	b, err := c.br.Peek(size + int(h.length))
	if err != nil {
		return cut(err)
	}
	payload := append([]byte(nil), b[size:]...)
	if _, err := c.br.Discard(len(b)); err != nil {
		return err
	}
	mask(payload, h.key, 0)
	switch h.op {
	case opPing:
		c.queuePong(payload)
	case opClose:
		return c.receiveClose(payload)
	}
	return nil
}
