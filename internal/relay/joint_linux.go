package relay

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// turnBytes, rounded up to one splice, bounds the work of one flow before the
	// other joints get their turn.
	turnBytes = 256 << 10
	// smallBulk: a flow whose splices stay below it so often goes back to read and write.
	smallBulk, smallTimes = 16 << 10, 4
	// drainReads bounds how much is forwarded from an end to which writing has failed.
	drainReads = 64
	// discardReads bounds how much unread data is thrown away after one way.
	discardReads = 1024
)

// flowState is where one direction stands. Only flow.enter changes it.
//
//	           end of file read           all written, half-closed
//	flowing ─────────────────────▶ ending ─────────────────────────▶ ended
//	   │                             │
//	   └──── failure, or a cut ──────┴──▶ (the joint is over: see joint.finish)
type flowState uint8

const (
	flowing flowState = iota
	ending
	ended
)

// end is one descriptor of a joint.
type end struct {
	fd int
	// readable: not known to be drained. Set by an edge, cleared by EAGAIN or by
	// a short read that proves as much.
	readable bool
	// careful: a short read proves nothing, for an end of file, an error or
	// urgent data may lie behind it without another edge; read until EAGAIN.
	careful bool
	// probed: careful holds for the sort of the descriptor, too.
	probed bool
	// failed: the system reported an error that nobody has fetched yet.
	failed bool
	// gone: the other side has closed both directions, and nothing that is written
	// reaches anybody.
	gone bool
	// asksOut: registered for EPOLLOUT, which is done when a write first blocks.
	asksOut bool
}

// flow is one direction. It has unwritten data in rest or in pipe, never in both,
// and does not read while it has.
type flow struct {
	src, dst *end
	pipe     *pipe
	inPipe   int
	rest     []byte
	out      *Flow
	state    flowState
	small    uint8 // splices in a row below smallBulk
	bulk     bool  // splice, do not read
	noSplice bool  // the system refused to splice these
	blocked  bool  // dst takes no more until its next EPOLLOUT
}

// enter is the only place where the state of a flow changes.
func (f *flow) enter(s flowState) { f.state = s }

func (f *flow) pending() bool { return f.inPipe > 0 || len(f.rest) > 0 }

// joint belongs to its loop once started; before that, to start.
type joint struct {
	l        *loop
	ends     [2]end
	flows    [2]flow
	opt      Options
	result   Result
	done     func(Result)
	slot     uint32
	gen      uint32
	queued   bool // in loop.ready
	discards bool // one end is gone: what the other sends is thrown away
	over     bool // descriptors closed, result final

	silence time.Duration // for how long it may be silent now; 0 is for ever
	active  time.Time     // last write; kept up only with a silence
	due     time.Time     // when loop.idle looks at it next; guarded by loop.mu
	place   int           // in loop.idle; guarded by loop.mu
}

func newJoint(l *loop, a, b int, o Options, done func(Result)) *joint {
	j := &joint{l: l, opt: o, done: done, silence: max(o.Idle, 0)}
	j.ends[0].fd, j.ends[1].fd = a, b
	j.flows[0] = flow{src: &j.ends[0], dst: &j.ends[1], out: &j.result.AB}
	j.flows[1] = flow{src: &j.ends[1], dst: &j.ends[0], out: &j.result.BA}
	if o.OneWay {
		j.flows[1].enter(ended)
	}
	return j
}

// interest is what the end is registered for. EPOLLERR and EPOLLHUP always are.
func (j *joint) interest(side int) uint32 {
	ev := uint32(unix.EPOLLET)
	if side == 0 || !j.opt.OneWay {
		ev |= unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLPRI
	}
	if j.ends[side].asksOut {
		ev |= unix.EPOLLOUT
	}
	return ev
}

// note records the events of one end; the next turn acts on them.
func (j *joint) note(side int, ev uint32) {
	e := &j.ends[side]
	if ev&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLPRI) != 0 {
		e.readable = true
	}
	if ev&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLPRI) != 0 {
		e.careful = true
	}
	if ev&unix.EPOLLERR != 0 {
		e.failed = true
	}
	if ev&unix.EPOLLHUP != 0 && !isTCP(e.fd) { // TCP has it only when both have closed
		e.gone = true
	}
	if ev&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		j.flows[1-side].blocked = false
	}
}

// turn moves what can be moved, up to a bound per direction, and reports whether
// the bound was what stopped it.
func (j *joint) turn() (again bool) {
	for i := range j.flows {
		f := &j.flows[i]
		if f.state != ended && j.pump(f) {
			again = true
		}
		if f.pipe != nil && f.inPipe == 0 {
			j.l.pipes.put(f.pipe, true)
			f.pipe = nil
		}
		if j.over {
			return false
		}
	}
	for i := range j.ends {
		j.fetchFailure(i)
		if j.lacks(i) {
			j.startDrain()
			again = true
		}
	}
	return again && !j.over
}

// pump runs one flow until it ends, must wait, or has used up its turn.
func (j *joint) pump(f *flow) (again bool) {
	for budget := turnBytes; !j.over; {
		switch {
		case f.pending():
			if f.blocked {
				return false
			}
			j.flush(f)
		case f.state == ending:
			j.halfClose(f)
			return false
		case j.discards && f.src.readable && budget > 0:
			budget -= j.throwAway(f)
		case !f.src.readable:
			return false
		case budget <= 0:
			return true
		case f.bulk && !f.noSplice:
			budget -= j.splice(f)
		default:
			budget -= j.copy(f)
		}
	}
	return false
}

// askOut registers for EPOLLOUT. Being set anew, it makes an edge at once if the
// descriptor has become writable since it said EAGAIN.
func (j *joint) askOut(e *end) {
	if e.asksOut {
		return
	}
	e.asksOut = true
	side := 0
	if e == &j.ends[1] {
		side = 1
	}
	ev := j.event(side)
	if err := unix.EpollCtl(j.l.epfd, unix.EPOLL_CTL_MOD, e.fd, &ev); err != nil {
		f := &j.flows[1-side]
		f.out.Write = err
		j.finish(f, true)
	}
}

func (j *joint) wrote(f *flow, n int) {
	if n == 0 {
		return
	}
	f.out.Bytes += int64(n)
	live := j.opt.AB
	if f.src == &j.ends[1] {
		live = j.opt.BA
	}
	if live != nil {
		live.Add(int64(n))
	}
	if j.silence > 0 {
		j.active = j.l.now
	}
}

// halfClose ends a flow of which every byte is written. The last flow to end
// needs no shutdown, since close says the same.
func (j *joint) halfClose(f *flow) {
	if j.flows[0].state == ended || j.flows[1].state == ended {
		f.enter(ended)
		if j.opt.OneWay {
			j.discard(f.dst)
		}
		j.finish(f, false)
		return
	}
	f.enter(ended)
	if err := unix.Shutdown(f.dst.fd, unix.SHUT_WR); err != nil {
		j.writeFailed(f, err) // ENOTCONN: reset meanwhile
		return
	}
	j.first(f)
	if d := j.opt.HalfClosed; d > 0 && (j.silence == 0 || d < j.silence) {
		j.l.mu.Lock()
		j.l.limit(j, d)
		j.l.mu.Unlock()
	}
}

// lacks tells whether the end at side is gone, all that came from it has been passed
// on, and the joint only waits for data that nobody will get.
func (j *joint) lacks(side int) bool {
	return !j.over && !j.discards && j.ends[side].gone && j.flows[side].state == ended && j.flows[1-side].state != ended
}

// startDrain has the joint end in Options.Drain, or when the side that is left does.
func (j *joint) startDrain() {
	j.discards = true
	if j.opt.Drain <= 0 {
		j.finish(nil, false)
		return
	}
	j.l.mu.Lock()
	j.l.limit(j, j.opt.Drain)
	j.l.mu.Unlock()
}

// throwAway reads once for nobody. That bytes were lost is a failure to write them.
func (j *joint) throwAway(f *flow) int {
	n, e := sysRead(f.src.fd, j.l.buf)
	if e != 0 || n == 0 {
		j.readEnd(f, e)
		return 0
	}
	f.out.Write = unix.EPIPE
	return n
}

// discard empties the receive queue of e. Closing a socket with unread data resets
// it, which would destroy what is still on its way to the peer: RFC 2525, 2.17.
func (j *joint) discard(e *end) {
	for range discardReads {
		if n, err := sysRead(e.fd, j.l.buf); n <= 0 || err != 0 {
			return
		}
	}
}

func (j *joint) first(f *flow) {
	if j.result.First != Neither {
		return
	}
	j.result.First = AToB
	if f.src == &j.ends[1] {
		j.result.First = BToA
	}
}

// fetchFailure ends the joint for an error of an end from which nobody reads any
// more. Where somebody does, the read meets the error, after the data before it.
func (j *joint) fetchFailure(side int) {
	e := &j.ends[side]
	if j.over || !e.failed || j.flows[side].state != ended {
		return
	}
	e.failed = false
	code, err := unix.GetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		code = int(unix.EPIPE) // a pipe without a reader
	}
	if code != 0 {
		j.writeFailed(&j.flows[1-side], syscall.Errno(code))
	}
}

// finish ends the joint: f is the flow that ended it, nil if it was cut. It is
// the only place where descriptors are closed.
func (j *joint) finish(f *flow, aborted bool) {
	if j.over {
		return
	}
	j.over = true
	if f != nil {
		j.first(f)
	}
	for i := range j.flows {
		if p := j.flows[i].pipe; p != nil {
			j.l.pipes.put(p, j.flows[i].inPipe == 0)
			j.flows[i].pipe = nil
		}
	}
	j.l.mu.Lock()
	j.l.freeSlot(j)
	j.l.mu.Unlock()
	for i := range j.ends {
		if aborted {
			abort(j.ends[i].fd)
		} else {
			unix.Close(j.ends[i].fd)
		}
	}
	j.done(j.result)
}
