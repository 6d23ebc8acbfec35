package relay

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// copy reads once into the buffer of the loop and writes it out.
func (j *joint) copy(f *flow) int {
	buf := j.l.buf
	n, e := sysRead(f.src.fd, buf)
	if e != 0 || n == 0 {
		j.readEnd(f, e)
		return 0
	}
	if n < len(buf) {
		if !f.src.careful && j.drained(f.src) {
			f.src.readable = false
		}
	} else {
		f.bulk = true
	}
	m, e := sysWrite(f.dst.fd, buf[:n])
	if e != 0 {
		m = 0
	}
	j.wrote(f, m)
	if m < n {
		// flush meets the error again, or EAGAIN.
		f.rest = append(make([]byte, 0, n-m), buf[m:n]...)
	}
	return n
}

// drained reports whether a short read from e means that nothing is left. So it
// is on TCP, where the next byte makes a new edge. Unix sockets stop at the
// borders of ancillary data, and pipes in packet mode at packets.
func (j *joint) drained(e *end) bool {
	if !e.probed {
		e.probed = true
		e.careful = !isTCP(e.fd)
	}
	return !e.careful
}

// splice moves pages from the source into an empty pipe and from there on. The
// pipe is empty before, so EAGAIN always means an empty source, not a full pipe.
func (j *joint) splice(f *flow) int {
	if f.pipe == nil {
		if f.pipe = j.l.pipes.get(); f.pipe == nil {
			return j.copy(f)
		}
	}
	n, e := sysSplice(f.src.fd, f.pipe.w, pipeBytes)
	if e == unix.EINVAL {
		f.noSplice = true
		return 0
	}
	if e != 0 || n == 0 {
		j.readEnd(f, e)
		return 0
	}
	f.inPipe = n
	if n >= smallBulk {
		f.small = 0
	} else if f.small++; f.small >= smallTimes {
		f.small, f.bulk = 0, false
	}
	j.flush(f)
	return n
}

// readEnd acts on a read that brought no bytes.
func (j *joint) readEnd(f *flow, e syscall.Errno) {
	switch e {
	case 0:
		f.out.Read = io.EOF
		f.src.readable = false
		f.enter(ending)
	case unix.EAGAIN:
		f.src.readable = false
	case unix.EINTR:
	default:
		f.out.Read = e
		j.finish(f, true)
	}
}

// flush writes pending data once.
func (j *joint) flush(f *flow) {
	var n int
	var e syscall.Errno
	if len(f.rest) > 0 {
		if n, e = sysWrite(f.dst.fd, f.rest); e == 0 {
			if f.rest = f.rest[n:]; len(f.rest) == 0 {
				f.rest = nil
			}
		}
	} else {
		if n, e = sysSplice(f.pipe.r, f.dst.fd, f.inPipe); e == 0 {
			f.inPipe -= n
		}
	}
	switch e {
	case 0:
		j.wrote(f, n)
	case unix.EAGAIN:
		f.blocked = true
		j.askOut(f.dst)
	case unix.EINTR:
	case unix.EINVAL:
		if f.inPipe > 0 {
			j.unsplice(f)
			return
		}
		fallthrough
	default:
		j.writeFailed(f, e)
	}
}

// writeFailed ends the joint because the destination of f takes no more. What
// has arrived from there is passed on first, as it would be without a relay: a
// server that refuses an upload says why and resets.
func (j *joint) writeFailed(f *flow, err error) {
	f.out.Write = err
	back := &j.flows[0]
	if back == f {
		back = &j.flows[1]
	}
	if back.state == flowing {
		j.drain(back)
	}
	j.finish(f, true)
}

// drain forwards what has been received already, without waiting.
func (j *joint) drain(f *flow) {
	if f.pending() {
		return // the other side is not even up to date
	}
	for range drainReads {
		n, e := sysRead(f.src.fd, j.l.buf)
		if e != 0 || n == 0 {
			return
		}
		m, e := sysWrite(f.dst.fd, j.l.buf[:n])
		if e != 0 {
			return
		}
		if j.wrote(f, m); m < n {
			return
		}
	}
}

// unsplice takes the data out of the pipe again, for a destination that splice
// does not know how to feed.
func (j *joint) unsplice(f *flow) {
	f.noSplice = true
	f.rest = make([]byte, f.inPipe)
	for got := 0; got < len(f.rest); {
		n, e := sysRead(f.pipe.r, f.rest[got:])
		if e == unix.EINTR {
			continue
		}
		if e != 0 || n == 0 {
			f.out.Write = e // cannot be: the pipe is ours, and has inPipe bytes
			j.finish(f, true)
			return
		}
		got += n
	}
	f.inPipe = 0
}
