package swarm

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"
)

// Links are pinged, so that one that passes nothing any more is found out: often while
// there are streams, seldom while there are none, and at once when the network changes.
// A link over which nothing has come for twice as long as an answer may take is closed;
// time in which this process has got no time to run counts for less, see waiting.
const (
	pingBusy    = 500 * time.Millisecond
	pingIdle    = 5 * time.Second
	pingLeast   = 500 * time.Millisecond // for an answer
	pingHasty   = 250 * time.Millisecond // after a change of the network
	pingMost    = 5 * time.Second
	pingMisses  = 2
	pingMostTry = 30 * time.Second // however much moves
)

// pingProtocol answers with what it is sent.
const pingProtocol = ping.ID

// moves counts what has been read and written with each peer over connections of their own.
type moves struct {
	mu sync.Mutex // guards of
	of map[lpeer.ID]*atomic.Uint64
}

// with returns the counter of a peer.
func (m *moves) with(id lpeer.ID) *atomic.Uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[lpeer.ID]*atomic.Uint64{}
	}
	if m.of[id] == nil {
		m.of[id] = new(atomic.Uint64)
	}
	return m.of[id]
}

// movesOver returns a function that counts what moves over a link, and nothing else: all
// that arrives, and much that is sent.
func (n *Network) movesOver(l *link) func() uint64 {
	heard := heardOver(l.conn)
	if l.over != overTCP {
		return func() uint64 { return l.moved.Load() + heard() }
	}
	beside := n.moves.with(l.conn.RemotePeer())
	return func() uint64 { return l.moved.Load() + heard() + beside.Load() }
}

// A moveCount counts what moves over a stream: all that is read, and what is written by the
// writeStep, for a little goes into the buffers of a connection that is dead.
type moveCount struct {
	all   *atomic.Uint64
	wrote int // since it was last counted
}

func (m *moveCount) read() { m.all.Add(1) }

func (m *moveCount) write(n int) {
	if m.wrote += n; m.wrote >= writeStep {
		m.wrote = 0
		m.all.Add(1)
	}
}

// forget drops the counter of a peer that is gone.
func (m *moves) forget(id lpeer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of, id)
}

// changes tells of changes of the network.
type changes struct {
	mu sync.Mutex // guards of
	of chan struct{}
}

// wait returns a channel that is closed at the next change.
func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = make(chan struct{})
	}
	return c.of
}

func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != nil {
		close(c.of)
		c.of = nil
	}
}

// keepPinging pings a link for as long as there is one.
func (n *Network) keepPinging(l *link) {
	defer l.pinged.Store(0)
	moved := n.movesOver(l)
	for asked := time.Now(); !l.conn.IsClosed(); asked = time.Now() {
		s, err := n.pingStream(l)
		for err != nil {
			switch {
			case isNoProtocol(err):
				return // it answers, in its way
			case n.ctx.Err() != nil || l.conn.IsClosed():
				return
			case time.Since(asked) >= pingMostTry:
				n.dead(l)
				return
			case n.missed(l, moved(), moved):
				return
			}
			s, err = n.pingStream(l)
		}
		err = n.pingOver(l, s, moved)
		s.Reset() //nolint:errcheck // it is gone
		if err != nil {
			return
		}
	}
}

// pingStream opens a stream for pings.
func (n *Network) pingStream(l *link) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(n.ctx, pingMost)
	defer cancel()
	s, err := l.conn.NewStream(network.WithAllowLimitedConn(ctx, "ping"))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(n.ctx, func() { s.Reset() }) //nolint:errcheck // it is gone
	s.SetDeadline(time.Now().Add(pingMost))                //nolint:errcheck // the streams of libp2p have deadlines
	if err = multistream.SelectProtoOrFail(ping.ID, s); err == nil {
		err = s.SetProtocol(ping.ID)
	}
	if !stop() && err == nil {
		err = n.ctx.Err()
	}
	if err != nil {
		s.Reset() //nolint:errcheck // it is gone
		return nil, err
	}
	return s, nil
}

// errDead is why a link was closed that does not answer.
var errDead = errors.New("no answer to pings")

// pingOver sends one ping after the other. The error is that of the stream, or errDead.
func (n *Network) pingOver(l *link, s network.Stream, moved func() uint64) error {
	b, got := make([]byte, ping.PingSize), make([]byte, ping.PingSize)
	rand.Read(b) //nolint:errcheck // it does not fail
	for {
		changed := n.changes.wait()
		s.SetWriteDeadline(time.Now().Add(pingMostTry)) //nolint:errcheck // the streams of libp2p have deadlines
		sent := time.Now()
		if _, err := s.Write(b); err != nil {
			return err
		}
		if err := awaitAnswer(s, got, func() time.Duration { return l.patience(n) }, moved); err != nil {
			if err == errDead { //nolint:errorlint // it is not wrapped
				n.dead(l)
			}
			return err
		}
		l.pinged.Store(int64(time.Since(sent)))
		wait := time.NewTimer(l.interval(n))
		select {
		case <-wait.C:
		case <-changed:
		case <-n.ctx.Done():
			wait.Stop()
			return n.ctx.Err()
		}
		wait.Stop()
		if l.conn.IsClosed() {
			return network.ErrReset
		}
	}
}

// missed waits for a moment and tells whether the link is over.
func (n *Network) missed(l *link, before uint64, moved func() uint64) bool {
	for wait, over := newWaiting(l.patience(n)), false; !over; {
		select {
		case <-time.After(wait.next()):
		case <-n.ctx.Done():
			return true
		}
		if l.conn.IsClosed() || moved() != before {
			return l.conn.IsClosed()
		}
		over = wait.over()
	}
	return n.dead(l)
}

// dead closes a link that does not answer, and what goes the same way.
func (n *Network) dead(l *link) bool {
	n.event(Event{What: Lost, Peer: l.id, Addr: l.addr, Path: l.path, Err: errDead})
	l.conn.CloseWithError(network.ConnGarbageCollected) //nolint:errcheck // it is gone
	if l.over == overTCP {
		n.direct.closePeer(l.conn.RemotePeer())
	}
	return true
}

// patience is how long an answer may take.
func (l *link) patience(n *Network) time.Duration {
	least := pingLeast
	if n.inHaste() {
		least = pingHasty
	}
	return min(max(3*time.Duration(l.pinged.Load())+200*time.Millisecond, least), pingMost)
}

// interval is when to ping again.
func (l *link) interval(n *Network) time.Duration {
	if l.busy() || n.direct.busy(l.conn.RemotePeer()) {
		return pingBusy
	}
	return pingIdle
}

// busy tells whether a link carries datagrams, or streams, but for those that are kept open to be there:
// of the pings, and of the table, which has one with everybody that it has ever asked.
func (l *link) busy() bool {
	if at := l.usedAt.Load(); at > 0 && time.Now().UnixNano()-at < int64(pingIdle) {
		return true
	}
	return l.conn.Stat().NumStreams > 0 && slices.ContainsFunc(l.conn.GetStreams(), func(s network.Stream) bool {
		return s.Protocol() != ping.ID && !strings.HasSuffix(string(s.Protocol()), tableProto)
	})
}

func isTimeoutError(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
