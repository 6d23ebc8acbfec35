package inet

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/sessions"
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
// A session ends with [io.EOF] after SessionIdle without a datagram either way, or
// when it has to make room. UDP has no end of its own, so both directions have ended
// then ([transport.Ender]). After that, or its Close, the next datagram of the same sender opens
// a new one.
//
// Everything is bounded. When Sessions are open or 128 are not yet accepted, the
// address of a new sender may be as forged as those of the others: the session that
// was heard once and has been idle longest makes room, and one that was heard again
// never does. What does not fit is dropped, the newest first: datagrams that a session
// has no room for in its queue, those of new senders for whom nobody can make room, and
// what Amplify forbids to send. What is dropped is counted; see [transport.DropCounter].
type UDPListen struct {
	UDPLocal
	SessionIdle time.Duration // until a silent session ends; 0 is DefaultSessionIdle, negative is never
	Sessions    int           // open at a time; 0 is DefaultSessions
	Queue       int64         // bytes that wait in one session to be read; 0 is DefaultQueue

	// Amplify bounds what a session sends to so many times what it has received,
	// in bytes with their headers: the address of a sender may be forged, and the
	// answers would hit a third party. 0 is no bound.
	Amplify int

	// PerDatagram makes every datagram a session of its own: it is read, then comes
	// [io.EOF], and answers can be sent until the session is closed.
	PerDatagram bool
}

var (
	_ transport.Listener  = (*UDPListen)(nil)
	_ transport.Validator = (*UDPListen)(nil)
)

// Bind binds the target and the options.
func (l *UDPListen) Bind(s *opt.Set) {
	s.Embed(&l.UDPLocal)
	s.Group("sessions")
	s.Duration(&l.SessionIdle, "session-idle", DefaultSessionIdle, -1, "end a session after so long without a datagram either way")
	s.Int(&l.Sessions, "sessions", DefaultSessions, 1, 1<<20, "senders that are served at a time")
	s.Size(&l.Queue, "queue", DefaultQueue, "bytes of each sender that may wait; what comes then is dropped")
	s.Int(&l.Amplify, "amplify", 0, 1, 1<<16, "send each sender at most so many times the bytes that came from it; what is more is dropped")
	s.Bool(&l.PerDatagram, "per-datagram", "every datagram is a session of its own, as for socat's udp-recvfrom")
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
	limits := sessions.Limits{Idle: cmp.Or(l.SessionIdle, DefaultSessionIdle), Open: cmp.Or(l.Sessions, DefaultSessions), Pending: maxPending}
	a := &udpAcceptor{info: &transport.Info{Kind: udpListenKind}, socks: socks, queue: int(cmp.Or(l.Queue, DefaultQueue)), amplify: int64(l.Amplify), single: l.PerDatagram}
	a.table = sessions.NewTable[udpSender, *udpSession](limits, a.release)
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
	queue   int
	amplify int64 // 0 is no bound
	single  bool  // a session for each datagram
	dropped atomic.Int64
	numbers atomic.Uint64 // of datagrams, where each is a session
	readers sync.WaitGroup
	table   *sessions.Table[udpSender, *udpSession]
}

// A udpSender is what has a session: an answer must come from the address that the
// sender knows, so one that uses two of ours has two.
type udpSender struct {
	from   netip.AddrPort // not valid on a connected socket
	at     *udpSocket     // set where there are sessions
	number uint64         // of the datagram, where each is a session
}

var _ transport.DropCounter = (*udpAcceptor)(nil)

// receive hands out what arrives at one socket, until it is closed.
func (a *udpAcceptor) receive(s *udpSocket) {
	in := newBatchReader(s)
	defer in.release()
	var out outbox
	var z zones
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
			if a.single {
				a.each(s, d, now, &z)
				continue
			}
			if last == nil || last.to.addr != d.from {
				var ok bool
				if last, ok = a.session(s, d, now, &z); !ok {
					a.dropped.Add(int64(d.messages()))
					continue
				}
			} else {
				last.addCredit(d)
				last.entry.Again()
			}
			out.put(last, d)
		}
		out.flush()
	}
}

// session returns the session that a datagram belongs to and pays for, if there is
// room for it.
func (a *udpAcceptor) session(s *udpSocket, d *datagram, now time.Time, z *zones) (*udpSession, bool) {
	fresh := false
	d.at = s
	c, ok := a.table.Get(&d.udpSender, now, func() (*udpSession, *udpEntry) {
		fresh = true
		c := newUDPSession(a, s, target{d.from, source(d.to)}, z)
		c.addCredit(d) // before somebody accepts it, and answers
		return c, &c.entry
	})
	switch {
	case ok && !fresh:
		c.addCredit(d)
	case ok && d.messages() > 1:
		c.entry.Again()
	}
	return c, ok
}

// each hands out the datagrams of d as sessions of their own.
func (a *udpAcceptor) each(s *udpSocket, d *datagram, now time.Time, z *zones) {
	for more := true; more; {
		one := *d
		one.data, more = d.next()
		one.seg, one.number = len(one.data), a.numbers.Add(1)
		c, ok := a.session(s, &one, now, z)
		if !ok {
			a.dropped.Add(1)
			continue
		}
		c.queue.put(&one, nil)
		c.queue.finish(io.EOF, false)
	}
}

// source is the address to answer from, if it is one to send from.
func source(to netip.Addr) netip.Addr {
	if to.IsMulticast() || to.IsUnspecified() {
		return netip.Addr{}
	}
	return to
}

// release closes the sockets. It is called when nothing needs them any more.
func (a *udpAcceptor) release() error {
	err := closeSockets(a.socks)
	a.readers.Wait()
	return err
}

// Accept returns the next session. Its first datagram can be read at once.
func (a *udpAcceptor) Accept() (transport.Conn, error) {
	c, err := a.table.Accept()
	if err != nil {
		return nil, a.socks[0].opError("accept", err)
	}
	return c, nil
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

// LimitSessions says that no more than n will be accepted at a time.
func (a *udpAcceptor) LimitSessions(n int) { a.table.LimitOpen(n) }

// Close lets no new sender in. Sessions that were accepted live on.
func (a *udpAcceptor) Close() error { return a.table.Close() }
