package quic

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"

	quicgo "github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/transport"
)

const (
	// maxPending is how many connections may be between their handshake and
	// Accept. When there are more, the one that has waited longest for its stream goes;
	// if all have theirs, the new one is told that we are busy.
	maxPending = 256

	// handshakeRate is how many handshakes a second are begun on trust. Above
	// it a client must first prove its address (RFC 9000, section 8.1.2), so
	// that forged ones cost us a packet each.
	handshakeRate = 256
)

// An acceptor serves the sockets of one listener.
type acceptor struct {
	l       *Listen
	ready   chan *Conn
	pending chan struct{} // a token for each connection that is not accepted yet
	ctx     context.Context
	cancel  context.CancelFunc
	servers []*server
	begun   arrivals       // those of pending that have no stream yet
	work    sync.WaitGroup // the goroutines of serve and welcome
	close   sync.Once
}

// A server is one socket. It lives until the listener and all connections that
// came through it are closed.
type server struct {
	ln *quicgo.Listener
	t  *quicgo.Transport
	pc *net.UDPConn

	mu    sync.Mutex // guards users
	users int
}

func newAcceptor(l *Listen, socks []*net.UDPConn, cfg *tls.Config) (*acceptor, error) {
	a := &acceptor{l: l, ready: make(chan *Conn), pending: make(chan struct{}, cmp.Or(l.pending, maxPending))}
	a.ctx, a.cancel = context.WithCancel(context.Background()) // a lifetime, not a call's context
	limit := rate.NewLimiter(handshakeRate, handshakeRate)
	var failed error
	for _, pc := range socks {
		s := &server{pc: pc, users: 1, t: &quicgo.Transport{
			Conn:                pc,
			VerifySourceAddress: func(net.Addr) bool { return !limit.Allow() },
		}}
		ln, err := s.t.Listen(cfg, l.Tuning.config(1))
		if s.ln = ln; err != nil {
			failed = errors.Join(failed, err)
		}
		a.servers = append(a.servers, s)
	}
	if failed != nil {
		for _, s := range a.servers {
			s.done()
		}
		a.cancel()
		return nil, failed
	}
	for _, s := range a.servers {
		a.work.Go(func() { a.serve(s) })
	}
	return a, nil
}

// serve takes connections that have finished their handshake.
func (a *acceptor) serve(s *server) {
	for {
		qc, err := s.ln.Accept(a.ctx)
		if err != nil {
			return
		}
		if !a.place() {
			_ = qc.CloseWithError(codeBusy, "too many connections")
			continue
		}
		s.use()
		ctx, w := a.begun.enter(a.ctx)
		a.work.Go(func() { a.welcome(ctx, w, s, qc) })
	}
}

// place takes a place among those that are pending, if there is one or can be.
func (a *acceptor) place() bool {
	select {
	case a.pending <- struct{}{}:
		return true
	default:
	}
	if !a.begun.dropOldest() {
		return false
	}
	select {
	case a.pending <- struct{}{}: // it gives its place up at once
		return true
	case <-a.ctx.Done():
		return false
	}
}

// arrivals are the connections that have no stream yet, the oldest first.
type arrivals struct {
	mu  sync.Mutex // guards all
	all []*arrival
}

type arrival struct{ drop context.CancelFunc }

func (l *arrivals) enter(ctx context.Context) (context.Context, *arrival) {
	ctx, drop := context.WithCancel(ctx)
	w := &arrival{drop}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, w)
	return ctx, w
}

// leave takes one off the list, and tells whether it was dropped before.
func (l *arrivals) leave(w *arrival) (dropped bool) {
	w.drop()
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.all, w)
	if i >= 0 {
		l.all = slices.Delete(l.all, i, i+1)
	}
	return i < 0
}

// dropOldest ends the one that has waited longest, if there is one.
func (l *arrivals) dropOldest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return false
	}
	l.all[0].drop()
	l.all = slices.Delete(l.all, 0, 1)
	return true
}

// welcome waits for the stream of a connection, and for somebody to accept it.
func (a *acceptor) welcome(ctx context.Context, w *arrival, s *server, qc *quicgo.Conn) {
	defer func() { <-a.pending }()
	c, err := a.stream(ctx, qc)
	if a.begun.leave(w) {
		_ = qc.CloseWithError(codeBusy, "too many connections")
		s.done()
		return
	}
	if err == nil {
		c.release = s.done
		select {
		case a.ready <- c:
			return
		case <-a.ctx.Done():
		case <-qc.Context().Done():
		}
	}
	_ = qc.CloseWithError(codeAborted, "not accepted")
	s.done()
}

// stream waits for the stream and reads the byte that makes it visible.
func (a *acceptor) stream(ctx context.Context, qc *quicgo.Conn) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	st, err := qc.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(qc, st, "quic-listen", a.l.Tuning.Drain)
	c.info.Peer = a.l.TLS.Identity(c.info.TLS, transport.Accepted)
	if !c.tenon {
		return c, nil
	}
	stop := context.AfterFunc(ctx, func() { st.CancelRead(codeAborted) })
	defer stop()
	var first [1]byte
	if n, err := st.Read(first[:]); n != 1 {
		return nil, errors.Join(errors.New("the stream ends before it begins"), err)
	}
	if first[0] != 0 {
		return nil, errors.New("the stream begins with an unknown version")
	}
	return c, nil
}

// Accept returns the next stream. Errors of single connections are not shown: they
// have come no further than a handshake.
func (a *acceptor) Accept() (transport.Conn, error) {
	select {
	case <-a.ctx.Done():
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-a.ready:
		return c, nil
	case <-a.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr is the address of the first socket.
func (a *acceptor) Addr() net.Addr { return a.servers[0].pc.LocalAddr() }

// Close stops listening. The sockets stay open for the connections that were
// accepted.
func (a *acceptor) Close() error {
	a.close.Do(func() {
		a.cancel()
		for _, s := range a.servers {
			_ = s.ln.Close() // only sends refusals
		}
		a.work.Wait()
		for _, s := range a.servers {
			s.done()
		}
	})
	return nil
}

func (s *server) use() {
	s.mu.Lock()
	s.users++
	s.mu.Unlock()
}

// done closes the socket after its last user.
func (s *server) done() {
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if last {
		_ = s.t.Close()
		_ = s.pc.Close()
	}
}
