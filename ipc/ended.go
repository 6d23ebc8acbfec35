//go:build linux

package ipc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

var _ transport.Ender = (*link)(nil)

// An ending is what is known about the end of both directions. An end of file alone
// ends one: the other side may have half-closed. It has ended both if it also takes
// nothing more out, or if its socket has ended.
type ending struct {
	eof      atomic.Bool // has been read
	watchers sync.WaitGroup

	// The link's mu guards what follows.
	both     chan struct{} // nil until somebody asks
	over     bool          // both is closed
	watching bool
	queue    *waitQueue // where the watcher parks
}

// Ended implements [transport.Ender]: the channel is closed once all that was sent has
// been read and the other side has closed, or died after its half-close.
func (l *link) Ended() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending.both == nil {
		l.ending.both = make(chan struct{})
	}
	l.watch()
	return l.ending.both
}

// sawEOF takes note that a read has met the end.
func (l *link) sawEOF() {
	if l.ending.eof.Swap(true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch()
}

// watch closes the channel if both directions have ended. If one has, and somebody has
// asked, it has a goroutine wait for the other. The caller holds mu.
func (l *link) watch() {
	e := &l.ending
	switch {
	case e.both == nil || e.over || !e.eof.Load() || l.state.Load() != live:
	case l.peerGone():
		e.over = true
		close(e.both)
	case !e.watching:
		if e.queue = l.newQueue(); e.queue == nil {
			return // the process may open no more descriptors
		}
		e.watching = true
		e.watchers.Go(l.awaitGone)
	}
}

// peerGone tells whether the other side takes nothing more out. The region must be
// there.
func (l *link) peerGone() bool { return l.dead.Load() || l.out.p.ctl.gone.load() != open }

// noDeadline is never set.
var noDeadline atomic.Pointer[time.Time]

// awaitGone waits until the other side has closed its socket, which it does after it
// has said that it is gone.
func (l *link) awaitGone() {
	err := l.park(&l.ending.queue, &noDeadline, true, func(fd uintptr) bool {
		return l.dead.Load() || l.socketEnded(int(fd))
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending.queue.close()
	l.ending.queue, l.ending.watching = nil, false
	if err == nil {
		l.watch()
	}
}
