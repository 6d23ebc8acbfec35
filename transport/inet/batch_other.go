//go:build !linux

package inet

import (
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// Elsewhere a batch is one datagram.

const rxSlots = 1

type rx struct {
	mem [64 << 10]byte
	got [1]datagram
}

var spareRx = sync.Pool{New: func() any { return new(rx) }}

func (b *batchReader) receive(uintptr) bool { return true }

func (b *batchReader) wait(int) ([]datagram, error) {
	b.gro = true
	if b.in == nil {
		b.in = spareRx.Get().(*rx)
	}
	n, from, _, err := b.s.receiveOne(b.in.mem[:])
	if err != nil {
		b.release()
		return nil, err
	}
	b.in.got[0] = datagram{udpSender: udpSender{from: from}, data: b.in.mem[:n], seg: n}
	return b.in.got[:], nil
}

func (s *udpSocket) writeMsgs(ms []transport.Msg, to target, _ func() error) (n int, err error) {
	for n < len(ms) && err == nil {
		if err = s.sendOne(ms[n].Buf, to); err == nil {
			n++
		}
	}
	return n, err
}

// enableLocal does nothing: the system chooses the address that answers come from.
func enableLocal(int, bool) error { return nil }
