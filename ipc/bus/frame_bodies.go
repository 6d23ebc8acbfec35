//go:build linux

package bus

import (
	"encoding/binary"
	"fmt"
)

// A place is the first that a hub says: where it is in which order.
type place struct {
	gathers    bool // it takes over, and wants to know what others have
	epoch, seq uint64
}

func (p *place) append(dst []byte) []byte {
	dst = open(dst, framePlace, len(magic)+18)
	dst = append(dst, magic...)
	dst = append(dst, version, flag(p.gathers))
	dst = binary.BigEndian.AppendUint64(dst, p.epoch)
	return binary.BigEndian.AppendUint64(dst, p.seq)
}

func parsePlace(body []byte) (p place, err error) {
	d := decoder{p: body}
	if string(d.bytes(len(magic))) != magic {
		return p, errFrame
	}
	if v := d.u8(); v != version {
		return p, fmt.Errorf("the hub speaks version %d of the protocol, and this program %d", v, version)
	}
	p.gathers = d.u8() != 0
	p.epoch, p.seq = d.u64(), d.u64()
	return p, d.done()
}

// A hello is the first that a member says: who it is, up to which place it has
// received the order of which epoch, how its queue is bounded, and how many frames of
// history follow.
type hello struct {
	secret     secret
	epoch, seq uint64
	own        uint64 // how many messages it has published
	limits     limits
	history    int
}

func (h *hello) append(dst []byte) []byte {
	dst = open(dst, frameHello, 1+len(h.secret)+24+1+4+8+4)
	dst = append(dst, version)
	dst = append(dst, h.secret[:]...)
	for _, n := range []uint64{h.epoch, h.seq, h.own} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = append(dst, byte(h.limits.rule))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.limits.queue))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.limits.size))
	return binary.BigEndian.AppendUint32(dst, uint32(h.history))
}

func parseHello(body []byte) (h hello, err error) {
	d := decoder{p: body}
	v := d.u8()
	copy(h.secret[:], d.bytes(len(h.secret)))
	h.epoch, h.seq, h.own = d.u64(), d.u64(), d.u64()
	h.limits.rule = rule(d.u8())
	queue, size, history := d.u32(), d.u64(), d.u32()
	switch err := d.done(); {
	case err != nil:
		return h, err
	case v != version, h.limits.rule < skipRule, h.limits.rule > waitRule,
		queue < 1, queue > maxQueue, size < 1, size > maxQueueSize, history > keepMsgs+1:
		return h, fmt.Errorf("%w: a hello with numbers out of range", errFrame)
	}
	h.limits.queue, h.limits.size, h.history = int(queue), int64(size), int(history)
	return h, nil
}

// A welcome is the answer of a hub that is ready.
type welcome struct {
	epoch, seq uint64 // the order that this member now has, and goes on from
	known      uint64 // the hub has its messages up to this one
	acked      uint64 // and those up to this one will not be acknowledged any more
	lost       uint64 // messages of others that the member has missed
	stranger   bool   // the hub knows nothing of the order that the member had
	last       bool   // the next message is the last value
	past       []span
}

func (w *welcome) append(dst []byte) []byte {
	dst = open(dst, frameWelcome, 42+16*len(w.past))
	for _, n := range []uint64{w.epoch, w.seq, w.known, w.acked, w.lost} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = append(dst, flag(w.stranger), flag(w.last))
	for _, s := range w.past {
		dst = binary.BigEndian.AppendUint64(dst, s.epoch)
		dst = binary.BigEndian.AppendUint64(dst, s.end)
	}
	return dst
}

func parseWelcome(body []byte) (w welcome, err error) {
	d := decoder{p: body}
	w.epoch, w.seq, w.known, w.acked, w.lost = d.u64(), d.u64(), d.u64(), d.u64(), d.u64()
	w.stranger, w.last = d.u8() != 0, d.u8() != 0
	for len(d.p) > 0 && len(w.past) < maxPast {
		w.past = append(w.past, span{d.u64(), d.u64()})
	}
	return w, d.done()
}

// openMessage begins a frame with a message, whose data is to follow. In a message of
// the hub, stable is the place up to which all members have the order.
func openMessage(dst []byte, s sort, e *entry, stable uint64) []byte {
	dst = open(dst, s, messageLen+len(e.data))
	for _, n := range []uint64{e.seq, stable, e.origin, e.oseq} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	return append(dst, flag(e.text))
}

// parseMessage keeps the body: the data is a part of it.
func parseMessage(body []byte) (e entry, stable uint64, err error) {
	if len(body) < messageLen {
		return e, 0, errFrame
	}
	d := decoder{p: body}
	e.seq, stable, e.origin, e.oseq = d.u64(), d.u64(), d.u64(), d.u64()
	e.text, e.data = d.u8() != 0, d.p
	return e, stable, nil
}

// openPublish begins a frame with what a member publishes, whose data is to follow.
func openPublish(dst []byte, m *own) []byte {
	dst = open(dst, framePublish, publishLen+len(m.data))
	return append(binary.BigEndian.AppendUint64(dst, m.oseq), flag(m.text))
}

// parsePublish keeps the body: the data is a part of it.
func parsePublish(body []byte) (m own, err error) {
	if len(body) < publishLen {
		return m, errFrame
	}
	d := decoder{p: body}
	m.oseq, m.text = d.u64(), d.u8() != 0
	m.data = d.p
	return m, nil
}

// parseNumbers takes a body of n numbers apart.
func parseNumbers(body []byte, n int) ([]uint64, error) {
	d := decoder{p: body}
	ns := make([]uint64, n)
	for i := range ns {
		ns[i] = d.u64()
	}
	return ns, d.done()
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
