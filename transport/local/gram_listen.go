//go:build linux

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/sessions"
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
// A session ends with [io.EOF] after SessionIdle without a datagram either way, and
// that ends both directions ([transport.Ender]).
// Datagrams of unix sockets do not get lost: while one session has its queue full,
// the senders of all of them wait. Only those of new senders are dropped, and
// counted, when Sessions are open or 64 are not yet accepted, and those of senders
// that the Access refuses.
type UnixgramListen struct {
	Path string // path of the socket, or "@" and an abstract name
	Access
	SessionIdle time.Duration // until a silent session ends; 0 is DefaultSessionIdle, negative is never
	Sessions    int           // open at a time; 0 is DefaultSessions

	abstract bool // the target is an abstract name without its @
}

var (
	_ transport.Listener  = (*UnixgramListen)(nil)
	_ transport.Guard     = (*UnixgramListen)(nil)
	_ transport.Validator = (*UnixgramListen)(nil)
)

// Bind binds the target and the options.
func (l *UnixgramListen) Bind(s *opt.Set) {
	bindTarget(s, &l.Path, l.abstract)
	l.bind(s, l.abstract)
	s.Group("sessions")
	s.Duration(&l.SessionIdle, "session-idle", DefaultSessionIdle, -1, "end a session after so long without a datagram either way")
	s.Int(&l.Sessions, "sessions", DefaultSessions, 1, 1<<16, "senders that are served at a time")
	s.Group("")
}

// Validate finds fault with the options.
func (l *UnixgramListen) Validate() error { return l.validate(l.Path) }

// Authenticates implements [transport.Guard], as that of [UnixListen].
func (l *UnixgramListen) Authenticates() bool { return l.authenticates(l.Path) }

// Listen opens the socket, which stays open until the last session is closed.
func (l *UnixgramListen) Listen(ctx context.Context) (transport.Acceptor, error) {
	c, f, g, err := openReceiver(ctx, l.Path, &l.Access)
	if err != nil {
		return nil, err
	}
	_ = c.SetWriteBuffer(sendBuffer) // the default is enough on most machines
	limits := sessions.Limits{Idle: cmp.Or(l.SessionIdle, DefaultSessionIdle), Open: cmp.Or(l.Sessions, DefaultSessions), Pending: maxPending}
	a := &gramAcceptor{c: c, file: f, guard: g, addr: unixAddr("unixgram", l.Path)}
	a.table = sessions.NewTable[string, *gramSession](limits, a.release)
	a.reader.Go(a.receive)
	return a, nil
}

// A gramAcceptor hands out a session for each sender.
type gramAcceptor struct {
	c       *net.UnixConn
	file    *socketFile
	guard   *guard
	addr    net.Addr
	dropped atomic.Int64
	reader  sync.WaitGroup
	table   *sessions.Table[string, *gramSession]
	removed sync.Once // of file
}

var _ transport.DropCounter = (*gramAcceptor)(nil)

// receive hands out what arrives, until the socket is closed.
func (a *gramAcceptor) receive() {
	buf := make([]byte, MaxMessage)
	var oob [credSize]byte
	for {
		n, oobn, _, from, err := readMsg(a.c, buf, oob[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(lastPause)
			continue // want of memory; unix(7)
		}
		cred := credOf(oob[:oobn])
		s, ok := a.session(from, cred)
		if !ok {
			a.dropped.Add(1)
			continue
		}
		s.put(append(make([]byte, 0, n), buf[:n]...))
	}
}

// session returns the session of a sender, if there may be one.
func (a *gramAcceptor) session(from *net.UnixAddr, cred *transport.Cred) (*gramSession, bool) {
	if a.guard.admit(cred, nil) != nil {
		return nil, false
	}
	key, to := "", (*net.UnixAddr)(nil)
	switch {
	case from != nil && from.Name != "":
		key, to = from.Name, from
	case cred != nil:
		key = fmt.Sprintf("\x00%d", cred.PID) // no name has a zero byte
	}
	return a.table.Get(&key, time.Now(), func() (*gramSession, *gramEntry) {
		s := newGramSession(a, to, cred)
		return s, &s.entry
	})
}

// release closes the socket. It is called when nothing needs it any more.
func (a *gramAcceptor) release() error {
	err := a.c.Close()
	a.reader.Wait()
	return err
}

// Accept returns the next session. Its first datagram can be read at once.
func (a *gramAcceptor) Accept() (transport.Conn, error) {
	s, err := a.table.Accept()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "unixgram", Addr: a.addr, Err: err}
	}
	return s, nil
}

// Addr has the path as it was written.
func (a *gramAcceptor) Addr() net.Addr { return a.addr }

// Dropped is how many datagrams found no session.
func (a *gramAcceptor) Dropped() int64 { return a.dropped.Load() }

// Close lets no new sender in and removes the socket file. Sessions that were
// accepted live on.
func (a *gramAcceptor) Close() error {
	a.removed.Do(a.file.remove)
	return a.table.Close()
}
