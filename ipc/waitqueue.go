//go:build linux

package ipc

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A waitQueue is where goroutines park in the runtime's poller until something happens
// to the socket. A link has one for reading, at the socket itself, and others at
// duplicates of it, for writing, for receiving files and for the end of the other side:
// the runtime lets one goroutine at a time wait for a descriptor in one direction. Each
// is made when somebody has to park there first.
//
// The runtime forgets what has happened to a descriptor when a RawConn.Read begins.
// Then it calls the function, and again after every event, and misses none. So the
// function checks the ring, and asks the socket about what may have been forgotten.
//
// epoll(7) checks a socket again when it reports an arrival. If one waiter has read all
// by then, the others are not told. So whoever reads the socket wakes the others.
type waitQueue struct {
	wait        func(ready func(fd uintptr) bool) error
	setDeadline func(time.Time) error // of wait
	file        *os.File              // the duplicate; nil if it is the socket

	// The link's mu guards what follows.
	waiters int  // goroutines in wait, or about to be
	woken   bool // the deadline has been set to the past, to wake them
}

func (q *waitQueue) close() {
	if q != nil && q.file != nil {
		q.file.Close()
	}
}

// enter returns the queue at p, where the caller parks next. It makes one if need be:
// at a duplicate of the socket with apart, and with that deadline.
//
// If the process may open no more descriptors, the queue is where RawConn.Write of the
// socket waits. This does as well nearly always: epoll(7) tells all that a descriptor
// is ready for when something has happened to it, and the socket is ready to be
// written to unless the other side leaves what we send unread.
func (l *link) enter(p **waitQueue, deadline *atomic.Pointer[time.Time], apart bool) (*waitQueue, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() != live {
		return nil, l.why()
	}
	if *p == nil {
		q := &waitQueue{wait: l.raw.Read, setDeadline: l.sock.SetReadDeadline}
		if apart {
			if q = l.newQueue(); q == nil {
				q = &waitQueue{wait: l.raw.Write, setDeadline: l.sock.SetWriteDeadline}
			}
		}
		if t := deadline.Load(); t != nil {
			_ = q.setDeadline(*t) // it fails for a closed file only
		}
		*p = q
	}
	(*p).waiters++
	return *p, nil
}

// newQueue makes a queue at a duplicate of the socket, or returns nil.
func (l *link) newQueue() *waitQueue {
	fd := -1
	_ = l.raw.Control(func(sock uintptr) {
		if n, err := unix.FcntlInt(sock, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			fd = n
		}
	})
	if fd < 0 {
		return nil
	}
	f := os.NewFile(uintptr(fd), "shm")
	raw, _ := f.SyscallConn() // it fails for a nil file only
	return &waitQueue{wait: raw.Read, setDeadline: f.SetReadDeadline, file: f}
}

// park waits in the queue at p until ready says so, or somebody wakes it. The caller
// holds the mu of the half that the deadline belongs to, or receives a file.
func (l *link) park(p **waitQueue, deadline *atomic.Pointer[time.Time], apart bool, ready func(fd uintptr) bool) error {
	q, err := l.enter(p, deadline, apart)
	if err != nil {
		return err
	}
	err = q.wait(ready)
	l.mu.Lock()
	defer l.mu.Unlock()
	q.waiters--
	switch {
	case l.state.Load() != live:
		return l.why()
	case q.woken:
		q.woken = false
		var t time.Time
		if d := deadline.Load(); d != nil {
			t = *d
		}
		_ = q.setDeadline(t)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // the caller checks its deadline itself
		}
	}
	return err
}

// wakeOthers wakes all waiters except those of the queue self. The caller holds mu.
func (l *link) wakeOthers(self *waitQueue) {
	for _, q := range [...]*waitQueue{l.in.queue, l.out.queue, l.fileQueue} {
		if q != nil && q != self && q.waiters > 0 && !q.woken {
			q.woken = true
			_ = q.setDeadline(time.Unix(1, 0))
		}
	}
}
