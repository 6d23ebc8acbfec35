//go:build linux

package bus

import "slices"

// How much a member may have published that has no place in the order yet. One
// message may always.
const (
	maxOwn     = 256
	maxOwnSize = 1 << 20
)

// An own message is one that the member has published.
type own struct {
	oseq uint64
	text bool
	data []byte // never changed
}

func (o *own) size() int64 { return int64(len(o.data)) + entryCost }

// An outbox holds what a member has published until it has a place in the order. It
// is guarded by the Conn's mu.
type outbox struct {
	last    uint64 // number of the newest message
	waiting []own  // by number
	held    int64
	sent    int // of waiting: how many the hub has been given, or has
}

// room tells whether a message of n bytes can be taken.
func (o *outbox) room(n int) bool {
	return len(o.waiting) == 0 || len(o.waiting) < maxOwn && o.held+int64(n) <= maxOwnSize
}

// put takes a message, which belongs to the outbox from then on.
func (o *outbox) put(data []byte, text bool) {
	o.last++
	o.waiting = append(o.waiting, own{o.last, text, data})
	o.held += int64(len(data)) + entryCost
}

// acked takes the message with that number out, and all before it. It is false if the
// message was not there.
func (o *outbox) acked(oseq uint64) (m own, ok bool) {
	for len(o.waiting) > 0 && o.waiting[0].oseq <= oseq {
		m, o.waiting[0] = o.waiting[0], own{}
		o.waiting = o.waiting[1:]
		o.held -= m.size()
		o.sent = max(o.sent-1, 0)
	}
	return m, m.oseq == oseq
}

// resume makes ready for another hub, which has all up to known, and never had those
// of lost: they had a place, and have none now.
func (o *outbox) resume(known uint64, lost []own) {
	lost = slices.DeleteFunc(lost, func(m own) bool {
		return m.oseq <= known || len(o.waiting) > 0 && m.oseq >= o.waiting[0].oseq
	})
	for i := range lost {
		o.held += lost[i].size()
	}
	o.waiting = append(lost, o.waiting...)
	o.sent = 0
	for o.sent < len(o.waiting) && o.waiting[o.sent].oseq <= known {
		o.sent++
	}
}

// unsent returns messages that the hub has not been given, of batchSize bytes or a
// little more.
func (o *outbox) unsent() []own {
	n, size := o.sent, int64(0)
	for n < len(o.waiting) && size < batchSize {
		size += o.waiting[n].size()
		n++
	}
	ms := slices.Clone(o.waiting[o.sent:n])
	o.sent = n
	return ms
}
