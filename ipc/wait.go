//go:build linux

package ipc

import (
	"errors"

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
			l.taken()
		}
		if h.spin.spin(&h.c.ctl.tail, h.c.tail, &h.c.ctl.end, &l.state) {
			continue
		}
		if h.look == nil {
			h.look = l.lookIn
		}
		if err := l.sleep(&h.bed, &h.half, false, h.look); err != nil {
			return err
		}
		h.c.ctl.sleeper.publish(0)
	}
}

// lookIn is what a reader does before it sleeps, and each time it is woken.
func (l *link) lookIn(fd uintptr) bool {
	if ready, _ := l.readable(); ready {
		return true
	}
	l.rung(int(fd), l.in.bed)
	l.in.c.ctl.sleeper.publish(1)
	if ready, _ := l.readable(); ready {
		return true
	}
	return l.ask(int(fd))
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
		if h.spin.spin(&h.p.ctl.head, h.p.head, &h.p.ctl.gone, &l.state) {
			continue
		}
		if h.look == nil {
			h.look = l.lookOut
		}
		h.need = n
		if err := l.sleep(&h.bed, &h.half, true, h.look); err != nil {
			return err
		}
		h.p.ctl.waiter.publish(0)
	}
}

// lookOut is what a writer does before it sleeps, and each time it is woken.
func (l *link) lookOut(fd uintptr) bool {
	if ready, _ := l.writable(l.out.need); ready {
		return true
	}
	l.rung(int(fd), l.out.bed)
	l.out.p.ctl.waiter.publish(1)
	if ready, _ := l.writable(l.out.need); ready {
		return true
	}
	return l.ask(int(fd))
}

// ask looks whether the socket has ended.
func (l *link) ask(fd int) (over bool) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds[:], 0); n == 0 || err != nil {
		return false
	}
	l.tidy(fd, nil) // there may be descriptors in it
	l.dead.Store(true)
	return true
}

// rung is called whenever a flag is set, for which the other side may ring once, by
// who sleeps in the bed self. What is sent need not be read for us to wake up, since
// each arrival makes an event; but the socket must not become full, for then nothing
// arrives any more.
func (l *link) rung(fd int, self *bed) {
	if l.unread.Add(1)%maxUnread == 0 {
		l.tidy(fd, self)
	}
}

// tidy reads what is in the socket; see drain.
func (l *link) tidy(fd int, self *bed) {
	if err := l.drain(fd, self); err != nil {
		_ = l.breakOff(err)
	}
}

// maxUnread is how many times the other side may ring until the socket is read.
const maxUnread = 32

// shown shows what was put into the ring, and wakes the consumer if it sleeps. The
// error is that there is none any more.
func (l *link) shown() error {
	l.out.p.publish()
	l.ring(&l.out.p.ctl.sleeper)
	if l.out.puts++; l.out.puts%writesUnasked == 0 && !l.dead.Load() {
		_ = l.raw.Control(func(fd uintptr) { l.ask(int(fd)) })
	}
	if l.dead.Load() {
		return errPipe
	}
	return nil
}

// writesUnasked is how many writes may go by until the socket is asked whether the
// other side is still there. Mostly it is found out earlier: by whoever reads
// here, by a full ring, or because who reads there slept when it died.
const writesUnasked = 256

// taken shows what was taken out of the ring, and wakes the producer if it sleeps.
func (l *link) taken() {
	l.in.c.publish()
	l.ring(&l.in.c.ctl.waiter)
}

// ring wakes the other side if flag says that it sleeps. What the other side waits for
// has been published before: see word32.
func (l *link) ring(flag *word32) {
	if flag.load() == 1 && flag.claim() {
		_ = l.raw.Control(l.knock)
	}
}

// tell sends the byte that wakes. A socket that takes no more has something to be
// read in it.
func (l *link) tell(fd uintptr) {
	switch err := unix.Send(int(fd), bell[:], unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL); err {
	case nil, unix.EAGAIN, unix.EINTR:
	default:
		l.dead.Store(true)
	}
}

// bell is what is sent; its value has no meaning.
var bell = [1]byte{}

func shutdown(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) }
