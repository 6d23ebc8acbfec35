package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// The windows of a session: how many bytes it takes that nobody has read yet.
const (
	firstWindow = 32 << 10
	slowWindow  = 4 << 10

	// A window grows if half of it is read within one and a half round trips and
	// this. It is to be no greater than it must: what is in a cache is copied fast.
	windowSlack = 100 * time.Microsecond

	// guessedTrip is what is taken for a round trip until one has been measured, while
	// the window is less than guessedWindow.
	guessedTrip   = 100 * time.Millisecond
	guessedWindow = 256 << 10

	// ackInterval is how long bytes that arrive go without being acknowledged, if
	// not so many arrive that they are sooner.
	ackInterval = 200 * time.Millisecond
)

// Read reads what the other side has written.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case s.err != nil:
			return 0, s.err
		case s.readLate.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.in.length > 0:
			n := s.in.take(p)
			s.settleAccount()
			s.consumed()
			s.standIn()
			return n, nil
		case s.finIn:
			return 0, io.EOF
		case s.cur != nil && !s.reading:
			if s.awaiting && s.cur.greeting != nil {
				s.flushSoon()
			}
			s.userReading = true
			n := s.step(s.cur, p)
			s.userReading = false
			if n > 0 {
				s.standIn()
				return n, nil
			}
		default:
			s.readers++
			s.changed.Wait()
			s.readers--
		}
	}
}

// interrupt has a Read look at the state again that is reading from the stream below.
func (s *Stream) interrupt() {
	if s.userReading && s.cur != nil {
		s.cur.poke()
	}
}

// listen sees to it that somebody reads from the stream below.
func (s *Stream) listen() {
	if s.cur == nil || s.reading || s.listening || s.readers > 0 {
		return
	}
	s.listening = s.n.spawn(s.background)
}

// standInDelay is how long a Write waits for the next Read to hear of an
// acknowledgement.
const standInDelay = time.Millisecond

// standIn has somebody listen soon, if somebody waits and no Read comes.
func (s *Stream) standIn() {
	switch {
	case s.waiters == 0 || s.ended:
	case s.deputy == nil:
		s.deputy = time.AfterFunc(standInDelay, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.waiters > 0 {
				s.listen()
			}
		})
	default:
		s.deputy.Reset(standInDelay)
	}
}

// background reads from the stream below until Read wants to.
func (s *Stream) background() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cur != nil && !s.reading && s.readers == 0 {
		s.step(s.cur, nil)
	}
	s.listening = false
	s.changed.Broadcast()
}

// step reads once from a carrier, without the mutex, and acts upon what came. Data
// goes to p, or if that is nil to the buffer; n is how much of it went to p.
func (s *Stream) step(c *carrier, p []byte) (n int) {
	s.reading = true
	c.unpoke()
	dst, k := s.room(c, p)
	s.mu.Unlock()
	m, err := c.below.Read(dst)
	s.mu.Lock()
	s.reading = false
	return s.took(c, k, p != nil, m, err)
}

// room is where the next bytes of a carrier are read to; if that is in a block, it comes, too.
func (s *Stream) room(c *carrier, p []byte) (dst []byte, k *block) {
	unwanted := int(min(s.inEnd()-c.position, int64(c.left)))
	if s.shut || s.err != nil {
		unwanted = c.left
	}
	switch {
	case c.left == 0 && c.headHas < headSize:
		return c.head[c.headHas:], nil
	case c.left == 0:
		return c.content()[c.bodyHas:], nil
	case unwanted > 0:
		k = middleBlocks.Get().(*block) //nolint:forcetypeassert // there is nothing else in it
		return k.b[:min(unwanted, len(k.b))], k
	case p != nil:
		return p[:min(len(p), c.left)], nil
	}
	k = s.in.room(c.left)
	k.pinned = true
	return k.b[k.end:min(len(k.b), k.end+c.left)], k
}

// took acts upon what step has read; n is how much of it went to the user.
func (s *Stream) took(c *carrier, k *block, user bool, m int, err error) (n int) {
	if s.readers > 0 || s.cur != c || s.ended || s.closed {
		s.changed.Broadcast()
	}
	if m > 0 {
		s.beat.heard(s)
	}
	switch {
	case c.left > 0:
		switch {
		case k == nil:
		case !k.pinned: // it was not wanted
			middleBlocks.Put(k)
		default:
			k.pinned = false
			if s.err == nil && !s.shut {
				k.end += m
				s.in.length += m
			}
			s.in.trim()
		}
		c.left -= m
		c.position += int64(m)
		if fresh := c.position - s.received; fresh > 0 && !s.finIn {
			s.received += fresh
			if user {
				n = m
			}
			s.beat.noteActivity(s)
			s.consumed()
		}
	case c.headHas < headSize:
		if c.headHas += m; c.headHas == headSize {
			s.begin(c)
		}
	default:
		if c.bodyHas += m; c.bodyHas == c.frame.size {
			s.act(c)
		}
	}
	if err != nil && !(c.poked && errors.Is(err, os.ErrDeadlineExceeded)) {
		s.lost(c, err)
	}
	return n
}

// inEnd returns the position behind the last byte that has arrived.
func (s *Stream) inEnd() int64 {
	end := s.received
	if s.finIn {
		end--
	}
	if s.closing.heard {
		end--
	}
	return end
}

// begin looks at the head of a frame.
func (s *Stream) begin(c *carrier) {
	h, err := parseHead(c.head[:])
	c.frame, c.bodyHas = h, 0
	switch {
	case err != nil:
		s.violated("%w", err)
	case s.awaiting != (h.kind == frameOpened || h.kind == frameRefused), h.kind < frameOpened || h.kind == frameResume || h.kind == frameResumed:
		s.violated("%w: a frame of kind %d in a session", ErrProtocol, h.kind)
	case h.kind == frameData:
		c.headHas, c.left, c.position = 0, h.size, int64(h.number)
		switch end := c.position + int64(h.size); {
		case s.shut || s.err != nil:
		case c.position > s.received:
			s.violated("%w: bytes are missing", ErrProtocol)
		case end > s.granted:
			s.violated("%w: more bytes than were asked for", ErrProtocol)
		case s.finIn && end > s.inEnd():
			s.violated("%w: bytes after the end", ErrProtocol)
		}
	case h.size == 0:
		s.act(c)
	case h.size > len(c.body):
		c.long = make([]byte, h.size)
	}
}

// violated ends the session because of the other side, with which there is nothing more
// to talk about: if it resumes the session, it is told that there is none.
func (s *Stream) violated(format string, a ...any) {
	s.end(fmt.Errorf(format, a...), false, false)
}

// act acts upon a frame that has arrived whole.
func (s *Stream) act(c *carrier) {
	h, body := c.frame, c.content()
	c.headHas, c.long = 0, nil
	if s.err != nil && h.kind != frameAbort && h.kind != frameAborted {
		return // it is of no interest any more
	}
	switch h.kind {
	case frameOpened:
		s.agree(parseOpened(body))
	case frameRefused:
		s.end(reason(h.number).err(), false, false)
	case frameAck:
		s.acknowledge(standing{int64(h.number), int64(binary.BigEndian.Uint64(body) & maxNumber)})
	case framePing:
		s.owed.pong, s.pong = true, h.number
	case framePong:
		s.beat.answered(s, h.number)
		if at, ok := parseStanding(body); ok {
			s.acknowledge(at)
		}
	case frameFin:
		if s.ends(int64(h.number), body); s.owed == (owed{ack: true}) && !s.fin && !s.shut {
			s.flushLater()
			return
		}
	case frameStatus:
		s.hears(int64(h.number), body)
	case frameStop:
		s.stop()
	case frameAbort:
		s.learn(body)
		s.err = ErrReset
		s.aborting = false
		s.owed = owed{aborted: true}
		s.dropAll()
	case frameAborted:
		s.aborting = false
		s.owed = owed{}
	}
	if (s.owed != owed{}) {
		s.flushSoon()
	}
	s.settle(false)
}

// ends notes where the other side ends, and whether a status follows.
func (s *Stream) ends(at int64, content []byte) {
	c, follows := &s.closing, bytes.Equal(content, promise)
	switch {
	case len(content) == 1 && !follows, s.finIn && follows != c.promised:
		s.violated("%w: an end that says %x", ErrProtocol, content)
		return
	case s.finIn && at != s.inEnd(), !s.shut && at != s.inEnd(), at < s.inEnd():
		s.violated("%w: an end at %d, where %d bytes have come", ErrProtocol, at, s.inEnd())
		return
	}
	if !s.finIn {
		s.finIn, s.received = true, at+1
		c.promised = follows
		s.learn(content)
	}
	s.owed.ack = true
	s.owed.stop = false
	s.changed.Broadcast()
}

// stop drops what the other side does not want.
func (s *Stream) stop() {
	if s.stopped {
		return
	}
	s.stopped, s.fin = true, true
	if !s.finEver {
		s.finAt = s.top
	}
	s.out.clear()
	s.acked, s.sent = s.finAt, s.finAt
	s.changed.Broadcast()
	s.flushSoon()
}

// acknowledge notes how far the other side has come. What is behind what it has
// said before is of no interest: it has been overtaken on another way.
func (s *Stream) acknowledge(at standing) {
	most := s.top
	if s.finEver {
		most = s.finAt + 1
	}
	if s.closing.ever {
		most++
	}
	if at.received > most {
		s.violated("%w: it has received %d bytes of %d", ErrProtocol, at.received, most)
		return
	}
	if s.finEver && at.received > s.finAt {
		if s.finAcked = true; at.received == s.finAt+2 && !s.closing.acked {
			s.closing.acked = true
			s.beat.progress()
		}
		at.received = s.finAt
	}
	if n := at.received - s.acked; n > 0 && !s.stopped {
		s.out.drop(int(n))
		s.acked = at.received
		s.sent = max(s.sent, s.acked)
		s.beat.progress()
	}
	s.limit = max(s.limit, at.limit)
	s.changed.Broadcast()
}

// consumed tells the other side how far this one has come, now and then: often enough
// that it need not wait, and seldom enough that it costs nothing.
func (s *Stream) consumed() {
	now := time.Now()
	free := s.received - int64(s.in.length) + s.window - s.granted
	switch {
	case s.finIn || s.err != nil:
		return
	case free >= s.window/2:
		trip := s.leastTrip
		if trip == 0 {
			if s.owed.ping = true; s.window < guessedWindow {
				trip = guessedTrip
			}
		}
		if now.Sub(s.toldAt) < trip+trip/2+windowSlack && !s.shut {
			s.widen()
		}
	case s.received-s.told >= s.window/2:
	case s.received > s.told && now.Sub(s.toldAt) >= ackInterval:
	default:
		return
	}
	s.owed.ack = true
	s.flushSoon()
}

// widen doubles the window, if there is memory for it.
func (s *Stream) widen() {
	if more := min(s.window, int64(s.n.options.Buffer)-s.window); more > 0 && s.memory != nil && s.memory.Take(more, false) {
		s.window += more
	}
}

// standing returns where this side stands, as the other is told now.
func (s *Stream) standing() standing {
	s.granted = max(s.granted, s.received-int64(s.in.length)+s.window)
	s.told, s.toldAt = s.received, time.Now()
	return standing{s.received, s.granted}
}
