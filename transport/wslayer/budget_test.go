package wslayer_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

const hostile = 45 // clients that send what becomes long and read nothing

// perConn is what a connection may have for itself, whatever the others do: a chunk
// for what it reads, one for what it decompresses, one for what it writes, and its
// buffers.
const perConn = 256 << 10

// longFrame is a frame of any length with the mask 0. Of what it announces, it has
// only payload.
func longFrame(first byte, announced int, payload string) []byte {
	b := binary.BigEndian.AppendUint64([]byte{first, 0xff}, uint64(announced))
	return append(append(b, 0, 0, 0, 0), payload...)
}

// expanding is a message of size bytes whose first part cannot be compressed.
func expanding(size, first int) []byte {
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(p[:first])
	return p
}

// TestMemoryIsShared has many clients of one Layer do what keeps most memory held for
// longest, and looks at what the process holds then.
func TestMemoryIsShared(t *testing.T) {
	const size = 2 << 20
	packed := deflated(expanding(size, 300<<10))
	zeros := deflated(make([]byte, size))
	half := string(make([]byte, size/2))
	for name, c := range map[string]struct {
		frame []byte
		serve func(*wslayer.Conn)
	}{
		"a small message becomes a large one": {longFrame(0xc2, len(zeros), zeros), keep},
		"what comes back is not read":         {longFrame(0xc2, len(packed), packed), echo},
		"a long message never ends":           {longFrame(0x82, size, half), echo},
		"a compressed one never ends":         {longFrame(0xc2, size, half), echo},
		"fragments without end":               {append(longFrame(0x02, len(half), half), longFrame(0x00, len(half), half[1:])...), echo},
		"a deadline in a message": {longFrame(0x82, size, half), func(c *wslayer.Conn) {
			c.SetReadDeadline(time.Now().Add(time.Second))
			c.ReadMsg(make([]byte, size))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &wslayer.Layer{MaxMessage: size, Memory: 8 << 20, Deflate: true, CloseTimeout: -1}
				var stats runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&stats)
				before := stats.HeapAlloc
				for range hostile {
					a, b := mem.Pair()
					s := acceptedBy(t, l, a, b)
					go a.Write(c.frame)
					go c.serve(s)
				}
				for _, after := range []time.Duration{2 * time.Second, time.Minute} { // while some wait, and when they have given up
					time.Sleep(after)
					runtime.GC()
					runtime.GC() // what was pooled goes with the second one
					runtime.ReadMemStats(&stats)
					held, bound := int64(stats.HeapAlloc)-int64(before), l.Memory+hostile*(perConn+2*mem.DefaultBuffer)
					t.Logf("%d clients hold %d KiB of %d KiB", hostile, held>>10, bound>>10)
					if held > bound {
						t.Errorf("%d clients hold %d KiB, more than %d KiB", hostile, held>>10, bound>>10)
					}
				}
			})
		})
	}
}

// echo writes back what comes, until something ends it.
func echo(c *wslayer.Conn) {
	for {
		p, m, err := c.LendMsg()
		if err == nil {
			err = c.WriteMsg(p, m)
		}
		if err != nil {
			c.Close()
			return
		}
	}
}

// keep takes a message and does nothing with it until the connection ends.
func keep(c *wslayer.Conn) {
	p, _, err := c.LendMsg()
	if err == nil {
		c.WriteMsg(make([]byte, 2*mem.DefaultBuffer), transport.Meta{}) // which nobody reads
	}
	runtime.KeepAlive(p)
}

// reader is a connection that a message of 1 MiB has come to, after three others that
// keep theirs until done is called.
func reader(t *testing.T, options string) (a transport.Stream, c *wslayer.Conn, done func()) {
	const size = 1 << 20
	l := fill(t, "ws:x:1,max-message=1M,deflate,close-timeout=0,"+options)
	frame := longFrame(0xc2, len(deflated(make([]byte, size))), deflated(make([]byte, size)))
	var holders []*wslayer.Conn
	for range 3 {
		a, b := mem.Pair()
		s := acceptedBy(t, l, a, b)
		a.Write(frame)
		if p, _, err := s.LendMsg(); len(p) != size || err != nil {
			t.Fatal(len(p), err)
		}
		holders = append(holders, s)
	}
	a, b := mem.Pair()
	c = acceptedBy(t, l, a, b)
	a.Write(frame)
	return a, c, func() {
		for _, h := range holders {
			h.Close()
		}
	}
}

// Who finds no memory waits for it, for a bounded time, and can be called off.
func TestWaitingForMemory(t *testing.T) {
	type result struct {
		n   int
		err error
	}
	read := func(c *wslayer.Conn) <-chan result {
		got := make(chan result, 1)
		go func() { p, _, err := c.LendMsg(); got <- result{len(p), err} }()
		return got
	}
	t.Run("granted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c, done := reader(t, "memory=3M")
			got := read(c)
			synctest.Wait()
			select {
			case r := <-got:
				t.Fatalf("it does not wait: %+v", r)
			default:
			}
			done()
			if r := <-got; r.n != 1<<20 || r.err != nil {
				t.Errorf("got %d bytes, %v", r.n, r.err)
			}
		})
	})
	t.Run("given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, c, done := reader(t, "memory=3M")
			defer done()
			begin := time.Now()
			r := <-read(c)
			if waited := time.Since(begin); r.err == nil || waited < time.Second || waited > time.Minute {
				t.Errorf("after %v: %+v", waited, r)
			}
			var head [4]byte
			if _, err := io.ReadFull(a, head[:]); err != nil || binary.BigEndian.Uint16(head[2:]) != 1013 {
				t.Errorf("the client hears %x, %v; want status 1013", head, err)
			}
		})
	})
	t.Run("closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c, done := reader(t, "memory=3M")
			defer done()
			begin := time.Now()
			got := read(c)
			synctest.Wait()
			go c.Close()
			if r := <-got; !errors.Is(r.err, net.ErrClosed) || time.Since(begin) > 0 {
				t.Errorf("a read during Close: %+v after %v", r, time.Since(begin))
			}
		})
	})
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c, done := reader(t, "memory=3M")
			got := read(c)
			synctest.Wait()
			begin := time.Now()
			c.SetReadDeadline(begin.Add(time.Second))
			if r := <-got; !errors.Is(r.err, os.ErrDeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("a read with a deadline: %+v after %v", r, time.Since(begin))
			}
			done()
			c.SetReadDeadline(time.Time{})
			if r := <-read(c); r.n != 1<<20 || r.err != nil {
				t.Errorf("after the deadline: %d bytes, %v", r.n, r.err)
			}
		})
	})
}

func testMemory(t *testing.T) {
	for option, fits := range map[string]bool{"memory=3M": false, "memory=4M": true} {
		synctest.Test(t, func(t *testing.T) {
			_, c, done := reader(t, option)
			defer done()
			c.SetReadDeadline(time.Now().Add(time.Second))
			if p, _, err := c.LendMsg(); (err == nil) != fits {
				t.Errorf("%s: a fourth message of 1 MiB is read as %d bytes, %v", option, len(p), err)
			}
		})
	}
}
