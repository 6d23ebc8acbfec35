package link

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"time"
)

// Write hands p to the stream below, or keeps it while there is none, as far as the
// window allows; then it waits.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return n, net.ErrClosed
		case s.err != nil:
			return n, s.err
		case s.writeLate.passed:
			return n, os.ErrDeadlineExceeded
		case s.stopped:
			return n, ErrStopped
		case s.fin:
			return n, io.ErrClosedPipe
		case n == len(p):
			return n, nil
		}
		m := 0
		if space := s.space(); space > 0 {
			m = s.out.put(p[n : n+min(space, len(p)-n)])
		}
		if n += m; m > 0 {
			s.beat.noteActivity(s)
			s.flush(true)
			if n == len(p) {
				return n, nil
			}
			continue
		}
		s.await() // for an acknowledgement
	}
}

// await waits for a change, which somebody must listen for.
func (s *Stream) await() {
	s.listen()
	s.waiters++
	s.changed.Wait()
	s.waiters--
}

// space returns how many bytes more may be kept and sent.
func (s *Stream) space() int {
	end := s.acked + int64(s.out.length)
	return int(min(s.limit-end, int64(s.n.options.Buffer-s.out.length)))
}

// flushSoon has all that is owed and kept sent by a goroutine of its own. Who reads must
// not write: the other side may not read before this one does.
func (s *Stream) flushSoon() {
	if s.writing || s.cur == nil {
		return
	}
	s.n.spawn(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flush(false)
	})
}

// finDelay is how long the acknowledgement of an end waits for the end of the other
// direction, which often comes of it, to go with it.
const finDelay = 10 * time.Millisecond

// flushLater is flushSoon unless something is sent soon anyway.
func (s *Stream) flushLater() {
	if s.later == nil {
		s.later = time.AfterFunc(finDelay, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flush(false)
		})
	}
}

// promptly is called when what was owed is sent.
func (s *Stream) promptly() {
	if s.later != nil {
		s.later.Stop()
		s.later = nil
	}
}

// flush sends all that is to be sent, if nobody does already. It gives the mutex away
// meanwhile.
func (s *Stream) flush(user bool) {
	if s.writing {
		return
	}
	s.writing = true
	for s.cur != nil {
		c := s.cur
		s.userWriting = user
		if sent, err := s.send(c); err != nil {
			s.lost(c, err)
		} else if !sent {
			break
		}
	}
	s.writing, s.userWriting = false, false
	s.changed.Broadcast()
	s.settle(true)
}

// send sends one frame of data, or what else is to be sent.
func (s *Stream) send(c *carrier) (sent bool, err error) {
	if c.last {
		s.owed = owed{} // the other side has all that it needs
		return false, nil
	}
	if b := s.control(c); len(b) > 0 {
		b = s.withLittle(b)
		below, ok := c.below.(lastWriter)
		c.last = ok && s.err == nil && s.toldAll() && s.heardAll()
		s.mu.Unlock()
		defer s.mu.Lock()
		if c.last {
			return true, below.WriteLast(b)
		}
		_, err := c.below.Write(b)
		return true, err
	}
	if s.err != nil || s.sent == s.acked+int64(s.out.length) {
		return false, nil
	}
	// The head goes right before the data, in place of bytes that are put back.
	k, at := s.out.at(int(s.sent - s.acked))
	size := min(k.end-at, maxData)
	frame := k.b[at-headSize : at+size]
	before := [headSize]byte(frame)
	head{frameData, size, uint64(s.sent)}.append(frame[:0])
	s.sent += int64(size)
	s.top = max(s.top, s.sent)
	k.pinned = true
	s.mu.Unlock()
	_, err = c.below.Write(frame)
	s.mu.Lock()
	copy(frame, before[:])
	k.pinned = false
	s.out.trim()
	return true, err
}

// A lastWriter is a stream below that is Write and CloseWrite at once.
type lastWriter interface{ WriteLast(p []byte) error }

// littleData goes with the frames that are owed, in one write.
const littleData = 1 << 10

// withLittle adds the data that is to be sent to b, if it is little.
func (s *Stream) withLittle(b []byte) []byte {
	if s.err != nil || s.sent == s.acked+int64(s.out.length) {
		return b
	}
	k, at := s.out.at(int(s.sent - s.acked))
	size := k.end - at
	if size > littleData {
		return b
	}
	b = append(head{frameData, size, uint64(s.sent)}.append(b), k.b[at:k.end]...)
	s.sent += int64(size)
	s.top = max(s.top, s.sent)
	return b
}

// control returns the frames that are owed.
func (s *Stream) control(c *carrier) (b []byte) {
	if c.greeting != nil {
		b, c.greeting = c.greeting, nil
	}
	if s.owed.pong {
		b = s.standing().append(head{framePong, 16, s.pong}.append(b))
		s.owed.ack = false
	}
	if s.owed.ack {
		at := s.standing()
		b = binary.BigEndian.AppendUint64(head{frameAck, 8, uint64(at.received)}.append(b), uint64(at.limit))
	}
	if s.owed.ping {
		b = head{framePing, 0, uint64(s.beat.ask())}.append(b)
	}
	if s.owed.stop {
		b = head{kind: frameStop}.append(b)
	}
	if s.owed.abort {
		b = s.abortFrame(b)
	}
	if s.owed.aborted {
		b = head{kind: frameAborted}.append(b)
	}
	s.owed = owed{}
	s.promptly()
	return s.finFrames(b)
}

// cutGrace is how long a write that is under way may take when the stream is closed or aborted.
const cutGrace = 100 * time.Millisecond

// cutWriter gives the carrier up, with a reason, if it is still in the way after that time.
func (s *Stream) cutWriter(inTheWay func() bool, why error) {
	c := s.cur
	if c == nil || !inTheWay() {
		return
	}
	time.AfterFunc(cutGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cur == c && inTheWay() {
			s.lost(c, why)
		}
	})
}
