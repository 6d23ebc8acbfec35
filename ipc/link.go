//go:build linux

package ipc

import (
	"errors"
	"fmt"
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
//	live --- breakOff: the other side broke the rules ---> broken
//	  \                                                       |
//	   `------------------- Close, Abort ------------------> closed
//
// Whoever reads holds in.mu, whoever writes holds out.mu, from the beginning of the
// call to its end. mu is locked after them and held for moments. The memory is unmapped
// when the reading half, the writing half and Close have left it.
type link struct {
	sock   *os.File
	raw    syscall.RawConn  // of sock
	wake   func(fd uintptr) // sendWakeUp
	region *region
	mode   mode
	dialed bool
	info   *transport.Info
	name   string // of the place where the two met, as it was written

	state  atomic.Uint32         // live, broken or closed
	dead   atomic.Bool           // the socket has ended
	fault  atomic.Pointer[error] // why broken
	unread atomic.Uint32         // wake-ups that may be in the socket

	peerRuns atomic.Bool // its reader was not parked when it was last sent something
	turn     atomic.Bool // something has come, and nothing been sent since
	idle     idler
	ending   ending

	in  inlet
	out outlet

	mu        sync.Mutex // guards what follows, all wait queues, and changes of state
	end       uint32     // what is in out.p.ctl.end
	inbox     []int      // descriptors that nobody has received yet
	fileQueue *waitQueue // where ReceiveFile parks; nil until it has to
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
	ready    func(fd uintptr) bool // pollIn or pollOut, once somebody has parked
	queue    *waitQueue            // nil until somebody has to park; the link's mu guards it
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
	need   uint64 // room that the one who is parked waits for
	booked int    // bytes lent by Reserve
}

// start prepares a link over a socket and memory, which it takes.
func (l *link) start(sock *os.File, r *region, m mode, dialed bool, info *transport.Info, name string) {
	l.sock, l.region, l.mode, l.dialed, l.info, l.name = sock, r, m, dialed, info, name
	l.raw, _ = sock.SyscallConn() // it fails for a nil file only
	l.wake = l.sendWakeUp
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
		_ = l.raw.Control(shutdown) // wakes all who are parked, on both sides
	}
	return l.why()
}

// finish tells the other side how its two rings end. That nothing more is taken out
// comes first: who reads the end sees whether it is that of both directions. The
// caller holds mu, and the region is still mapped.
func (l *link) finish(end uint32) {
	in := l.in.c.ctl
	in.gone.publish(ended)
	l.wakePeer(&in.producerWaits)
	in.consumerWaits.publish(1) // so that the next write wakes, and finds the socket closed
	if l.end == open || end == aborted {
		l.end = end
		l.out.p.ctl.end.publish(end)
	}
	l.wakePeer(&l.out.p.ctl.consumerWaits)
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
		l.wakePeer(&l.out.p.ctl.consumerWaits)
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
	fds, queues := l.inbox, [...]*waitQueue{l.out.queue, l.fileQueue, l.ending.queue}
	l.inbox = nil
	if l.idle.timer != nil {
		l.idle.timer.Stop()
	}
	l.mu.Unlock()
	closeAll(fds)
	for _, q := range queues {
		q.close()
	}
	l.sock.Close()
	l.ending.watchers.Wait()
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

// LocalAddr is the name as it was written at the side that listens, and else this
// process.
func (l *link) LocalAddr() net.Addr {
	if l.dialed {
		return l.addr(process(&transport.Cred{PID: os.Getpid(), UID: os.Geteuid()}))
	}
	return l.addr(l.name)
}

// RemoteAddr is the name as it was written at the side that dialed, and else the
// process that did.
func (l *link) RemoteAddr() net.Addr {
	if l.dialed {
		return l.addr(l.name)
	}
	return l.addr(process(l.info.Cred))
}

func (l *link) addr(name string) net.Addr { return transport.Addr{Net: dialKind(l.mode), Name: name} }

// process names a client, which has no name of its own.
func process(who *transport.Cred) string {
	if who == nil {
		return "a program that the system does not tell"
	}
	return fmt.Sprintf("process %d of user %d", who.PID, who.UID)
}

func (l *link) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}

// SetReadDeadline also bounds ReceiveFile.
func (l *link) SetReadDeadline(t time.Time) error {
	return l.setDeadline(t, &l.in.half, &l.fileQueue)
}

// SetWriteDeadline also bounds SendFile.
func (l *link) SetWriteDeadline(t time.Time) error {
	err := l.setDeadline(t, &l.out.half, nil)
	if err == nil {
		err = l.sock.SetWriteDeadline(t)
	}
	return err
}

// setDeadline sets the deadline of h: for those who are not parked, and for those who
// are, except in a queue that is being woken, who will check it.
func (l *link) setDeadline(t time.Time, h *half, other **waitQueue) error {
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
	queues := [2]*waitQueue{h.queue}
	if other != nil {
		queues[1] = *other
	}
	for _, q := range queues {
		if q != nil && !q.woken {
			_ = q.setDeadline(t) // it fails for a closed file only
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
