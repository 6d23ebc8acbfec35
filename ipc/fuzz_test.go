//go:build linux

package ipc

import (
	"encoding/binary"
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// seeds for both fuzz targets: an operation, and what it is given, in 3 bytes.
func ringSeeds(f *testing.F) {
	f.Add([]byte{0, 10, 0, 1, 10, 0, 0, 200, 3, 1, 200, 3})             // put, take
	f.Add([]byte{2, 255, 255, 1, 1, 0})                                 // tail is any
	f.Add([]byte{0, 100, 0, 3, 255, 255, 0, 0, 1})                      // head is any
	f.Add([]byte{4, 1, 0, 1, 0, 0, 4, 2, 0, 1, 0, 0, 4, 9, 0, 1, 0, 0}) // end
	f.Add([]byte{5, 1, 0, 0, 1, 0, 5, 9, 0, 0, 1, 0})                   // gone
	f.Add([]byte{6, 0, 0, 2, 16, 0, 1, 0, 0})                           // a record
	f.Add([]byte{7, 0, 0, 2, 0, 16, 1, 0, 0})                           // a mark
	f.Add([]byte{0, 240, 3, 0, 240, 3, 0, 240, 3, 1, 0, 0, 1, 0, 0, 0, 200, 3, 1, 0, 0, 0, 100, 0, 1, 0, 0})
}

// A hostileRing is a ring both of whose sides are ours, and whose memory anybody
// writes to.
type hostileRing struct {
	t *testing.T
	p *producer
	c *consumer
	m mode
}

// play does what the input says. All that a breach of the rules may lead to is an error that
// matches ErrProtocol; what an honest ring does is checked by other tests.
func (h *hostileRing) play(in []byte) {
	pfail, cfail := false, false
	for ; len(in) >= 3; in = in[3:] {
		v := int(binary.LittleEndian.Uint16(in[1:]))
		switch in[0] % 8 {
		case 0:
			if err := h.p.look(); err != nil {
				pfail = pfail || errors.Is(err, ErrProtocol)
				h.wantLie(err)
			}
			if !pfail { // a side that has met a breach does nothing more
				h.put(v)
			}
		case 1:
			if err := h.c.look(h.m); err != nil {
				cfail = cfail || errors.Is(err, ErrProtocol)
				h.wantLie(err)
			}
			if !cfail {
				cfail = h.take(v)
			}
		case 2:
			h.c.ctl.tail.publish(h.c.head + uint64(v) - 8)
		case 3:
			h.p.ctl.head.publish(h.p.tail + uint64(v) - 1<<15)
		case 4:
			h.c.ctl.end.publish(uint32(v))
		case 5:
			h.p.ctl.gone.publish(uint32(v))
		case 6:
			binary.NativeEndian.PutUint32(h.p.data[v*4%len(h.p.data):], uint32(v%1100))
		case 7:
			binary.NativeEndian.PutUint32(h.p.data[v*4%len(h.p.data):], skip-uint32(v%2))
		}
	}
}

func (h *hostileRing) wantLie(err error) {
	if !errors.Is(err, ErrProtocol) && err != io.EOF && err != syscall.ECONNRESET && err != syscall.EPIPE {
		h.t.Fatalf("an error that is not about the other side: %v", err)
	}
}

func (h *hostileRing) put(n int) {
	if h.p.free() > uint64(len(h.p.data)) {
		h.t.Fatalf("%d bytes are free", h.p.free())
	}
	if h.m == bytesMode {
		if got := h.p.put(make([]byte, n)); got > n {
			h.t.Fatalf("%d bytes of %d were put in", got, n)
		}
		if s := h.p.space(n); len(s) > n || cap(s) != len(s) {
			h.t.Fatalf("space for %d bytes has %d", n, len(s))
		}
	} else if n %= maxMsg(MinSize) + 1; h.p.free() >= h.p.needs(n) {
		if body := h.p.body(n); len(body) != n || cap(body) != n {
			h.t.Fatalf("a body of %d bytes has %d", n, len(body))
		}
		h.p.seal(n, n%2 == 0)
	}
	h.p.publish()
}

// take tells whether it has met a breach.
func (h *hostileRing) take(n int) bool {
	if h.c.filled() > uint64(len(h.c.data)) {
		h.t.Fatalf("%d bytes are there", h.c.filled())
	}
	defer h.c.publish()
	if h.m == bytesMode {
		if s := h.c.front(); uint64(len(s)) > h.c.filled() {
			h.t.Fatalf("the front has %d bytes of %d", len(s), h.c.filled())
		}
		h.c.take(make([]byte, n))
		return false
	}
	r, ok, err := h.c.next()
	if err != nil {
		h.wantLie(err)
		return true
	}
	if ok {
		if len(r.body) > maxMsg(MinSize) || cap(r.body) != len(r.body) {
			h.t.Fatalf("a message of %d bytes", len(r.body))
		}
		h.c.drop(len(r.body))
	}
	if h.c.head > h.c.tail {
		h.t.Fatalf("head %d is above tail %d", h.c.head, h.c.tail)
	}
	return false
}

func FuzzRingBytes(f *testing.F) {
	ringSeeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		p, c := newRing(MinSize)
		(&hostileRing{t, p, c, bytesMode}).play(in)
	})
}

func FuzzRingMessages(f *testing.F) {
	ringSeeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		p, c := newRing(MinSize)
		(&hostileRing{t, p, c, messagesMode}).play(in)
	})
}

func FuzzGreeting(f *testing.F) {
	for _, g := range []greeting{{bytesMode, MinSize}, {messagesMode, MaxSize}} {
		b := g.encode()
		f.Add(b[:])
	}
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n      "))
	f.Fuzz(func(t *testing.T, in []byte) {
		var b [greetingSize]byte
		copy(b[:], in)
		g, err := decodeGreeting(b)
		if err == nil && g.encode() != b {
			t.Errorf("%x is read as %+v", b, g)
		}
	})
}

func FuzzBind(f *testing.F) {
	for _, k := range Kinds() {
		f.Add(k.Example)
	}
	f.Add("shm-listen:x,size=9223372036854775807,allow-uid=*")
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range Kinds() {
			if e, err := transporttest.Fill(k, text); err == nil {
				if v, ok := e.(transport.Validator); ok {
					_ = v.Validate()
				}
			}
		}
	})
}
