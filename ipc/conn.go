//go:build linux

package ipc

import (
	"github.com/tenon-net/tenon/transport"
)

// A Conn carries bytes. It is a net.Conn.
type Conn struct{ link }

var (
	_ transport.Stream     = (*Conn)(nil)
	_ transport.Aborter    = (*Conn)(nil)
	_ transport.FilePasser = (*Conn)(nil)
)

// publishEvery is how many bytes a long Write puts in until it shows them, so that
// the reader takes them out at the same time.
const publishEvery = 32 << 10

// Read reads what is there, and waits until something is.
func (c *Conn) Read(b []byte) (n int, err error) {
	c.in.mu.Lock()
	if err = c.mayRead(); err == nil && len(b) > 0 {
		n, err = c.read(b)
	}
	c.unlockIn()
	return n, c.opError("read", err)
}

func (c *Conn) read(b []byte) (n int, err error) {
	if c.in.c.filled() == 0 {
		if err := c.awaitData(); err != nil {
			return 0, err
		}
	}
	n = c.in.c.take(b)
	if c.in.c.due() {
		c.publishTaken()
	}
	return n, nil
}

// Write writes all of b.
func (c *Conn) Write(b []byte) (n int, err error) {
	c.out.mu.Lock()
	n, err = c.write(b)
	c.unlockOut()
	return n, c.opError("write", err)
}

func (c *Conn) write(b []byte) (n int, err error) {
	if err := c.mayWrite(); err != nil {
		return 0, err
	}
	c.takeTurn()
	for n < len(b) {
		if c.out.p.free() == 0 {
			if err := c.awaitRoom(1); err != nil {
				return n, err
			}
		}
		n += c.out.p.put(b[n:min(len(b), n+publishEvery)])
		if err := c.publishPut(); err != nil {
			return n, err
		}
	}
	return n, nil
}
