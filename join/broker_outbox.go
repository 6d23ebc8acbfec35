package join

import (
	"sync"
	"time"
)

// A packet is what one member sent. Nobody changes it: all outboxes share it.
type packet struct {
	data []byte
	text bool
	cuts bool // it has no boundaries of its own, and may be divided
}

// size is what a packet counts in an outbox: an empty message takes room too.
func (p packet) size() int64 { return int64(len(p.data)) + 64 }

// An outbox is the send queue of one member, and its state.
type outbox struct {
	limit int64

	mu      sync.Mutex // guards what follows
	queue   []packet
	held    int64
	room    chan struct{} // if somebody waits for room: closed when there is some
	leaving bool          // nothing more is taken in
	dropped bool          // by a rule, which is why
	why     error         // of leaving; nil if of its own will
	timer   *time.Timer   // of leaving, or nil

	changed chan struct{} // holds a token when there is something to take
	ended   chan struct{} // closed when leaving becomes true
}

func (o *outbox) init(limit int64) {
	o.limit = limit
	o.changed, o.ended = make(chan struct{}, 1), make(chan struct{})
}

// take waits for a packet. More is false when there are none and none will come.
func (o *outbox) take() (p packet, more bool) {
	for {
		o.mu.Lock()
		if len(o.queue) > 0 {
			defer o.mu.Unlock()
			p, o.queue[0] = o.queue[0], packet{}
			o.queue = o.queue[1:]
			o.held -= p.size()
			if o.room != nil {
				close(o.room)
				o.room = nil
			}
			return p, true
		}
		leaving := o.leaving
		o.mu.Unlock()
		if leaving {
			return packet{}, false
		}
		select {
		case <-o.changed:
		case <-o.ended:
		}
	}
}

// offer puts p in and returns nil, or returns what will be closed when it is worth
// trying again. A member that is leaving takes everything and keeps nothing.
func (o *outbox) offer(p packet) (full <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving {
		return nil
	}
	if o.held > 0 && o.held+p.size() > o.limit {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room
	}
	o.queue = append(o.queue, p)
	o.held += p.size()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return nil
}

// wait offers p until it is taken, and returns false if it is late before.
func (o *outbox) wait(p packet, late <-chan struct{}) bool {
	for {
		full := o.offer(p)
		if full == nil {
			return true
		}
		select {
		case <-full:
		case <-o.ended:
		case <-late:
			return o.offer(p) == nil
		}
	}
}

// finish closes the queue to new packets; those in it are still sent. A timer that is not
// the first is stopped.
func (o *outbox) finish(timer *time.Timer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving {
		timer.Stop()
		return
	}
	o.leaving, o.timer = true, timer
	close(o.ended)
}

// discard closes the queue to new packets and drops those in it.
func (o *outbox) discard(why error, dropped bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.leaving {
		o.leaving, o.why, o.dropped = true, why, dropped
		close(o.ended)
	} else if len(o.queue) > 0 && o.why == nil {
		o.why = why
	}
	o.queue, o.held = nil, 0
}

// cut drops what is queued, with ErrCut as the reason if there was something.
func (o *outbox) cut() { o.discard(ErrCut, false) }

// lose records why a packet that was taken out could not be sent.
func (o *outbox) lose(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.why == nil {
		o.why = why
	}
}

func (o *outbox) stopTimer() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer != nil {
		o.timer.Stop()
	}
}

func (o *outbox) isLeaving() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leaving
}

func (o *outbox) reason() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why
}

func (o *outbox) wasDropped() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}
