package datagram

import (
	"io"

	"github.com/tenon-net/tenon/transport"
)

// arrive puts a datagram into the queue, or drops it if there is no room. It returns false if
// the Conn is not open. It waits for nothing, and owns p.
func (c *Conn) arrive(p []byte) bool {
	m := message{p: p}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.open || c.gone != nil || c.end != nil:
		return false
	case !c.memory.Take(m.size(), false):
		c.dropped.Add(1)
		return true
	}
	c.received.Add(1)
	c.put(m)
	return true
}

// put adds a message that is paid for. The mutex is held.
func (c *Conn) put(m message) {
	c.queue = append(c.queue, m)
	c.changed.Broadcast()
}

// pump reads the lane. What comes there is not dropped: it waits until there is room.
func (c *Conn) pump() {
	for {
		p, meta, err := c.lane.TakeMsg()
		m := message{p, meta}
		c.mu.Lock()
		for err == nil && c.gone == nil && !c.memory.Take(m.size(), len(c.queue) == 0) {
			c.changed.Wait()
		}
		switch {
		case err == nil && c.gone == nil:
			c.put(m)
		case c.gone == nil:
			c.end = err
			c.changed.Broadcast()
		}
		over := err != nil || c.gone != nil
		c.mu.Unlock()
		if over {
			return
		}
	}
}

// LendMsg returns the next message, by whatever way it has come. Those that have come when
// the lane ends can still be read.
func (c *Conn) LendMsg() ([]byte, transport.Meta, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch err := c.over(&c.read); {
		case err != nil:
			return nil, transport.Meta{}, err
		case len(c.queue) > 0:
			m := c.queue[0]
			c.queue[0] = message{}
			if c.queue = c.queue[1:]; len(c.queue) == 0 {
				c.queue = nil
			}
			c.memory.Give(m.size())
			c.changed.Broadcast()
			return m.p, m.meta, nil
		case c.end != nil:
			return nil, transport.Meta{}, c.end
		}
		c.changed.Wait()
	}
}

// ReadMsg is LendMsg into p.
func (c *Conn) ReadMsg(p []byte) (int, transport.Meta, error) {
	b, meta, err := c.LendMsg()
	if err != nil {
		return 0, meta, err
	}
	n := copy(p, b)
	if n < len(b) {
		err = io.ErrShortBuffer
	}
	return n, meta, err
}
