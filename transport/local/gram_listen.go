//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Of the sessions of a UnixgramListen.
const (
	DefaultSessionIdle = time.Minute // without a datagram either way
	DefaultSessions    = 256         // open at a time

	maxPending = 64 // sessions that wait to be accepted
	queueLen   = 16 // datagrams that wait in a session to be read
)

// UnixgramListen waits for datagrams. The first one from a sender opens a session:
// a Conn that carries what this sender sends, and sends back to it. A sender is
// known by its name; those without one by their process, and nothing can be sent
// to them.
//
// A session ends with [io.EOF] after SessionIdle without a datagram either way.
// Datagrams of unix sockets do not get lost: while one session has its queue full,
// the senders of all of them wait. Only those of new senders are dropped, and
// counted, when Sessions are open or 64 are not yet accepted, and those of senders
// that the Access refuses.
type UnixgramListen struct {
	Path string // path of the socket, or "@" and an abstract name
	Access
	SessionIdle time.Duration // until a silent session ends; 0 is DefaultSessionIdle, negative is never
	Sessions    int           // open at a time; 0 is DefaultSessions
}

var (
	_ transport.Listener  = (*UnixgramListen)(nil)
	_ transport.Guard     = (*UnixgramListen)(nil)
	_ transport.Validator = (*UnixgramListen)(nil)
)

// Bind binds the target and the options.
func (l *UnixgramListen) Bind(s *opt.Set) {
	bindTarget(s, &l.Path, false)
	s.Embed(&l.Access)
	s.Group("sessions")
	s.Duration(&l.SessionIdle, "session-idle", DefaultSessionIdle, -1, "end a session after so long without a datagram either way")
	s.Int(&l.Sessions, "sessions", DefaultSessions, 1, 1<<16, "senders that are served at a time")
	s.Group("")
}

// Authenticates implements [transport.Guard], as that of [UnixListen].
func (l *UnixgramListen) Authenticates() bool { return l.authenticates(l.Path) }

// Listen opens the socket, which stays open until the last session is closed.
func (l *UnixgramListen) Listen(ctx context.Context) (transport.Acceptor, error) {
	g, err := l.guard(l.Path)
	if err != nil {
		return nil, err
	}
	c, f, err := bindGram(ctx, l.Path, &l.Access)
	if err != nil {
		return nil, err
	}
	if err := passCred(c); err != nil {
		f.remove()
		c.Close()
		return nil, err
	}
	_ = c.SetWriteBuffer(sendBuffer) // the default is enough on most machines
	a := &gramAcceptor{c: c, file: f, guard: g, addr: unixAddr("unixgram", l.Path), idle: l.SessionIdle, most: l.Sessions,
		pending: make(chan *gramSession, maxPending), done: make(chan struct{}), sessions: map[string]*gramSession{}}
	if a.idle == 0 {
		a.idle = DefaultSessionIdle
	}
	if a.most == 0 {
		a.most = DefaultSessions
	}
	a.reader.Go(a.receive)
	return a, nil
}

// A gramAcceptor hands out a session for each sender.
type gramAcceptor struct {
	c       *net.UnixConn
	file    *socketFile
	guard   *guard
	addr    net.Addr
	idle    time.Duration
	most    int
	dropped atomic.Int64
	pending chan *gramSession
	done    chan struct{} // closed by Close
	reader  sync.WaitGroup

	mu       sync.Mutex // guards what follows
	sessions map[string]*gramSession
	open     int // sessions not yet closed, and Close while it runs
	closed   bool
	closeErr error
}

var _ transport.DropCounter = (*gramAcceptor)(nil)

// receive hands out what arrives, until the socket is closed.
func (a *gramAcceptor) receive() {
	buf := make([]byte, MaxMessage)
	var oob [credSize]byte
	for {
		n, oobn, _, from, err := a.c.ReadMsgUnix(buf, oob[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(lastPause)
			continue // want of memory; unix(7)
		}
		cred := credOf(oob[:oobn])
		s := a.session(from, cred)
		if s == nil {
			a.dropped.Add(1)
			continue
		}
		s.put(append(make([]byte, 0, n), buf[:n]...))
	}
}

// session returns the session of a sender, a new one if need be, or nil if there
// may be none.
func (a *gramAcceptor) session(from *net.UnixAddr, cred *transport.Cred) *gramSession {
	if a.guard.admit(cred, nil) != nil {
		return nil
	}
	key, to := "", (*net.UnixAddr)(nil)
	switch {
	case from != nil && from.Name != "":
		key, to = from.Name, from
	case cred != nil:
		key = fmt.Sprintf("\x00%d", cred.PID) // no name has a zero byte
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sessions[key]; s != nil {
		return s
	}
	if a.closed || a.open >= a.most || len(a.pending) == cap(a.pending) {
		return nil
	}
	s := newGramSession(a, key, to, cred)
	a.sessions[key] = s
	a.open++
	a.pending <- s // there is room: nobody else sends, and mu is held
	return s
}

// forget takes a session that has ended out of the way of a new one.
func (a *gramAcceptor) forget(s *gramSession) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions[s.key] == s {
		delete(a.sessions, s.key)
	}
}

// leave is called once for each session, when it is closed, and by Close.
func (a *gramAcceptor) leave() error {
	a.mu.Lock()
	a.open--
	over := a.closed && a.open == 0
	a.mu.Unlock()
	if !over {
		return nil
	}
	err := a.c.Close()
	a.reader.Wait()
	return err
}

// Accept returns the next session. Its first datagram can be read at once.
func (a *gramAcceptor) Accept() (transport.Conn, error) {
	closed := &net.OpError{Op: "accept", Net: "unixgram", Addr: a.addr, Err: net.ErrClosed}
	select {
	case <-a.done:
		return nil, closed
	default:
	}
	select {
	case s := <-a.pending:
		return s, nil
	case <-a.done:
		return nil, closed
	}
}

// Addr has the path as it was written.
func (a *gramAcceptor) Addr() net.Addr { return a.addr }

// Dropped is how many datagrams found no session.
func (a *gramAcceptor) Dropped() int64 { return a.dropped.Load() }

// Close lets no new sender in and removes the socket file. Sessions that were
// accepted live on.
func (a *gramAcceptor) Close() error {
	a.mu.Lock()
	if a.closed {
		defer a.mu.Unlock()
		return a.closeErr
	}
	a.closed = true
	a.open++ // keeps the socket until all is done here
	close(a.done)
	a.mu.Unlock()
	a.file.remove()
	for len(a.pending) > 0 {
		select {
		case s := <-a.pending:
			s.Close()
		default: // an Accept was faster
		}
	}
	err := a.leave()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closeErr = err
	return err
}
