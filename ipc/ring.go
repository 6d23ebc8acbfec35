//go:build linux

package ipc

import (
	"io"
	"syscall"
)

// A producer is the half of a ring that puts in. It keeps its own index, never
// reads it back, and believes the other's only after checking it. It makes no
// system call and belongs to one goroutine at a time.
type producer struct {
	ctl   *control
	data  []byte // the ring
	tail  uint64 // bytes put in
	head  uint64 // bytes taken out, when last looked
	shown uint64 // the tail that the consumer can see
}

// A consumer is the half of a ring that takes out; as [producer].
type consumer struct {
	ctl   *control
	data  []byte // the ring
	head  uint64 // bytes taken out
	tail  uint64 // bytes put in, when last looked
	shown uint64 // the head that the producer can see
}

// errReset and errPipe are what a connection ends with whose other side is gone.
const (
	errReset = syscall.ECONNRESET
	errPipe  = syscall.EPIPE
)

// free returns how many bytes there is room for, as far as was known when the
// producer last looked.
func (p *producer) free() uint64 { return uint64(len(p.data)) - (p.tail - p.head) }

// look learns what the consumer has taken out since. The error is errPipe if it
// takes no more, and else about a consumer that breaks the rules.
func (p *producer) look() error {
	head := p.ctl.head.load()
	if head-p.head > p.tail-p.head { // below the last one wraps around to far above
		return violation("head %d after %d, with tail %d", head, p.head, p.tail)
	}
	p.head = head
	switch gone := p.ctl.gone.load(); gone {
	case open:
		return nil
	case ended:
		return errPipe
	default:
		return violation("gone is %d", gone)
	}
}

// expect is called before something is put in that will be published at once, and that
// the consumer polls for.
func (p *producer) expect() { p.ctl.tail.expect(p.shown) }

// publish shows what has been put in to the consumer.
func (p *producer) publish() {
	p.shown = p.tail
	p.ctl.tail.publish(p.tail)
}

// filled returns how many bytes there are to take out, as far as was known when
// the consumer last looked.
func (c *consumer) filled() uint64 { return c.tail - c.head }

// look learns what the producer has put in since. The error, once all has been
// taken out, is io.EOF at the end; errReset, at any time, if the producer has
// aborted; and else about a producer that breaks the rules.
func (c *consumer) look(m mode) error {
	tail := c.ctl.tail.load()
	end := c.ctl.end.load()
	if end == ended {
		tail = c.ctl.tail.load() // the first one may be older than the end
	}
	if tail-c.head > uint64(len(c.data)) || tail-c.head < c.tail-c.head {
		return violation("tail %d after %d, with head %d", tail, c.tail, c.head)
	}
	if m == messagesMode && tail%recordHead != 0 {
		return violation("tail %d is within a record", tail)
	}
	c.tail = tail
	switch end {
	case open:
		return nil
	case aborted:
		return errReset
	case ended:
		if c.filled() == 0 {
			return io.EOF
		}
		return nil
	default:
		return violation("end is %d", end)
	}
}

// publish shows what has been taken out to the producer.
func (c *consumer) publish() {
	c.shown = c.head
	c.ctl.head.publish(c.head)
}

// due tells whether so much has been taken out that it is time to publish. To do
// so for every record would take the line of memory from the producer each time;
// what is less is published when the ring is found empty.
func (c *consumer) due() bool { return c.head-c.shown >= uint64(len(c.data))/8 }
