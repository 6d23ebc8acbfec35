package relay

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// A waiter is a descriptor that somebody wants to read when there is something to be read,
// and has no goroutine for until then.
type waiter struct {
	fd    int
	slot  uint32
	ready func()
}

// await implements [Engine.Await].
func (l *loop) await(fd int, ready func()) (stop func() bool, err error) {
	w := &waiter{fd: fd, ready: ready}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, net.ErrClosed
	}
	var s *slot
	w.slot, s = l.emptySlot()
	s.w = w
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(w.slot << 1), Pad: int32(s.gen)}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		l.releaseSlot(w.slot)
		if err == unix.EPERM {
			return nil, ErrNotPollable
		}
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if w.fd < 0 {
			return false
		}
		l.dismiss(w)
		return true
	}, nil
}

// dismiss ends the wait of w. The caller holds mu, by which the descriptor is still the one
// that was registered: its owner stops the wait before he closes it.
func (l *loop) dismiss(w *waiter) {
	_ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, w.fd, nil) // it cannot fail
	w.fd = -1
	l.releaseSlot(w.slot)
}

// releaseSlot frees a slot: events for what was in it are dropped from now on. The caller
// holds mu.
func (l *loop) releaseSlot(i uint32) {
	l.slots[i] = slot{gen: l.slots[i].gen + 1}
	l.free = append(l.free, i)
}
