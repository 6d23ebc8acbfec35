package mailbox

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A channel is a number that somebody offers. The mutex of its Server guards it.
//
// The offerer always has one stream that waits, and opens the next one when it has
// been joined. Joiners have it one after another:
//
//	waiting --a joiner's turn--> running --both directions ended--> nobody waits
//	   ^                                                               |
//	   `-------------------- the offerer's next stream ----------------'
//
// It ends when its time is over, when the offerer ends the stream that waits, or when
// none has come for [Grace].
type channel struct {
	server  *Server
	number  int
	secret  [secretSize]byte
	host    string // of whoever has opened it
	ends    time.Time
	timer   *time.Timer
	over    bool
	waiting *offerer
	current *run
	queue   []*client     // joiners
	changed chan struct{} // closed when a turn may have come
	turned  uint32        // joiners that were sent away
}

// An offerer is a stream on which an offerer waits, and then speaks.
type offerer struct {
	*client
	run   *run  // once somebody has joined it
	ended error // why it waits in vain
}

// newChannel is called with the mutex held, as are all methods of a channel.
func newChannel(s *Server, number int, secret [secretSize]byte, host string) *channel {
	ch := &channel{server: s, number: number, secret: secret, host: host, ends: time.Now().Add(Lifetime), changed: make(chan struct{})}
	ch.timer = time.AfterFunc(Lifetime, func() { s.lock(ch.expire) })
	return ch
}

// tell wakes those that wait for their turn, and sets the time at which the channel
// ends.
func (ch *channel) tell() {
	close(ch.changed)
	ch.changed = make(chan struct{})
	left := time.Until(ch.ends)
	if ch.waiting == nil && ch.current == nil {
		left = min(left, Grace)
	}
	if !ch.over {
		ch.timer.Reset(left)
	}
}

// expire ends the channel if nobody waits on it, or its time is over.
func (ch *channel) expire() {
	if ch.over || time.Now().Before(ch.ends) && (ch.waiting != nil || ch.current != nil) {
		return
	}
	ch.end(ErrExpired)
}

func (ch *channel) end(why error) {
	if ch.over {
		return
	}
	ch.over = true
	delete(ch.server.channels, ch.number)
	ch.dismiss(why)
	ch.timer.Stop()
	ch.tell()
}

// dismiss ends the wait of the stream that waits.
func (ch *channel) dismiss(why error) {
	if o := ch.waiting; o != nil {
		o.ended, ch.waiting = why, nil
		o.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // then it is closed
	}
}

// wait has a stream wait for the next joiner, in place of one that waits already: that
// one has been lost, and its end has not been seen yet. If the channel is over it returns
// nil.
func (ch *channel) wait(c *client) *offerer {
	if ch.over {
		return nil
	}
	ch.dismiss(ErrTaken)
	o := &offerer{client: c}
	ch.waiting = o
	c.SetReadDeadline(time.Time{}) //nolint:errcheck // then it is closed
	ch.tell()
	return o
}

// left is called when a stream that nobody has joined has ended.
func (ch *channel) left(o *offerer, err error) {
	if ch.waiting != o {
		return
	}
	ch.waiting = nil
	if clean(err) {
		ch.end(ErrNoChannel)
		return
	}
	ch.tell()
}

// queue has a joiner wait for its turn.
func (s *Server) queue(c *client, number int) (*run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[number]
	if ch == nil {
		return nil, ErrNoChannel
	}
	if err := ch.admit(c); err != nil {
		ch.turned++
		return nil, err
	}
	ch.queue = append(ch.queue, c)
	late := time.NewTimer(queueing)
	defer late.Stop()
	if ch.current != nil {
		ch.current.until(turn)
	}
	for {
		switch {
		case ch.over:
			return nil, ErrNoChannel
		case ch.queue[0] == c && ch.waiting != nil && ch.current == nil:
			return ch.start(c), nil
		}
		changed := ch.changed
		s.mu.Unlock()
		var timeout bool
		select {
		case <-changed:
		case <-late.C:
			timeout = true
		}
		s.mu.Lock()
		if timeout {
			ch.leaveQueue(c)
			ch.turned++
			return nil, ErrBusy
		}
	}
}

// admit tells whether a joiner may wait for its turn.
func (ch *channel) admit(c *client) error {
	same := func(other *client) bool { return other.host == c.host }
	switch {
	case !c.trusted && !ch.server.tries.Allow(ch.number):
		return ErrTooOften
	case len(ch.queue) >= perChannel:
		return ErrBusy
	case c.trusted:
		return nil
	case slices.ContainsFunc(ch.queue, same), ch.current != nil && same(ch.current.joiner):
		return ErrBusy
	}
	return nil
}

func (ch *channel) leaveQueue(c *client) {
	ch.queue = slices.DeleteFunc(ch.queue, func(other *client) bool { return other == c })
	close(ch.changed)
	ch.changed = make(chan struct{})
}

// start begins the run of the joiner whose turn it is.
func (ch *channel) start(c *client) *run {
	o := ch.waiting
	ch.waiting = nil
	r := &run{ch: ch, joiner: c, offerer: o.client, turned: ch.turned, ends: time.Now().Add(MaxRun),
		ready: make(chan struct{}), done: make(chan struct{})}
	r.open.Store(2)
	o.run, ch.current = r, r
	if r.until(MaxRun); len(ch.queue) > 1 {
		r.until(turn)
	}
	ch.leaveQueue(c)
	return r
}

// A run is two streams joined to each other.
type run struct {
	ch              *channel
	joiner, offerer *client
	turned          uint32
	ends            time.Time     // guarded by the mutex of the Server
	ready           chan struct{} // closed when the offerer's bytes may go to the joiner
	open            atomic.Int32  // directions
	done            chan struct{} // closed when none is open
}

// until cuts the time that the run has left. It is called with the mutex held.
func (r *run) until(left time.Duration) {
	if t := time.Now().Add(left); !t.After(r.ends) {
		r.ends = t
	}
	r.joiner.SetDeadline(r.ends)  //nolint:errcheck // then it is closed
	r.offerer.SetDeadline(r.ends) //nolint:errcheck // then it is closed
}

// begin tells both that the other one is there: the joiner first, so that the
// offerer's bytes cannot overtake it.
func (r *run) begin() error {
	defer close(r.ready)
	if err := writeFrame(r.joiner, frameJoined, make([]byte, joinedSize)); err != nil {
		return err
	}
	return writeFrame(r.offerer, frameJoined, binary.BigEndian.AppendUint32(nil, r.turned))
}

// carry moves bytes in one direction until it ends, and waits until the other one
// has ended, too.
func (r *run) carry(to, from *client, first []byte, err error) {
	var b [1 << 10]byte
	for n, budget := copy(b[:], first), MaxBytes; ; n, err = from.Read(b[:]) {
		if budget -= n; budget < 0 {
			err = ErrProtocol
		} else if n > 0 {
			if _, e := to.Write(b[:n]); e != nil {
				err = e
			}
		}
		if err != nil {
			break
		}
	}
	r.end(to, err)
	<-r.done
}

// end ends a direction: with an end of file, or both directions with a failure.
func (r *run) end(to *client, err error) {
	if !clean(err) || to.CloseWrite() != nil {
		transport.Abort(r.joiner.Stream, err)  //nolint:errcheck // it ends in any case
		transport.Abort(r.offerer.Stream, err) //nolint:errcheck // it ends in any case
	}
	if r.open.Add(-1) == 0 {
		close(r.done)
	}
}

// over lets the next joiner have its turn.
func (r *run) over() {
	r.ch.server.lock(func() {
		r.ch.current = nil
		r.ch.tell()
	})
}
