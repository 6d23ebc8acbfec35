//go:build linux

package ipc

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A bed is a place in the runtime's poller where one goroutine at a time sleeps
// until something happens to the socket. There is one for reading, at the socket
// itself, and one each for writing and for receiving files, at duplicates of it;
// each is made when somebody has to sleep there first. The link's mu guards it.
//
// The runtime forgets what has happened to a descriptor when a RawConn.Read begins.
// Then it calls the function, and again after every event, and misses none. So the
// function looks at the ring, and asks the socket for what may have been forgotten.
//
// There is one more thing to know. epoll(7) looks at a socket again when it tells
// of an arrival; if somebody has read all by then, it tells nothing, and who slept
// beside him sleeps on. So whoever reads the socket nudges the others.
type bed struct {
	wait   func(look func(fd uintptr) bool) error
	set    func(time.Time) error // the deadline of wait
	file   *os.File              // to be closed; nil if it is the socket
	asleep int                   // who sleep, or queue up to: only ReceiveFile may be many
	nudged bool                  // the deadline of wait has been set to the past, to wake it
}

func (b *bed) close() {
	if b != nil && b.file != nil {
		b.file.Close()
	}
}

// lie returns the bed at p, where the caller sleeps next. It makes one if need be:
// at a duplicate of the socket with apart, and with the deadline of h.
//
// If the process may open no more descriptors, the bed is where RawConn.Write of the
// socket waits. This does as well nearly always: epoll(7) tells all that a descriptor
// is ready for when something has happened to it, and the socket is ready to be
// written to unless the other side leaves what we send unread.
func (l *link) lie(p **bed, h *half, apart bool) (*bed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() != live {
		return nil, l.why()
	}
	if *p == nil {
		b := &bed{wait: l.raw.Read, set: l.sock.SetReadDeadline}
		if apart {
			b = l.newBed()
		}
		if t := h.deadline.Load(); t != nil {
			_ = b.set(*t) // it fails for a closed file only
		}
		*p = b
	}
	(*p).asleep++
	return *p, nil
}

// newBed makes a bed at a duplicate of the socket.
func (l *link) newBed() *bed {
	fd := -1
	_ = l.raw.Control(func(sock uintptr) {
		if n, err := unix.FcntlInt(sock, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			fd = n
		}
	})
	if fd < 0 {
		return &bed{wait: l.raw.Write, set: l.sock.SetWriteDeadline}
	}
	f := os.NewFile(uintptr(fd), "shm")
	raw, _ := f.SyscallConn() // it fails for a nil file only
	return &bed{wait: raw.Read, set: f.SetReadDeadline, file: f}
}

// sleep sleeps in the bed at p until look says that it is enough, or somebody
// nudges. The caller holds h.mu, unless the bed is that of ReceiveFile.
func (l *link) sleep(p **bed, h *half, apart bool, look func(fd uintptr) bool) error {
	b, err := l.lie(p, h, apart)
	if err != nil {
		return err
	}
	err = b.wait(look)
	l.mu.Lock()
	defer l.mu.Unlock()
	b.asleep--
	switch {
	case l.state.Load() != live:
		return l.why()
	case b.nudged:
		b.nudged = false
		var t time.Time
		if d := h.deadline.Load(); d != nil {
			t = *d
		}
		_ = b.set(t)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // the caller looks at its deadline itself
		}
	}
	return err
}

// nudge wakes those who sleep, except in the bed self. The caller holds mu.
func (l *link) nudge(self *bed) {
	for _, b := range [...]*bed{l.in.bed, l.out.bed, l.filebed} {
		if b != nil && b != self && b.asleep > 0 && !b.nudged {
			b.nudged = true
			_ = b.set(time.Unix(1, 0))
		}
	}
}
