package join

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// flow carries one direction to its end and passes the end on, unless it is parked before.
func (j *joint) flow(f *flow) (ended bool) {
	parked, bug := j.carry(f)
	if parked {
		return false // it is another goroutine's from now on
	}
	f.stay()
	f.late = !j.firstOver.CompareAndSwap(nil, f) // before the end is passed on, which may end the other direction
	f.buf.free()
	if bug == nil {
		bug = caught(func() error { j.finish(f); return nil })
	}
	if bug != nil {
		f.Read, f.Write = bug, nil
	}
	j.done <- f
	return true
}

// carry moves what there is until reading or writing ends, or the direction is parked. The
// error is a panic of an end.
func (j *joint) carry(f *flow) (parked bool, bug error) {
	defer transport.CatchBug(&bug)
	from, to := j.ends[f.from], j.ends[f.to]
	if src, ok := from.(transport.Stream); ok {
		return j.copyBytes(f, src, to.(transport.Stream)), nil
	}
	j.copyMsgs(f, from.(transport.MsgConn), to.(transport.MsgConn))
	return false, nil
}

// finish passes the end on.
func (j *joint) finish(f *flow) {
	from, to := j.ends[f.from], j.ends[f.to]
	for _, tap := range j.opt.Taps {
		tap.End(f.dir, f.err())
	}
	if f.Read == io.EOF && f.Write == nil {
		if err := j.opt.tapErr(); err != nil {
			f.Read = err // the end is not recorded
			return
		}
		transport.PassCloseStatus(from, to)
		transport.PromisesStatus(from, to)
		f.passEnd(to)
	}
}

// passEnd half-closes the end written to. An end that is gone already needs not
// be told, and one of many does not leave them because nothing was to come anyway.
func (f *flow) passEnd(to transport.Conn) {
	if l, ok := transport.About[transport.Leaver](to); ok && l.Leaves() && f.none {
		return
	}
	err := to.CloseWrite()
	switch {
	case err == nil || errors.Is(err, net.ErrClosed):
	case errors.Is(err, errors.ErrUnsupported):
		f.mute = !f.none
	default:
		f.Write = err
	}
}

// err is what ended the flow, as a tap is told.
func (f *flow) err() error {
	if f.Write != nil {
		return f.Write
	}
	return f.Read
}

// copyBytes reads and writes until one of them fails, or the direction is parked. An io.EOF
// together with bytes counts after the bytes.
func (j *joint) copyBytes(f *flow, src, dst transport.Stream) (parked bool) {
	for n, more := 0, true; more; {
		p := j.room(f, n)
		if p == nil {
			return false
		}
		var err error
		n, err = src.Read(p)
		switch {
		case n > 0 || err == nil || !j.poked(f, err):
			more = j.pass(f, src, dst, p, n, err)
		case j.park(f):
			return true
		}
	}
	return false
}

// room is where the next bytes are read to, in the light of how many were read the last
// time, or nil if there is no more to be read.
func (j *joint) room(f *flow, last int) []byte {
	p := f.buf.next(last)
	if left := j.opt.Limit - f.Bytes; j.opt.Limit > 0 && left < int64(len(p)) {
		if left == 0 {
			f.Read = ErrLimit
			return nil
		}
		p = p[:left]
	}
	return p
}

// pass writes what was read, and tells whether to go on.
func (j *joint) pass(f *flow, src, dst transport.Stream, p []byte, n int, err error) (more bool) {
	if n < 0 || n > len(p) {
		panic(fmt.Sprintf("%s: Read returned %d of %d bytes", src.Info().Kind, n, len(p)))
	}
	if n > 0 {
		j.tick()
		if !j.write(f, dst, p[:n]) {
			f.stay()
			throwAway(f, dst, func() error { _, err := src.Read(p); return err })
			return false
		}
	}
	f.Read = err
	return err == nil
}

func (j *joint) write(f *flow, dst transport.Stream, p []byte) bool {
	if err := j.opt.tell(f.dir, p, false); err != nil {
		f.Read = err
		return false
	}
	n, err := dst.Write(p)
	f.Bytes += int64(n)
	j.count(f.dir, n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	f.Write = err
	return err == nil
}

// copyMsgs carries messages, one at a time or, where both ends can, in batches.
func (j *joint) copyMsgs(f *flow, src, dst transport.MsgConn) {
	if j.batches(f, src, dst) {
		return
	}
	next := reader(src)
	for {
		p, m, err := next()
		if err != nil {
			f.Read = err
			return
		}
		j.tick()
		if j.opt.Limit > 0 && f.Bytes+int64(len(p)) > j.opt.Limit {
			f.Read = ErrLimit
			return
		}
		m.Text = m.Text || j.makesText(f.from)
		if f.Read = j.opt.tell(f.dir, p, true); f.Read != nil {
			return
		}
		if f.Write = dst.WriteMsg(p, m); f.Write != nil {
			throwAway(f, dst, func() error { _, _, err := next(); return err })
			return
		}
		f.sent(j, 1, len(p))
	}
}

// makesText tells whether messages that come from the end s are made from a
// Stream and are to be text.
func (j *joint) makesText(s Side) bool { return j.made[s] && (j.opt.Text || j.opt.Framing == People) }

// throwAway reads on if writing has failed because the other side of dst has ended
// both directions: the end read from may be sending still, and is to get its own end in
// peace. The joint bounds the time. One that has said goodbye wants no more, and that
// is no failure.
func throwAway(f *flow, dst transport.Conn, read func() error) {
	if !transport.HasEnded(dst) {
		return
	}
	if s, ok := transport.About[transport.StatusCloser](dst); ok {
		if _, said := s.CloseStatus(); said {
			f.Write = nil
		}
	}
	for f.Read == nil {
		f.Read = read()
	}
}

func (f *flow) sent(j *joint, msgs, bytes int) {
	f.Msgs += int64(msgs)
	f.Bytes += int64(bytes)
	j.count(f.dir, bytes)
}

// reader returns the way to read messages that holds the smallest buffer.
func reader(src transport.MsgConn) func() ([]byte, transport.Meta, error) {
	if l, ok := transport.As[transport.MsgLender](src); ok {
		return l.LendMsg
	}
	buf := make([]byte, src.MaxMsg())
	return func() ([]byte, transport.Meta, error) {
		n, m, err := src.ReadMsg(buf)
		if n < 0 || n > len(buf) {
			panic(fmt.Sprintf("%s: ReadMsg returned %d of %d bytes", src.Info().Kind, n, len(buf)))
		}
		return buf[:n], m, err
	}
}

func (j *joint) tick() { j.moved.Store(int64(time.Since(j.start))) }

func (j *joint) count(d Direction, n int) {
	if d == AB {
		j.opt.Count.AB.Add(int64(n))
	} else {
		j.opt.Count.BA.Add(int64(n))
	}
}
