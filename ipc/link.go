//go:build linux

package ipc

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A link is what a Conn and a MsgConn have in common: two rings and the socket
// beside them.
//
//	live --- breakOff: the other side lies ---> broken
//	  \                                           |
//	   `------------- Close, Abort ------------> closed
//
// Whoever reads holds in.mu, whoever writes holds out.mu, from the beginning of the
// call to its end. mu comes after them and is held for moments. The memory goes
// when the reading half, the writing half and Close have left it.
type link struct {
	sock   *os.File
	raw    syscall.RawConn // of sock
	knock  func(fd uintptr)
	region *region
	mode   mode
	dialed bool
	info   *transport.Info
	name   string // of the place where the two met, as it was written

	state  atomic.Uint32         // live, broken or closed
	dead   atomic.Bool           // the socket has ended
	fault  atomic.Pointer[error] // why broken
	unread atomic.Uint32         // times that the other side may have rung

	in  inlet
	out outlet

	mu      sync.Mutex // guards what follows, all beds, and changes of state
	end     uint32     // what is in out.p.ctl.end
	inbox   []int      // descriptors that nobody has received yet
	filebed *bed       // where ReceiveFile sleeps; nil until it has to
}

// The states.
const (
	live = iota
	broken
	closed
)

// A half is what reading and writing have in common.
type half struct {
	mu       sync.Mutex // held by the one who reads or writes; guards the rest
	spin     spinner
	lent     bool // a slice of the ring is with the caller
	left     bool // the region
	deadline atomic.Pointer[time.Time]
	look     func(fd uintptr) bool // lookIn or lookOut, once somebody has slept
	bed      *bed                  // nil until somebody has to sleep; the link's mu guards it
}

type inlet struct {
	half
	c      consumer
	peeked int             // length of the message lent by Peek
	buf    *[lentSize]byte // lent by LendMsg and ReadMsgs; nil if nothing is
}

type outlet struct {
	half
	p      producer
	ended  bool   // by CloseWrite
	puts   uint32 // until the socket is asked
	need   uint64 // room that the one who sleeps waits for
	booked int    // bytes lent by Reserve
}

// start prepares a link over a socket and memory, which it takes.
func (l *link) start(sock *os.File, r *region, m mode, dialed bool, info *transport.Info, name string) {
	l.sock, l.region, l.mode, l.dialed, l.info, l.name = sock, r, m, dialed, info, name
	l.raw, _ = sock.SyscallConn() // it fails for a nil file only
	l.knock = l.tell
	mine, theirs := 1, 0 // ring 0 is from the dialer to the listener
	if dialed {
		mine, theirs = 0, 1
	}
	l.out.p.ctl, l.out.p.data = r.ring(mine)
	l.in.c.ctl, l.in.c.data = r.ring(theirs)
}

// check tells whether a call with that deadline may go on.
func (l *link) check(deadline *atomic.Pointer[time.Time]) error {
	if l.state.Load() != live {
		return l.why()
	}
	if t := deadline.Load(); t != nil && !time.Now().Before(*t) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// why is why the link is not live.
func (l *link) why() error {
	if err := l.fault.Load(); err != nil && l.state.Load() == broken {
		return *err
	}
	return net.ErrClosed
}

// breakOff ends the connection because of what the other side did, and returns why.
func (l *link) breakOff(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() == live {
		l.fault.Store(&err)
		l.state.Store(broken)
		l.finish(aborted)
		_ = l.raw.Control(shutdown) // wakes all who sleep, on both sides
	}
	return l.why()
}

// finish tells the other side how its two rings end. The caller holds mu, and the
// region is still there.
func (l *link) finish(end uint32) {
	if l.end == open || end == aborted {
		l.end = end
		l.out.p.ctl.end.publish(end)
	}
	l.ring(&l.out.p.ctl.sleeper)
	in := l.in.c.ctl
	in.gone.publish(ended)
	l.ring(&in.waiter)
	in.sleeper.publish(1) // so that the next write rings, and finds the socket closed
}

// CloseWrite says that nothing more comes. It waits for a Write in progress.
func (l *link) CloseWrite() error {
	l.out.mu.Lock()
	defer l.unlockOut()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() != live {
		return l.opError("close", l.why())
	}
	l.out.ended = true
	if l.end == open {
		l.end = ended
		l.out.p.ctl.end.publish(ended)
		l.ring(&l.out.p.ctl.sleeper)
	}
	return nil
}

// Close ends both directions. What was written can still be read by the other
// side. Memory that Reserve or Peek has lent stays until it is given back.
func (l *link) Close() error {
	l.shut(ended)
	return nil
}

// Abort ends so that the other side's reading fails at once with a connection
// reset. It implements [transport.Aborter].
func (l *link) Abort(error) error {
	l.shut(aborted)
	return nil
}

func (l *link) shut(end uint32) {
	l.mu.Lock()
	if l.state.Load() == closed {
		l.mu.Unlock()
		return
	}
	if l.state.Swap(closed) == live {
		l.finish(end)
	}
	fds, beds := l.inbox, [...]*bed{l.out.bed, l.filebed}
	l.inbox = nil
	l.mu.Unlock()
	closeAll(fds)
	for _, b := range beds {
		b.close()
	}
	l.sock.Close()
	l.in.leave(l.region)
	l.out.leave(l.region)
	l.region.leave()
}

// unlockIn ends a call that reads.
func (l *link) unlockIn() { l.in.unlock(l) }

// unlockOut ends a call that writes.
func (l *link) unlockOut() { l.out.unlock(l) }

func (h *half) unlock(l *link) {
	h.mu.Unlock()
	if l.state.Load() == closed {
		h.leave(l.region)
	}
}

// leave leaves the region of a link that is closed, unless somebody is still inside
// or has lent memory: who goes last calls leave again.
func (h *half) leave(r *region) {
	if !h.mu.TryLock() {
		return
	}
	goes := !h.left && !h.lent
	h.left = h.left || goes
	h.mu.Unlock()
	if goes {
		r.leave()
	}
}

// Info tells the kind and who is at the other side.
func (l *link) Info() *transport.Info { return l.info }

// LocalAddr has the name as it was written, at the side that listens.
func (l *link) LocalAddr() net.Addr { return l.addr(!l.dialed) }

// RemoteAddr has the name as it was written, at the side that dialed.
func (l *link) RemoteAddr() net.Addr { return l.addr(l.dialed) }

func (l *link) addr(named bool) net.Addr {
	a := transport.Addr{Net: dialKind(l.mode)}
	if named {
		a.Name = l.name
	}
	return a
}

func (l *link) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}

// SetReadDeadline also bounds ReceiveFile.
func (l *link) SetReadDeadline(t time.Time) error {
	return l.setDeadline(t, &l.in.half, &l.filebed)
}

// SetWriteDeadline also bounds SendFile.
func (l *link) SetWriteDeadline(t time.Time) error {
	err := l.setDeadline(t, &l.out.half, nil)
	if err == nil {
		err = l.sock.SetWriteDeadline(t)
	}
	return err
}

// setDeadline sets the deadline of h: for those who do not sleep, and for those who
// do, except one who is nudged, who will look.
func (l *link) setDeadline(t time.Time, h *half, other **bed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() == closed {
		return l.opError("set", net.ErrClosed)
	}
	if t.IsZero() {
		h.deadline.Store(nil)
	} else {
		h.deadline.Store(&t)
	}
	beds := [2]*bed{h.bed}
	if other != nil {
		beds[1] = *other
	}
	for _, b := range beds {
		if b != nil && !b.nudged {
			_ = b.set(t) // it fails for a closed file only
		}
	}
	return nil
}

// opError says what was being done to which connection.
func (l *link) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: dialKind(l.mode), Addr: transport.Addr{Net: dialKind(l.mode), Name: l.name}, Err: err}
}
