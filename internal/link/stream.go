package link

import (
	"cmp"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Stream is one end of a session. At any time at most one goroutine reads from the
// stream below and at most one writes to it. Whoever calls Read or Write does so
// itself, so that a healthy stream needs no goroutine of its own; when nobody does and
// something is waited for, one is started for as long as that.
//
//	       Open, accept
//	            |
//	            v    lost, suspect, or a better path
//	+------> carried ------> repairing (paused, if it is lost)
//	|           |  |             |  |
//	|           |  +---- adopt --+  | survive has run out, or the other side
//	|           |                   | has forgotten the session
//	|           v                   v
//	|         over <----------------+
//	|           ^
//	+- aborting-+ the other side has heard of it
//
// over is the end: both directions have ended and both sides know it, or there is no
// hope any more.
type Stream struct {
	n             *Network
	id            sessionID
	key           [keySize]byte
	proto         string
	opener        bool
	survive       time.Duration
	began         time.Time
	info          *transport.Info
	local, remote net.Addr
	memory        *account.Account
	over          chan struct{} // closed at the end

	mu      sync.Mutex // guards what follows; the mutex of the Network may be taken in it
	changed sync.Cond  // any of it has

	cur         *carrier // nil while the session is paused
	awaiting    bool     // the other side has not answered yet that it opens the session
	resumed     int      // how often there was another
	adopted     attempt  // which made cur, or is about to
	tried       uint64   // the highest epoch that this side has used
	reading     bool     // somebody reads from cur, or from the one before
	userReading bool     // and that is Read
	readers     int      // Reads that wait for somebody else
	waiters     int      // others who wait for what is heard
	deputy      *time.Timer
	listening   bool // the goroutine that reads when no Read does
	writing     bool // as reading
	userWriting bool
	repairing   bool          // repairs runs
	hurried     chan struct{} // has it look again
	suspect     bool          // nothing comes through cur any more
	better      bool          // there is a better path
	hasty       time.Time     // when the addresses of this machine have changed
	pausedSince time.Time
	expiry      *time.Timer   // gives the session up
	roundTrip   time.Duration // as last measured, and the shortest on cur; 0 if there was none
	leastTrip   time.Duration

	out       buffer // what the other side has not acknowledged
	acked     int64  // the position of its front
	sent      int64  // what cur was given, up to here
	top       int64  // what any was given
	limit     int64  // the other side takes bytes up to here
	fin       bool   // nothing more will be written
	finAt     int64  // the position of the end, once it was sent
	finSent   bool   // through cur
	finEver   bool   // through any
	finAcked  bool
	stopped   bool // the other side reads no more
	writeLate moment

	in       buffer // what Read has not taken
	received int64  // all before is here; the end counts as one
	granted  int64  // the other side may send up to here
	window   int64
	told     int64     // received, as the other side knows it
	toldAt   time.Time // when it was last told
	finIn    bool      // the other side has ended
	shut     bool      // this side reads no more
	readLate moment

	closing  closing
	owed     owed
	later    *time.Timer // sends what is owed and can wait; nil if there is nothing
	pong     uint64      // what is to be answered
	beat     beat
	err      error // how the session failed
	aborting bool  // the other side is to be told
	ended    bool  // over is closed
	closed   bool
	closeErr error
}

var (
	_ transport.Stream  = (*Stream)(nil)
	_ transport.Aborter = (*Stream)(nil)
)

// owed are frames that are to be sent.
type owed struct{ ack, ping, pong, stop, abort, aborted bool }

// An attempt is a try to give a session another stream. The later one counts, and of
// two at the same time that of the opener.
type attempt struct {
	epoch  uint64
	opener bool
}

func (a attempt) after(b attempt) bool {
	return a.epoch > b.epoch || a.epoch == b.epoch && a.opener && !b.opener
}

func (n *Network) newStream(with peer.ID, proto string, c *carrier, opener bool) *Stream {
	below := c.below
	info := *below.Info()
	info.Peer = with.String()
	s := &Stream{n: n, id: sessionID{peer: with}, proto: proto, opener: opener, info: &info, began: time.Now(),
		local: below.LocalAddr(), remote: below.RemoteAddr(), over: make(chan struct{}), hurried: make(chan struct{}, 1)}
	s.changed.L = &s.mu
	s.cur = c
	return s
}

// start begins the life of a session that both sides have agreed on.
func (s *Stream) start(survive time.Duration, limit int64, roundTrip time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if roundTrip > 0 {
		s.measured(roundTrip)
	}
	s.begins(survive, limit)
}

// startEarly begins the life of a session to which the other side has not agreed yet. It
// may be sent slowWindow bytes meanwhile. The opening goes out with the first of them, or
// when it is waited for what comes.
func (s *Stream) startEarly(open []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.awaiting, s.cur.greeting = true, open // before anything else can be sent
	s.begins(s.survive, slowWindow)
}

// answerEarly begins the life of a session whose opener does not wait for opened, which
// goes out with the first that is sent, or at the first beat.
func (s *Stream) answerEarly(opened []byte, limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.cur.greeting = opened
	s.begins(s.survive, limit)
}

func (s *Stream) begins(survive time.Duration, limit int64) {
	s.survive, s.limit = survive, limit
	s.granted, s.toldAt = s.window, time.Now()
	s.beat.start(s)
}

// agree notes what the other side has answered to an early opening.
func (s *Stream) agree(survive time.Duration, window uint32) {
	if survive <= 0 || survive > s.survive && s.survive >= minEarly {
		s.violated("%w: it survives %v", ErrProtocol, survive)
		return
	}
	s.awaiting = false
	s.survive, s.limit = survive, max(s.limit, int64(window))
	s.measured(time.Since(s.began))
	s.changed.Broadcast()
}

// detach ends a session that has not begun, and leaves the stream below alone.
func (s *Stream) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur = nil
	s.end(nil, false, false)
}

// finish ends the session. clean tells that both sides have ended it as they should.
func (s *Stream) finish(err error, clean bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(err, clean, false)
}

// end is finish with the mutex held. If the other side may still wait for the last
// word, the stream below lingers.
func (s *Stream) end(err error, clean, linger bool) {
	if s.ended {
		return
	}
	s.ended = true
	s.promptly()
	s.err = cmp.Or(s.err, err)
	if s.closed && !clean && !s.settled() {
		s.closeErr = s.err
	}
	close(s.over)
	s.beat.stop()
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.out.clear()
	if s.err != nil || s.closed {
		s.in.clear()
	}
	s.settleAccount()
	s.n.forget(s, clean)
	c := s.cur
	s.cur = nil
	s.changed.Broadcast()
	switch {
	case c == nil:
	case !linger || !s.n.spawn(func() { s.linger(c) }):
		c.release(nil)
	}
}

// linger closes a stream below after the other side has.
func (s *Stream) linger(c *carrier) {
	defer c.release(nil)
	if c.below.CloseWrite() != nil || c.below.SetReadDeadline(time.Now().Add(transport.LingeringCloseTime)) != nil {
		return
	}
	s.mu.Lock()
	for s.reading {
		s.changed.Wait()
	}
	s.mu.Unlock()
	for n, b := 0, make([]byte, 512); n < 64<<10; {
		m, err := c.below.Read(b)
		if n += m; err != nil {
			return
		}
	}
}

// settleAccount gives the memory back that the session has booked. What has not been
// read yet goes on to be paid for.
func (s *Stream) settleAccount() {
	if s.ended && s.memory != nil && (s.in.length == 0 || s.closed) {
		s.memory.Give(s.window)
		s.memory = nil
	}
}

// settle ends the session if there is nothing more to do. It is called when something
// was sent or heard; sending tells which.
func (s *Stream) settle(sending bool) {
	switch {
	case s.writing || s.owed != owed{}:
	case s.err == nil && s.toldAll() && s.heardAll():
		s.end(nil, true, sending)
	case s.err != nil && !s.aborting:
		s.end(nil, false, sending)
	}
}

// fail ends the session for the user and tells the other side.
func (s *Stream) fail(err error) {
	if s.ended || s.err != nil {
		return
	}
	s.err, s.aborting = err, true
	if s.closed && !s.settled() {
		s.closeErr = err
	}
	s.owed = owed{abort: true}
	s.beat.progress()
	s.dropAll()
	s.cutWriter(func() bool { return s.writing && s.owed.abort }, err) // what is in the way may never get through
	s.flushSoon()
	s.listen()
}

// dropAll forgets all data.
func (s *Stream) dropAll() {
	s.out.clear()
	s.in.clear()
	s.beat.noteActivity(s)
	s.interrupt()
	s.changed.Broadcast()
}

// shutDown aborts a session that has not been closed by its user already.
func (s *Stream) shutDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.beat.timer == nil: // it has not begun
		s.end(errClosing, false, false)
	case !s.closed:
		s.fail(errClosing)
	}
}

// giveUp ends the session at once.
func (s *Stream) giveUp(err error) { s.finish(err, false) }

// CloseWrite sends the end of file behind all that was written.
func (s *Stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case s.err != nil:
		return s.err
	case s.stopped:
		return nil
	}
	if !s.fin {
		s.fin = true
		s.beat.noteActivity(s)
		s.changed.Broadcast()
		s.flush(true)
	}
	return nil
}

// Close ends both directions. It returns when the other side has received all that was
// written, and has said all, if it has ended and promised a status, or has done nothing of that
// for as long as the session survives. The other side's writes fail from then on.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.in.clear()
		if !s.ended && s.err == nil {
			s.fin = true
			if s.shut = true; !s.finIn {
				s.owed.stop, s.closing.unwanted = true, true
			}
			if s.closing.follows && s.closing.ours == nil {
				s.closing.ours = closestatus.None
			}
			s.beat.progress()
			s.beat.noteActivity(s)
		}
		s.interrupt()
		s.settleAccount()
		s.changed.Broadcast()
		s.cutWriter(func() bool { return s.userWriting }, net.ErrClosed)
		s.flush(false)
	}
	for !s.ended && !s.aborting && !s.settled() {
		if s.cur != nil && !s.reading && s.readers == 0 {
			s.step(s.cur, nil) // there is nothing else to do for this goroutine
		} else {
			s.await()
		}
	}
	s.listen() // for the end of the other side, if it has not come
	return s.closeErr
}

// Abort ends both directions, so that the other side sees a failure. It does not wait
// until the other side has heard of it.
func (s *Stream) Abort(error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(transport.ErrAborted)
	return nil
}

// Info returns what is known about the end.
func (s *Stream) Info() *transport.Info { return s.info }

// LocalAddr returns the address of the first stream below.
func (s *Stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr returns the address of the first stream below.
func (s *Stream) RemoteAddr() net.Addr { return s.remote }

// A moment is a deadline. The zero moment never comes.
type moment struct {
	passed bool
	timer  *time.Timer
	set    int // how often it was set
}

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline sets until when Read waits.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readLate, t) }

// SetWriteDeadline sets until when Write waits. A Write that is cut in the middle of what
// it hands to the stream below costs the session a new one.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeLate, t) }

func (s *Stream) setDeadline(m *moment, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if m.timer != nil {
		m.timer.Stop()
	}
	m.set++
	m.passed, m.timer = false, nil
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		s.pass(m)
	default:
		set := m.set
		m.timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if m.set == set {
				s.pass(m)
			}
		})
	}
	return nil
}

// pass marks a deadline as passed and wakes who waits.
func (s *Stream) pass(m *moment) {
	m.passed = true
	s.changed.Broadcast()
	if m == &s.readLate {
		s.interrupt()
	} else if s.userWriting && s.cur != nil {
		s.lost(s.cur, os.ErrDeadlineExceeded)
	}
}
