//go:build linux

package ipc

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// readable tells whether there is something to take out, or an error to report
// once and for all.
func (l *link) readable() (bool, error) {
	c := &l.in.c
	if c.filled() > 0 {
		return true, nil
	}
	dead := l.dead.Load() // before the look: what a dead peer has written is there
	switch err := c.look(l.mode); {
	case errors.Is(err, ErrProtocol):
		return true, l.breakOff(err)
	case err == io.EOF:
		l.sawEOF()
		return true, err
	case err != nil:
		return true, err
	case c.filled() > 0:
		return true, nil
	case dead:
		return true, errReset
	}
	return false, nil
}

// writable tells whether there is room for n bytes, or an error to report once and
// for all.
func (l *link) writable(n uint64) (bool, error) {
	p := &l.out.p
	if p.free() >= n {
		return true, nil
	}
	dead := l.dead.Load()
	switch err := p.look(); {
	case errors.Is(err, ErrProtocol):
		return true, l.breakOff(err)
	case err != nil:
		return true, err
	case dead:
		return true, errPipe
	case p.free() >= n:
		return true, nil
	}
	return false, nil
}

// awaitData returns when there is something to take out. The caller holds in.mu.
func (l *link) awaitData() error {
	h := &l.in
	for {
		if err := l.check(&h.deadline); err != nil {
			return err
		}
		if ready, err := l.readable(); ready {
			return err
		}
		if h.c.shown != h.c.head {
			l.publishTaken()
		}
		l.armIdle()
		if h.spin.spin(&h.c.ctl.tail, h.c.tail, &h.c.ctl.end, &l.state, l.peerRuns.Load()) {
			l.turn.Store(true)
			continue
		}
		if h.ready == nil {
			h.ready = l.pollIn
		}
		if err := l.park(&h.queue, &h.deadline, false, h.ready); err != nil {
			return err
		}
		h.c.ctl.consumerWaits.publish(0)
	}
}

// pollIn is what a reader does before it parks, and each time that it is woken.
func (l *link) pollIn(fd uintptr) bool {
	if ready, _ := l.readable(); ready {
		return true
	}
	l.expectWakeUp(int(fd), l.in.queue)
	l.in.c.ctl.consumerWaits.publish(1)
	if ready, _ := l.readable(); ready {
		return true
	}
	return l.socketEnded(int(fd))
}

// awaitRoom returns when there is room for n bytes. The caller holds out.mu.
func (l *link) awaitRoom(n uint64) error {
	h := &l.out
	for {
		if err := l.check(&h.deadline); err != nil {
			return err
		}
		if ready, err := l.writable(n); ready {
			return err
		}
		if h.spin.spin(&h.p.ctl.head, h.p.head, &h.p.ctl.gone, &l.state, true) {
			continue
		}
		if h.ready == nil {
			h.ready = l.pollOut
		}
		h.need = n
		if err := l.park(&h.queue, &h.deadline, true, h.ready); err != nil {
			return err
		}
		h.p.ctl.producerWaits.publish(0)
	}
}

// pollOut is what a writer does before it parks, and each time that it is woken.
func (l *link) pollOut(fd uintptr) bool {
	if ready, _ := l.writable(l.out.need); ready {
		return true
	}
	l.expectWakeUp(int(fd), l.out.queue)
	l.out.p.ctl.producerWaits.publish(1)
	if ready, _ := l.writable(l.out.need); ready {
		return true
	}
	return l.socketEnded(int(fd))
}

// socketEnded tells whether the socket has ended, and takes note of it.
func (l *link) socketEnded(fd int) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds[:], 0); n == 0 || err != nil {
		return false
	}
	l.emptySocket(fd, nil) // there may be descriptors in it
	l.dead.Store(true)
	return true
}

// expectWakeUp is called whenever a flag is set, for which the other side may send one
// byte, by who parks in the queue self. What is sent need not be read for us to wake,
// since each arrival makes an event; but the socket must not become full, for then
// nothing arrives any more.
func (l *link) expectWakeUp(fd int, self *waitQueue) {
	if l.unread.Add(1)%maxUnread == 0 {
		l.emptySocket(fd, self)
	}
}

// emptySocket reads what is in the socket; see drain.
func (l *link) emptySocket(fd int, self *waitQueue) {
	if err := l.drain(fd, self); err != nil {
		_ = l.breakOff(err)
	}
}

// maxUnread is how many wake-ups may be expected until the socket is read.
const maxUnread = 32

// takeTurn is called before something is put into the ring. If something has come just
// now, that is perhaps the answer to it, and the other side polls for it.
func (l *link) takeTurn() {
	if l.turn.Load() {
		l.turn.Store(false)
		l.out.p.expect()
	}
}

// publishPut shows what was put into the ring to the consumer, and wakes it if it is
// parked. The error is that there is none any more.
func (l *link) publishPut() error {
	l.out.p.publish()
	l.armIdle()
	runs := !l.wakePeer(&l.out.p.ctl.consumerWaits)
	if l.peerRuns.Load() != runs {
		l.peerRuns.Store(runs)
	}
	if l.out.puts++; l.out.puts%writesUnasked == 0 && !l.dead.Load() {
		_ = l.raw.Control(func(fd uintptr) { l.socketEnded(int(fd)) })
	}
	if l.dead.Load() {
		return errPipe
	}
	return nil
}

// writesUnasked is how many writes may go by until the socket is asked whether the
// other side is still there. Mostly it is found out earlier: by whoever reads here, by a
// full ring, or because the other side's reader was parked when it died.
const writesUnasked = 256

// publishTaken shows what was taken out of the ring to the producer, and wakes it if it
// is parked.
func (l *link) publishTaken() {
	l.in.c.publish()
	l.wakePeer(&l.in.c.ctl.producerWaits)
}

// wakePeer wakes the other side if flag says that it is parked, and tells whether it
// was. What the other side waits for has been published before: see word32.
func (l *link) wakePeer(flag *word32) (parked bool) {
	if flag.load() != 1 || !flag.claim() {
		return false
	}
	_ = l.raw.Control(l.wake)
	return true
}

// sendWakeUp sends the byte that wakes. A socket that takes no more has something to be
// read in it.
func (l *link) sendWakeUp(fd uintptr) {
	switch err := unix.Send(int(fd), wakeUp[:], unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL); err {
	case nil, unix.EAGAIN, unix.EINTR:
	default:
		l.dead.Store(true)
	}
}

// wakeUp is what is sent; its value has no meaning.
var wakeUp = [1]byte{}

func shutdown(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) }
