package datagram

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// The defaults of [Options].
const (
	DefaultQueue     = 256 << 10
	DefaultMemory    = 16 << 20
	DefaultAllMemory = 64 << 20
)

// Options bound what others may make us hold, in bytes; of a message perMessage count, too.
// What is beyond is dropped.
type Options struct {
	Queue             int64 // of what has come of one Conn and nobody has read, and of what is to go
	Memory, AllMemory int64 // of the queues of all Conns with one peer, and of all
}

// perMessage is what a message takes besides its bytes.
const perMessage = 64

// A Network is what a Mux stands on.
type Network interface {
	peer.Datagrammer
	LinksChanged() <-chan struct{}
}

// A Lane is a stream with frames on it, which carries messages and labels.
type Lane interface {
	transport.MsgConn

	// TakeMsg is ReadMsg for one who keeps the message.
	TakeMsg() ([]byte, transport.Meta, error)

	// OnLabel has f called by TakeMsg when the other side sends a label, by
	// WriteLabel. It is called before anything is read.
	OnLabel(f func(label uint32))
	WriteLabel(label uint32) error
}

// A Mux hands datagrams to those whom they are for. All methods may be called from any
// goroutine.
type Mux struct {
	net     Network
	options Options
	memory  account.Account
	stop    func() // serving datagrams
	closing chan struct{}
	once    sync.Once
	working sync.WaitGroup
	strays  atomic.Int64

	mu      sync.RWMutex // guards what follows
	closed  bool
	last    uint32
	conns   map[uint32]*Conn
	seeking map[*Conn]bool // have not told their labels yet: no way carries datagrams
	peers   map[peer.ID]*share
}

// A share is what there is with one peer.
type share struct {
	memory account.Account
	conns  int
}

// New makes a Mux, which is the one that serves the datagrams of n.
func New(n Network, o Options) *Mux {
	o.Queue, o.Memory, o.AllMemory = cmp.Or(o.Queue, DefaultQueue), cmp.Or(o.Memory, DefaultMemory), cmp.Or(o.AllMemory, DefaultAllMemory)
	m := &Mux{net: n, options: o, memory: account.Account{Limit: o.AllMemory}, closing: make(chan struct{}),
		conns: map[uint32]*Conn{}, seeking: map[*Conn]bool{}, peers: map[peer.ID]*share{}}
	m.stop = n.ServeDatagrams(m.arrive)
	m.spawn(m.watch)
	return m
}

// spawn runs f in a goroutine that Close waits for. It tells whether it did.
func (m *Mux) spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.working.Go(f)
	}
	return !m.closed
}

// Strays returns how many datagrams have come for nobody: for one that has ended, that
// never was, or that is with somebody else.
func (m *Mux) Strays() int64 { return m.strays.Load() }

// Close takes no more datagrams, aborts all Conns that there still are, and waits for all
// that the Mux has started.
func (m *Mux) Close() error {
	m.once.Do(func() {
		m.stop()
		close(m.closing)
		m.mu.Lock()
		m.closed = true
		all := slices.Collect(maps.Values(m.conns))
		m.mu.Unlock()
		for _, c := range all {
			c.Abort(net.ErrClosed) //nolint:errcheck // nothing is left to be done about it
		}
	})
	m.working.Wait()
	return nil
}

// arrive hands on a datagram. It waits for nothing.
func (m *Mux) arrive(from peer.ID, label uint32, p []byte) {
	m.mu.RLock()
	c := m.conns[label]
	m.mu.RUnlock()
	if c == nil || c.peer != from || !c.arrive(p) {
		m.strays.Add(1)
	}
}

// Ask returns the end of who uses a service of a peer, over lane, which it owns. If the
// messages there may be lost, which the peer says, they go as datagrams from then on in
// which a way carries them.
func (m *Mux) Ask(id peer.ID, lane Lane) *Conn {
	c := m.newConn(id, lane, false)
	c.begin()
	m.seek(c)
	return c
}

// Answer returns the end of who offers a service, if its messages may be lost. Whoever has
// come by lane decides whether they are datagrams.
func (m *Mux) Answer(id peer.ID, lane Lane) *Conn {
	c := m.newConn(id, lane, true)
	c.begin()
	return c
}

func (m *Mux) newConn(id peer.ID, lane Lane, answers bool) *Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.peers[id]
	if s == nil {
		s = &share{memory: account.Account{Limit: m.options.Memory, Parent: &m.memory}}
		m.peers[id] = s
	}
	s.conns++
	c := &Conn{mux: m, peer: id, lane: lane, answers: answers, memory: account.Account{Limit: m.options.Queue, Parent: &s.memory}}
	c.changed.L = &c.mu
	for c.label == 0 || m.conns[c.label] != nil {
		m.last++
		c.label = m.last
	}
	m.conns[c.label] = c
	if !answers {
		m.seeking[c] = true
	}
	return c
}

// forget is called once for each Conn.
func (m *Mux) forget(c *Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c.label)
	delete(m.seeking, c)
	if s := m.peers[c.peer]; s.conns > 1 {
		s.conns--
	} else {
		delete(m.peers, c.peer)
	}
}

// seekAgain is how often a way is looked for that carries datagrams, if nothing changes.
const seekAgain = 30 * time.Second

// watch looks for ways that carry datagrams.
func (m *Mux) watch() {
	tick := time.NewTicker(seekAgain)
	defer tick.Stop()
	for {
		changed := m.net.LinksChanged()
		m.mu.RLock()
		all := slices.Collect(maps.Keys(m.seeking))
		m.mu.RUnlock()
		for _, c := range all {
			m.seek(c)
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-m.closing:
			return
		}
	}
}

// seek has the other side told the label of a Conn, if a way to it carries datagrams: so
// it is one that knows what to do with it.
func (m *Mux) seek(c *Conn) {
	if m.net.MaxDatagram(c.peer) == 0 {
		return
	}
	m.mu.Lock()
	sought := m.seeking[c]
	delete(m.seeking, c)
	m.mu.Unlock()
	if sought {
		m.spawn(c.tellLabel)
	}
}
