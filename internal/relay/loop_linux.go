package relay

import (
	"container/heap"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	bufferBytes = 64 << 10
	batchEvents = 128
	noSlot      = -1 // the event data of the eventfd
)

// defaultLoops bounds the loops of an engine with many joints; see fullLoop.
func defaultLoops() int { return min(runtime.GOMAXPROCS(0), 4) }

// slot is how an event finds its joint, or what is only awaited. gen tells an event for
// one that is gone from one for its successor in the same slot.
type slot struct {
	j   *joint
	w   *waiter
	gen uint32
}

// endRequest asks the loop to abort a joint, or, without a cause, to close it.
type endRequest struct {
	j     *joint
	cause error
}

// loop is one goroutine that waits for and moves the data of many joints.
type loop struct {
	epfd, wakefd int
	using        sync.WaitGroup // callers that use epfd or wakefd; none is added once closed
	joints       atomic.Int32
	begun        atomic.Uint32 // joints since the beginning

	mu       sync.Mutex // guards the fields down to the blank line
	slots    []slot
	free     []uint32
	requests []endRequest
	idle     idleHeap
	closed   bool

	// Of the loop's goroutine only.
	ready []*joint // joints with work left
	spare []*joint // the backing of the next ready
	buf   []byte
	pipes pipePool
	now   time.Time
	poll  poller
	seen  uint32 // of begun, before the last wait
}

func newLoop() (*loop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: noSlot}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &ev); err != nil {
		unix.Close(epfd)
		unix.Close(wakefd)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return &loop{epfd: epfd, wakefd: wakefd, buf: make([]byte, bufferBytes), now: time.Now()}, nil
}

// event is the registration of one end: side and slot in Fd, gen in Pad.
func (j *joint) event(side int) unix.EpollEvent {
	return unix.EpollEvent{Events: j.interest(side), Fd: int32(j.slot<<1 | uint32(side)), Pad: int32(j.gen)}
}

// start registers a joint. It holds mu all the while, so that the loop acts on no
// event of one descriptor before the other is registered, too. On error both
// descriptors are as they were.
func (l *loop) start(a, b int, o Options, done func(Result)) (*joint, error) {
	j := newJoint(l, a, b, o, done)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, net.ErrClosed
	}
	l.takeSlot(j)
	for _, side := range [2]int{1, 0} { // b first: a has data already, more often than not
		ev := j.event(side)
		err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, j.ends[side].fd, &ev)
		if err == nil {
			continue
		}
		if side == 0 {
			_ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, b, nil)
		}
		l.freeSlot(j)
		if err == unix.EPERM {
			return nil, ErrNotPollable
		}
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	if j.silence > 0 {
		l.limit(j, j.silence)
		if l.idle[0] == j {
			l.wake() // to sleep no longer than that
		}
	}
	return j, nil
}

// limit has the loop look whether j is silent for as long as d, from now on. The
// caller holds mu.
func (l *loop) limit(j *joint, d time.Duration) {
	known := !j.due.IsZero()
	j.silence, j.active = d, time.Now()
	j.due = j.active.Add(d)
	if known {
		heap.Fix(&l.idle, j.place)
	} else {
		heap.Push(&l.idle, j)
	}
}

// emptySlot takes a slot. The caller holds mu.
func (l *loop) emptySlot() (i uint32, s *slot) {
	if n := len(l.free); n > 0 {
		i, l.free = l.free[n-1], l.free[:n-1]
	} else {
		i = uint32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	return i, &l.slots[i]
}

// takeSlot registers j in a slot. The caller holds mu.
func (l *loop) takeSlot(j *joint) {
	var s *slot
	j.slot, s = l.emptySlot()
	j.gen, s.j = s.gen, j
	l.joints.Add(1)
	l.begun.Add(1)
}

// freeSlot frees the slot of j: events for it are dropped from now on. The caller holds mu.
func (l *loop) freeSlot(j *joint) {
	l.releaseSlot(j.slot)
	l.joints.Add(-1)
	if !j.due.IsZero() {
		heap.Remove(&l.idle, j.place)
	}
}

// cut asks the loop to abort j, if it is not over yet.
func (j *joint) cut(cause error) {
	l := j.l
	l.post(func() { l.requests = append(l.requests, endRequest{j, cause}) })
}

// cutAll asks the loop to abort all joints that it has.
func (l *loop) cutAll(cause error) {
	l.post(func() {
		for _, s := range l.slots {
			if s.j != nil {
				l.requests = append(l.requests, endRequest{s.j, cause})
			}
		}
	})
}

func (l *loop) close() {
	l.post(func() { l.closed = true })
}

// post changes what l.mu guards and wakes the loop to act on it. A closed loop is about
// to abort everything and needs no request.
func (l *loop) post(change func()) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.using.Add(1)
	change()
	l.mu.Unlock()
	l.wake()
	l.using.Done()
}

func (l *loop) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(l.wakefd, one[:]) // EAGAIN: it is awake
}

// run is the loop.
func (l *loop) run() {
	evs := make([]unix.EpollEvent, batchEvents)
	for {
		n := l.wait(evs)
		closed := l.gather(evs[:n])
		if closed {
			break
		}
		turns := l.ready
		l.ready, l.spare = l.spare[:0], nil
		for _, j := range turns {
			j.queued = false
		}
		for _, j := range turns {
			if !j.over && j.turn() {
				l.queue(j)
			}
		}
		clear(turns)
		l.spare = turns
	}
	l.shut()
}

func (l *loop) queue(j *joint) {
	if !j.queued {
		j.queued = true
		l.ready = append(l.ready, j)
	}
}

// gather turns events, requests and expired idle times into joints that are ready.
func (l *loop) gather(evs []unix.EpollEvent) (closed bool) {
	var cuts []endRequest
	var awaited []*waiter
	l.mu.Lock()
	for i := range evs {
		ev := &evs[i]
		if ev.Fd == noSlot {
			var b [8]byte
			sysRead(l.wakefd, b[:])
			continue
		}
		s, side := &l.slots[uint32(ev.Fd)>>1], int(ev.Fd&1)
		switch {
		case s.gen != uint32(ev.Pad):
		case s.j != nil:
			s.j.note(side, ev.Events)
			l.queue(s.j)
		case s.w != nil:
			awaited = append(awaited, s.w)
			l.dismiss(s.w)
		}
	}
	cuts = append(cuts, l.requests...)
	clear(l.requests)
	l.requests = l.requests[:0]
	if len(l.idle) > 0 {
		l.now = time.Now()
		cuts = l.expire(cuts)
	}
	closed = l.closed
	l.mu.Unlock()
	for _, w := range awaited {
		w.ready()
	}
	for _, o := range cuts {
		l.end(o)
	}
	return closed
}

// expire collects the joints that were idle too long, and puts back the others
// whose time was moved on by data. l.mu is held.
func (l *loop) expire(cuts []endRequest) []endRequest {
	for len(l.idle) > 0 && !l.idle[0].due.After(l.now) {
		j := l.idle[0]
		due := j.active.Add(j.silence)
		if !due.After(l.now) {
			cause := ErrIdle
			switch {
			case j.discards:
				cause = nil
			case j.silence != j.opt.Idle:
				cause = ErrHalfClosed
			}
			cuts = append(cuts, endRequest{j, cause})
			due = l.now.Add(j.silence)
		}
		j.due = due
		heap.Fix(&l.idle, 0)
	}
	return cuts
}

func (l *loop) end(o endRequest) {
	if !o.j.over {
		o.j.result.Cause = o.cause
		o.j.finish(nil, o.cause != nil)
	}
}

// shut aborts what is left when the loop is closed.
func (l *loop) shut() {
	l.using.Wait()
	l.mu.Lock()
	var left []endRequest
	var awaited []*waiter
	for _, s := range l.slots {
		switch {
		case s.j != nil:
			left = append(left, endRequest{s.j, net.ErrClosed})
		case s.w != nil:
			awaited = append(awaited, s.w)
			l.dismiss(s.w)
		}
	}
	l.mu.Unlock()
	for _, w := range awaited {
		w.ready()
	}
	for _, o := range left {
		l.end(o)
	}
	l.pipes.close()
	unix.Close(l.epfd)
	unix.Close(l.wakefd)
}
