package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Proto is the protocol of the network below on which sessions are opened and resumed.
const Proto = "/tenon/link/1"

// The defaults of [Options].
const (
	DefaultSurvive     = 60 * time.Second
	DefaultMaxSurvive  = 10 * time.Minute
	DefaultBuffer      = 4 << 20
	DefaultSessions    = 4096
	DefaultAllSessions = 16384
	DefaultMemory      = 128 << 20
	DefaultAllMemory   = 512 << 20
	DefaultHandshakes  = 2048
)

// Options say how much streams outlive and what other peers may make us hold.
type Options struct {
	Survive    time.Duration // without any connection; 0 means DefaultSurvive, less is off
	MaxSurvive time.Duration // what another peer may ask for; 0 means DefaultMaxSurvive

	// Buffer is how many bytes at most are on their way in one direction of a
	// stream, which both sides may have to hold. It starts small and grows with the
	// rate. 0 means DefaultBuffer.
	Buffer int

	Sessions, AllSessions int   // with one peer, and in all
	Memory, AllMemory     int64 // of the buffers of the sessions with one peer, and of all
	Handshakes            int   // of one peer that are not over
}

func (o Options) withDefaults() Options {
	o.Survive = cmp.Or(o.Survive, DefaultSurvive)
	o.MaxSurvive = cmp.Or(o.MaxSurvive, DefaultMaxSurvive)
	o.Buffer = max(cmp.Or(o.Buffer, DefaultBuffer), smallBlock)
	o.Sessions, o.AllSessions = cmp.Or(o.Sessions, DefaultSessions), cmp.Or(o.AllSessions, DefaultAllSessions)
	o.Memory, o.AllMemory = cmp.Or(o.Memory, DefaultMemory), cmp.Or(o.AllMemory, DefaultAllMemory)
	o.Handshakes = cmp.Or(o.Handshakes, DefaultHandshakes)
	return o
}

// A Network is a [peer.Network] whose streams survive the loss of their connections,
// if the other side is one, too.
type Network struct {
	below    peer.Network
	options  Options
	memory   account.Account
	stop     func()          // serving below, which goes on when this is closed
	life     context.Context // until Close
	end      context.CancelFunc
	shutdown sync.Once
	working  sync.WaitGroup

	mu       sync.Mutex // guards what follows
	closed   bool
	handlers map[string]func(transport.Stream)
	sessions map[sessionID]*Stream
	peers    map[peer.ID]*peerState
	accepted map[*accepted]bool
}

var _ peer.Network = (*Network)(nil)

// A sessionID names a session. Only the peer that it is with can name it.
type sessionID struct {
	peer   peer.ID
	random [idSize]byte
}

// New makes a Network that stands on another. It serves [Proto] there.
func New(below peer.Network, o Options) *Network {
	o = o.withDefaults()
	n := &Network{below: below, options: o, memory: account.Account{Limit: o.AllMemory},
		handlers: map[string]func(transport.Stream){}, sessions: map[sessionID]*Stream{}, peers: map[peer.ID]*peerState{}, accepted: map[*accepted]bool{}}
	n.life, n.end = context.WithCancel(context.Background())
	n.stop = below.Serve(Proto, n.accept) // also after Close: who asks then is aborted, and not told that nobody speaks this
	n.spawn(n.watch)
	return n
}

// spawn runs f in a goroutine that Close waits for. It tells whether it did.
func (n *Network) spawn(f func()) bool {
	if !n.enter() {
		return false
	}
	go func() {
		defer n.working.Done()
		f()
	}()
	return true
}

// enter has Close wait until working.Done is called.
func (n *Network) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.working.Add(1)
	return true
}

// Self returns who the network below is.
func (n *Network) Self() peer.ID { return n.below.Self() }

// Links yields the links of the network below.
func (n *Network) Links() iter.Seq[peer.Link] { return n.below.Links() }

// LinksChanged is that of the network below.
func (n *Network) LinksChanged() <-chan struct{} { return n.below.LinksChanged() }

// Serve has h called for each session that a peer opens for proto.
func (n *Network) Serve(proto string, h func(transport.Stream)) (stop func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.handlers[proto] != nil {
		panic("link: " + proto + " is served already")
	}
	n.handlers[proto] = h
	return sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.handlers, proto)
	})
}

// Open opens a stream that survives for as long as the options say.
func (n *Network) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	return n.OpenSurviving(ctx, to, proto, 0)
}

// OpenSurviving opens a stream that goes on for so long without any connection. 0 means
// what the options say. Less means not at all: it is a stream of the network below. The
// other side may allow less.
func (n *Network) OpenSurviving(ctx context.Context, to peer.ID, proto string, survive time.Duration) (transport.Stream, error) {
	return n.opened(ctx, to, proto, survive, false)
}

// OpenEarly is OpenSurviving that does not wait until the other side has answered, for
// protocols in which the opener speaks first and has an answer: it saves a round trip. The
// opening goes out with the first Write, with a Read, or a second later. That the other side
// does not serve proto, or refuses, is what Read and Write return then.
func (n *Network) OpenEarly(ctx context.Context, to peer.ID, proto string, survive time.Duration) (transport.Stream, error) {
	return n.opened(ctx, to, proto, survive, true)
}

func (n *Network) opened(ctx context.Context, to peer.ID, proto string, survive time.Duration, early bool) (transport.Stream, error) {
	s, err := n.open(ctx, to, proto, cmp.Or(survive, n.options.Survive), early)
	if err != nil {
		var below *peer.OpenError
		if errors.As(err, &below) {
			err = below.Err
		}
		return nil, &peer.OpenError{Proto: proto, To: to, Err: err}
	}
	return s, nil
}

// How long Close waits for other sides to hear that all is over: who does not keeps its
// sessions for as long as they survive.
const (
	closeGrace = time.Second
	aliveGrace = 5 * time.Second // if something still comes from it: this machine or that one is busy
)

// Close aborts all sessions, tells their other sides if they can be told within a
// second, or five if they are heard from, and waits for all that the Network has started. The network below goes on,
// and no other Network can be made on it.
func (n *Network) Close() error {
	n.shutdown.Do(func() {
		n.mu.Lock()
		n.end()
		n.mu.Unlock()
		n.abortAccepted()
		all := n.streams()
		for _, s := range all {
			s.shutDown()
		}
		began := time.Now()
		late, stopLate := context.WithTimeout(context.Background(), closeGrace)
		defer stopLate()
		last, stopLast := context.WithTimeout(context.Background(), aliveGrace)
		defer stopLast()
		for _, s := range all {
			select {
			case <-s.over:
				continue
			case <-late.Done():
			}
			if s.heardSince(began) {
				select {
				case <-s.over:
				case <-last.Done():
				}
			}
		}
		n.mu.Lock()
		n.closed = true
		n.mu.Unlock()
		for _, s := range n.streams() {
			s.giveUp(errClosing)
		}
	})
	n.working.Wait()
	return nil
}

var errClosing = errors.New("the network is being closed")

// streams returns all sessions.
func (n *Network) streams() []*Stream {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*Stream, 0, len(n.sessions))
	for _, s := range n.sessions {
		all = append(all, s)
	}
	return all
}

// watchTime is how often watch looks though nothing has changed: a move to a better path
// may have failed.
const watchTime = 30 * time.Second

// watch tells sessions when the links change.
func (n *Network) watch() {
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	links := n.linksOf()
	below, _ := n.below.(mover) //nolint:errcheck // it need not be one
	var moved <-chan struct{}
	if below != nil {
		moved = below.Moved()
	}
	for {
		changed := n.below.LinksChanged()
		now := n.linksOf()
		for _, s := range n.streams() {
			was, is := links[s.id.peer], now[s.id.peer]
			s.linksChanged(is.best, was.all != is.all)
		}
		links = now
		select {
		case <-changed:
		case <-moved:
			moved = below.Moved()
			n.Probe()
		case <-tick.C:
		case <-n.life.Done():
			return
		}
	}
}

// A mover is a network that tells when the addresses of this machine change.
type mover interface{ Moved() <-chan struct{} }

// Probe has all sessions ask at once whether the other side is still there, and look for
// another way if there is no answer soon; those that have none look for one at once. It is
// for when the addresses of this machine have changed.
func (n *Network) Probe() {
	for _, s := range n.streams() {
		s.probe()
		s.reconnectNow()
	}
}

// ways are the links to one peer.
type ways struct {
	best peer.Path
	all  string // all of them, to compare
}

func (n *Network) linksOf() map[peer.ID]ways {
	links := map[peer.ID]ways{}
	for l := range n.below.Links() {
		w := links[l.Peer]
		if w.best != peer.Direct {
			w.best = l.Path
		}
		w.all += fmt.Sprint(l.Path, l.Addr, l.Since.UnixNano(), " ")
		links[l.Peer] = w
	}
	return links
}

// openBelow opens a stream below and returns which path it takes: the worse one, if a
// better one has come up meanwhile.
func (n *Network) openBelow(ctx context.Context, to peer.ID) (transport.Stream, peer.Path, error) {
	before := n.path(to)
	s, err := n.below.Open(ctx, to, Proto)
	if p, ok := s.(peer.Pathed); ok && err == nil {
		return s, p.Path(), nil
	}
	if before == peer.Relayed || err != nil {
		return s, before, err
	}
	return s, n.path(to), nil
}

// pathOf returns the path of a stream that a peer has opened.
func (n *Network) pathOf(below transport.Stream, from peer.ID) peer.Path {
	if p, ok := below.(peer.Pathed); ok {
		return p.Path()
	}
	return n.path(from)
}

// path returns the best path that there is to a peer now, and "" if there is none.
func (n *Network) path(to peer.ID) (best peer.Path) {
	for l := range n.below.Links() {
		if l.Peer == to && best != peer.Direct {
			best = l.Path
		}
	}
	return best
}
