//go:build linux

package ipc

import (
	"io"
	"net"
	"os"
	"sync"
)

var (
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)

const (
	copySize = 128 << 10 // of the buffers of ReadFrom and WriteTo
	direct   = 256 << 10 // bytes at once, between the ring and a descriptor
)

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// ReadFrom implements [io.ReaderFrom]. A file, a pipe or a socket is read straight
// into the ring, while other writes wait. Other readers get a buffer, since the
// other side can change what is in the ring, and they may look at what they have
// put there.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	if !onlyMoves(r) {
		buf := copyBuffers.Get().(*[copySize]byte)
		defer copyBuffers.Put(buf)
		return io.CopyBuffer(writerOnly{c}, r, buf[:])
	}
	for {
		k, err := c.readFrom(r)
		n += int64(k)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
	}
}

// readFrom reads once from r into the ring.
func (c *Conn) readFrom(r io.Reader) (n int, err error) {
	c.out.mu.Lock()
	defer c.unlockOut()
	if err = c.mayWrite(); err == nil && c.out.p.free() == 0 {
		err = c.awaitRoom(1)
	}
	if err != nil {
		return 0, c.opError("write", err)
	}
	n, rerr := r.Read(c.out.p.space(direct))
	if n > 0 {
		if c.state.Load() != live {
			return 0, c.opError("write", c.why())
		}
		c.out.p.tail += uint64(n)
		if err := c.publishPut(); err != nil {
			return n, c.opError("write", err)
		}
	}
	return n, rerr
}

// WriteTo implements [io.WriterTo]. To a file, a pipe or a socket, data is written
// straight from the ring, while other reads wait. Other writers get a copy, which
// the other side cannot change while they look at it.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	if !onlyMoves(w) {
		buf := copyBuffers.Get().(*[copySize]byte)
		defer copyBuffers.Put(buf)
		return io.CopyBuffer(w, readerOnly{c}, buf[:])
	}
	for {
		k, err := c.writeTo(w)
		n += int64(k)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
	}
}

// writeTo writes once from the ring to w.
func (c *Conn) writeTo(w io.Writer) (n int, err error) {
	c.in.mu.Lock()
	defer c.unlockIn()
	if err := c.mayRead(); err != nil {
		return 0, c.opError("read", err)
	}
	if c.in.c.filled() == 0 {
		if err := c.awaitData(); err != nil {
			return 0, c.opError("read", err)
		}
	}
	p := c.in.c.front()
	p = p[:min(len(p), direct)]
	if n, err = w.Write(p); err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	c.in.c.head += uint64(n)
	if c.state.Load() != closed && c.in.c.due() {
		c.publishTaken()
	}
	return n, err
}

// onlyMoves tells whether x is known to hand bytes to the kernel, or to take them
// from there, and never to look at them.
func onlyMoves(x any) bool {
	switch x := x.(type) {
	case *io.LimitedReader:
		return onlyMoves(x.R)
	case *os.File, *net.TCPConn, *net.UnixConn, *Conn:
		return true
	}
	return false
}

// writerOnly and readerOnly keep package io from calling ReadFrom and WriteTo.
type writerOnly struct{ c *Conn }

func (w writerOnly) Write(p []byte) (int, error) { return w.c.Write(p) }

type readerOnly struct{ c *Conn }

func (r readerOnly) Read(p []byte) (int, error) { return r.c.Read(p) }
