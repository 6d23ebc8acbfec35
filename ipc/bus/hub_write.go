//go:build linux

package bus

import (
	"sync"
	"time"
)

// write hands out messages until the member leaves.
func (p *peer) write(w welcome, done chan<- struct{}) {
	defer close(done)
	if _, err := p.conn.Write(w.append(nil)); err != nil {
		p.leave()
		return
	}
	for {
		b := p.take()
		switch {
		case b.gone:
			return
		case b.empty():
			<-p.awake
		case p.send(&b) != nil:
			p.leave()
			return
		default:
			p.sent(&b)
		}
	}
}

// A batch is what is handed to a member at once.
type batch struct {
	skip    skipped
	from    uint64 // the place of the first entry
	entries []entry
	stable  uint64
	ended   bool
	gone    bool
}

func (b *batch) empty() bool { return !b.skip.pending && len(b.entries) == 0 && !b.ended }

// take returns what there is for the member.
func (p *peer) take() batch {
	h := p.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.gone { // the journal forgets what it has not got yet
		return batch{gone: true}
	}
	b := batch{skip: p.skip, from: p.next, stable: h.stable}
	p.skip = skipped{}
	for size := int64(0); p.next <= h.journal.head && size < batchSize; p.next++ {
		e := h.journal.at(p.next)
		b.entries = append(b.entries, *e)
		size += e.size()
	}
	if p.next > h.journal.head && p.ended {
		b.ended, p.ended = true, false
	}
	if len(b.entries) > 0 {
		p.fullSince = time.Time{}
		h.moved.fire()
	}
	return b
}

// sent notes that a batch is in the hands of the kernel.
func (p *peer) sent(b *batch) {
	h := p.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	p.handed = max(p.handed, b.from+uint64(len(b.entries)))
	h.moved.fire()
}

// buffers are shared by all that write, so that a silent member has none.
var buffers = sync.Pool{New: func() any { p := make([]byte, 0, 2*batchSize); return &p }}

// send writes a batch. A member's own messages are acknowledged instead.
func (p *peer) send(b *batch) error {
	pooled := buffers.Get().(*[]byte)
	buf := (*pooled)[:0]
	defer func() { buffers.Put(pooled) }()
	if b.skip.pending {
		buf = numbers(buf, frameSkip, b.from-1, b.skip.lost, b.skip.own)
	}
	for i := range b.entries {
		e := &b.entries[i]
		if e.origin == p.origin {
			buf = numbers(buf, frameAck, e.seq, b.stable, e.oseq)
			continue
		}
		buf = openMessage(buf, frameMessage, e, b.stable)
		if len(e.data) < batchSize/2 {
			buf = append(buf, e.data...)
			continue
		}
		for _, part := range [][]byte{buf, e.data} {
			if _, err := p.conn.Write(part); err != nil {
				return err
			}
		}
		buf = buf[:0]
	}
	if b.ended {
		buf = numbers(buf, frameEnded)
	}
	if len(buf) == 0 {
		return nil
	}
	_, err := p.conn.Write(buf)
	return err
}
