//go:build linux

package ipc

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// idleTime is how long a connection must carry nothing until its memory is given back:
// this long at least, and not much more than twice as long.
const idleTime = time.Second

// An idler gives the memory of a connection back while nothing passes. A ring takes
// pages from when they are first used, and an idle connection would hold all that
// it has ever used: up to both of its rings, and page tables for them in each process.
//
// Each side gives back the pages of the ring that it writes, once that is empty, and its
// own page tables. The consumer could not: it does not know when more is put in.
type idler struct {
	armed atomic.Bool // the timer runs

	// The link's mu guards what follows.
	timer  *time.Timer
	before [2]uint64 // the tails of both rings when the timer fired last
}

// armIdle has idleTick called. Whoever puts something into the ring, or finds nothing
// there, calls it.
func (l *link) armIdle() {
	if !l.idle.armed.Load() {
		l.arm()
	}
}

func (l *link) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state.Load() != live:
	case l.idle.timer == nil:
		l.idle.timer = time.AfterFunc(idleTime, l.idleTick)
	default:
		l.idle.timer.Reset(idleTime)
	}
	l.idle.armed.Store(true)
}

// idleTick gives memory back if nothing has been put into the rings since the last
// tick, and has itself called again if something has.
func (l *link) idleTick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() != live {
		return
	}
	now := [2]uint64{l.in.c.ctl.tail.load(), l.out.p.ctl.tail.load()}
	if now != l.idle.before {
		l.idle.before = now
		l.idle.timer.Reset(idleTime)
		return
	}
	l.giveBack()
	l.idle.armed.Store(false)
}

// giveBack gives back what can be. The caller holds mu, and the link is live.
func (l *link) giveBack() {
	if l.out.mu.TryLock() { // else somebody writes
		p := &l.out.p
		if !l.out.lent && p.look() == nil && p.head == p.tail {
			_ = unix.Madvise(p.data, unix.MADV_REMOVE) // what is put there next finds new pages
		}
		l.out.mu.Unlock()
	}
	// This frees no page, but unmaps them, and their page tables where the system can
	// do that (Linux 6.14). They are mapped again when they are next touched.
	_ = unix.Madvise(l.region.bytes(), unix.MADV_DONTNEED)
}
