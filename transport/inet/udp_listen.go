package inet

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Of the sessions of a UDPListen.
const (
	DefaultSessionIdle = time.Minute // without a datagram either way
	DefaultSessions    = 1024        // open at a time
	DefaultQueue       = 512 << 10   // bytes received and not yet read, of one session

	maxPending = 128                   // sessions that wait to be accepted
	errorPause = 10 * time.Millisecond // before receiving again after an error
)

// UDPListen waits for datagrams. The first one from a sender opens a session: a
// Conn that carries what this sender sends, in order, and sends back to it.
//
// A session ends with [io.EOF] after SessionIdle without a datagram either way;
// that is the only end there is, since UDP has no word for it. After its Close the
// next datagram of the same sender opens a new one.
//
// Everything is bounded, and what does not fit is dropped, the newest first:
// datagrams that a session has no room for in its queue, and datagrams of new
// senders when there are Sessions open or 128 not yet accepted. What is dropped is
// counted; see [transport.DropCounter].
type UDPListen struct {
	UDPLocal
	SessionIdle time.Duration // until a silent session ends; 0 is DefaultSessionIdle, negative is never
	Sessions    int           // open at a time; 0 is DefaultSessions
	Queue       int64         // bytes that wait in one session to be read; 0 is DefaultQueue
}

var _ transport.Listener = (*UDPListen)(nil)

// Bind binds the target and the options.
func (l *UDPListen) Bind(s *opt.Set) {
	s.Embed(&l.UDPLocal)
	s.Group("sessions")
	s.Duration(&l.SessionIdle, "session-idle", DefaultSessionIdle, -1, "end a session after so long without a datagram either way")
	s.Int(&l.Sessions, "sessions", DefaultSessions, 1, 1<<20, "senders that are served at a time")
	s.Size(&l.Queue, "queue", DefaultQueue, "bytes of each sender that may wait; what comes then is dropped")
	s.Group("")
}

// Listen opens the sockets. What it returns also has the methods Addrs, for all
// addresses that it listens on, and Dropped. Its Conns are [transport.MsgBatcher]s.
// The sockets stay open until the last session is closed.
func (l *UDPListen) Listen(ctx context.Context) (transport.Acceptor, error) {
	addrs, err := l.addrs(ctx, loopback)
	if err != nil {
		return nil, err
	}
	socks, err := l.open(ctx, addrs, func(fd int, v6 bool) error { return setLocal(fd, v6, addrs) })
	if err != nil {
		return nil, err
	}
	a := &udpAcceptor{
		info:     &transport.Info{Kind: udpListenKind},
		socks:    socks,
		idle:     l.SessionIdle,
		most:     l.Sessions,
		queue:    int(l.Queue),
		sessions: map[netip.AddrPort]*udpSession{},
		pending:  make(chan *udpSession, maxPending),
		done:     make(chan struct{}),
	}
	if a.idle == 0 {
		a.idle = DefaultSessionIdle
	}
	if a.most == 0 {
		a.most = DefaultSessions
	}
	if a.queue == 0 {
		a.queue = DefaultQueue
	}
	for _, s := range socks {
		a.readers.Go(func() { a.receive(s) })
	}
	return a, nil
}

// setLocal asks for the local addresses of datagrams if they can differ.
func setLocal(fd int, v6 bool, addrs []netip.AddrPort) error {
	if addrs[0].Addr().IsUnspecified() {
		return enableLocal(fd, v6)
	}
	return nil
}

// A udpAcceptor hands out a session for each sender.
type udpAcceptor struct {
	info    *transport.Info
	socks   []*udpSocket
	idle    time.Duration // negative is never
	most    int
	queue   int
	dropped atomic.Int64
	pending chan *udpSession
	done    chan struct{} // closed by Close
	readers sync.WaitGroup

	mu       sync.Mutex // guards what follows
	sessions map[netip.AddrPort]*udpSession
	open     int // sessions not yet closed: those in the map, and those that have ended
	closed   bool
	closeErr error
}

var _ transport.DropCounter = (*udpAcceptor)(nil)

// receive hands out what arrives at one socket, until it is closed.
func (a *udpAcceptor) receive(s *udpSocket) {
	in := newBatchReader(s)
	defer in.release()
	var out outbox
	for {
		batch, err := in.wait(rxSlots)
		if isClosed(err) {
			return
		}
		if err != nil {
			time.Sleep(errorPause)
			continue // about something that was sent, or want of memory; udp(7)
		}
		now := time.Now()
		var last *udpSession
		for i := range batch {
			d := &batch[i]
			if last == nil || last.to.addr != d.from {
				if last = a.session(s, d, now); last == nil {
					a.dropped.Add(int64(d.messages()))
					continue
				}
			}
			out.put(last, d, now)
		}
		out.flush()
	}
}

// session returns the session that a datagram belongs to, a new one if need be, or
// nil if there is no room for another.
func (a *udpAcceptor) session(s *udpSocket, d *datagram, now time.Time) *udpSession {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.sessions[d.from]; c != nil {
		return c
	}
	if a.closed || a.open >= a.most || len(a.pending) == cap(a.pending) {
		return nil
	}
	c := newUDPSession(a, s, target{d.from, source(d.to)}, now)
	a.sessions[d.from] = c
	a.open++
	a.pending <- c // there is room: nobody else sends, and mu is held
	return c
}

// source is the address to answer from, if it is one to send from.
func source(to netip.Addr) netip.Addr {
	if to.IsMulticast() || to.IsUnspecified() {
		return netip.Addr{}
	}
	return to
}

// forget takes a session that has ended out of the way of a new one.
func (a *udpAcceptor) forget(c *udpSession) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions[c.to.addr] == c {
		delete(a.sessions, c.to.addr)
	}
}

// gone is called once for each session, when it is closed.
func (a *udpAcceptor) gone(c *udpSession) {
	a.forget(c)
	a.mu.Lock()
	a.open--
	over := a.closed && a.open == 0
	a.mu.Unlock()
	if over {
		a.release()
	}
}

// release closes the sockets. It is called when nothing needs them any more.
func (a *udpAcceptor) release() error {
	err := closeSockets(a.socks)
	a.readers.Wait()
	return err
}

// Accept returns the next session. Its first datagram can be read at once.
func (a *udpAcceptor) Accept() (transport.Conn, error) {
	select {
	case <-a.done:
		return nil, a.socks[0].opError("accept", net.ErrClosed)
	default:
	}
	select {
	case c := <-a.pending:
		return c, nil
	case <-a.done:
		return nil, a.socks[0].opError("accept", net.ErrClosed)
	}
}

// Addr is the first of Addrs.
func (a *udpAcceptor) Addr() net.Addr { return a.socks[0].local }

// Addrs is all addresses that datagrams are waited for at.
func (a *udpAcceptor) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, s := range a.socks {
		addrs = append(addrs, s.local)
	}
	return addrs
}

// Dropped is how many datagrams were dropped, by all sessions and for want of one.
func (a *udpAcceptor) Dropped() int64 { return a.dropped.Load() }

// Close lets no new sender in. Sessions that were accepted live on.
func (a *udpAcceptor) Close() error {
	a.mu.Lock()
	if a.closed {
		defer a.mu.Unlock()
		return a.closeErr
	}
	a.closed = true
	a.open++ // keeps the sockets until all is done here
	close(a.done)
	a.mu.Unlock()
	for len(a.pending) > 0 {
		select {
		case c := <-a.pending:
			c.Close()
		default: // an Accept was faster
		}
	}
	a.mu.Lock()
	a.open--
	over := a.open == 0
	a.mu.Unlock()
	if over {
		a.closeErr = a.release()
	}
	return a.closeErr
}
