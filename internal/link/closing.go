package link

import (
	"errors"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/transport"
)

var (
	_ transport.StatusPromiser = (*Stream)(nil)
	_ transport.LateCloser     = (*Stream)(nil)
)

// A closing is with what the two sides of a session close. The mutex of the session guards it.
//
//	CloseWrite after CarryStatus:   fin, with the status in it
//	CloseWrite after PromiseStatus: fin, which says that a status follows
//	CarryStatus then, or Close:     status, which is acknowledged as the fin is
//	Abort:                          abort, with a status in it if there is one
type closing struct {
	known   bool   // the other side knows what a status is
	follows bool   // our fin says, or will say, that one follows
	fin     []byte // the content of our fin, once it was sent
	ours    []byte // as it is sent; nil as long as it is not known
	sent    bool   // the frame that follows, through cur
	ever    bool   // through any
	acked   bool

	promised bool // their fin has said that one follows
	heard    bool // and it has come
	unwanted bool // this side has stopped reading before the end: there is no end to wait for
	protocol string
	theirs   transport.CloseStatus
}

// promise is the content of a fin that a status follows.
var promise = []byte{1}

// errUntold: the other side has not said how it has closed, though it said that it would.
var errUntold = errors.New("the peer has not said how it has ended")

// KnowsStatus says that the other side knows what a status is. The protocol above finds that out.
func (s *Stream) KnowsStatus() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.known = true
}

// PromiseStatus implements [transport.StatusPromiser].
func (s *Stream) PromiseStatus() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.closing
	switch {
	case !c.known || s.closed || s.err != nil || s.ended:
		return false
	case !s.finEver && !s.stopped && c.ours == nil:
		c.follows = true
	}
	return c.follows && !s.stopped
}

// CarryStatus implements [transport.StatusCarrier].
func (s *Stream) CarryStatus(protocol string, status transport.CloseStatus) {
	b := closestatus.Marshal(protocol, status)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.closing
	if b == nil || !c.known || c.ever || s.closed || s.err != nil || s.ended {
		return
	}
	switch c.ours = b; {
	case !s.finEver:
		c.follows = false // it goes with the fin
	case c.follows:
		s.flushSoon()
	}
}

// CarriedStatus implements [transport.StatusCarrier].
func (s *Stream) CarriedStatus() (protocol string, status transport.CloseStatus, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing.protocol, s.closing.theirs, s.closing.protocol != ""
}

// ClosesLate implements [transport.LateCloser].
func (s *Stream) ClosesLate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing.promised
}

// toldAll tells whether the other side has heard how this one ends.
func (s *Stream) toldAll() bool {
	return s.finAcked && (!s.closing.follows || s.closing.acked || s.stopped)
}

// heardAll tells whether this side has heard how the other one ends.
func (s *Stream) heardAll() bool { return s.finIn && !s.awaitsStatus() }

// awaitsStatus tells whether the other side has ended and has more to say.
func (s *Stream) awaitsStatus() bool {
	c := &s.closing
	return s.finIn && c.promised && !c.heard && !c.unwanted
}

// settled tells whether there is nothing to wait for after Close.
func (s *Stream) settled() bool { return s.toldAll() && !s.awaitsStatus() }

// hasSay tells whether there is a status that is to be sent behind the fin, once that is.
func (s *Stream) hasSay() bool {
	c := &s.closing
	return c.follows && c.ours != nil && !c.acked && !s.stopped
}

// finFrames appends the fin and what follows it, as far as they are to be sent on cur.
func (s *Stream) finFrames(b []byte) []byte {
	c := &s.closing
	if end := s.acked + int64(s.out.length); s.fin && !s.finSent && s.err == nil && s.sent == end {
		if !s.finEver {
			s.finAt = end
			if c.follows = c.follows && !s.stopped; c.follows {
				c.fin = promise
			} else if c.known && len(c.ours) > len(closestatus.None) {
				c.fin = c.ours
			}
		}
		s.finSent, s.finEver = true, true
		b = append(head{frameFin, len(c.fin), uint64(s.finAt)}.append(b), c.fin...)
	}
	if s.finSent && s.err == nil && !c.sent && s.hasSay() {
		c.sent, c.ever = true, true
		b = append(head{frameStatus, len(c.ours), uint64(s.finAt) + 1}.append(b), c.ours...)
	}
	return b
}

// abortFrame appends the frame that says that both directions have failed.
func (s *Stream) abortFrame(b []byte) []byte {
	status := s.closing.ours
	if !s.closing.known || len(status) <= len(closestatus.None) {
		status = nil
	}
	return append(head{frameAbort, len(status), 0}.append(b), status...)
}

// hears notes the status that follows a fin.
func (s *Stream) hears(at int64, content []byte) {
	c := &s.closing
	if !s.finIn || !c.promised || at != s.inEnd()+1 {
		s.violated("%w: a status at %d, where the end is at %d", ErrProtocol, at, s.inEnd())
		return
	}
	if !c.heard {
		c.heard = true
		s.received++
		s.learn(content)
		s.beat.progress()
	}
	s.owed.ack = true
	s.changed.Broadcast()
}

// learn notes with what the other side has closed. What is no status says nothing.
func (s *Stream) learn(content []byte) {
	if s.closing.protocol == "" {
		s.closing.protocol, s.closing.theirs, _ = closestatus.Parse(content)
	}
}
