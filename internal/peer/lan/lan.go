// Package lan finds peers on the local network, and is found there, by multicast DNS
// (RFC 6762, RFC 6763). It needs no server and no Internet, and no libp2p.
//
// A [LAN] announces a node so that those who know its ID recognise it, and nobody else
// can follow it from one network to another; and it announces the channels on which this
// side can be met to be paired, at a TCP port that is open only then. docs/protocol/lan.md
// has both.
//
// Nothing that is heard gives a right. An address that somebody has announced is one to
// try, no more, and who is there then has to prove it; and it is taken only if it is on
// the network on which it was heard.
package lan

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/throttle"
)

// ErrClosed: the LAN has been closed.
var ErrClosed = fmt.Errorf("the local network is not listened to any more: %w", net.ErrClosed)

// How often things happen.
const (
	scanEvery   = 5 * time.Second       // interfaces are looked at, and nodes asked for if messages were lost
	askEvery    = 60 * time.Second      // nodes are asked for; half of their ttl
	settle      = 50 * time.Millisecond // after a hint, for more do not come alone
	renameEvery = time.Hour             // a node gets another name
	sendEvery   = time.Second           // a service is announced on one link; RFC 6762 section 6
)

// A Config says what a LAN is for. Its functions are called by one goroutine and must
// not wait for anything; each may be nil.
type Config struct {
	// Self is announced with the Ports: what follows the IP address in the multiaddrs at
	// which it can be reached, as in "/tcp/4001" and "/udp/4001/quic-v1". Without ports
	// nothing is announced.
	Self  peer.ID
	Ports func() []string

	// Known returns those who are to be recognised.
	Known func() []peer.ID

	// Found is told the multiaddrs at which a peer of Known says that it is, whenever
	// they have changed: all of them, or none if it is not heard of any more.
	Found func(id peer.ID, addrs []string)

	// Shares returns what others find the shares by that are here. It is asked whenever
	// somebody looks for one.
	Shares func() []peer.FindKey
}

// A LAN is the local network, as far as it concerns us. All methods may be called from
// any goroutine.
type LAN struct {
	config  Config
	sockets *sockets
	calls   chan func() // what the loop is to do
	hints   chan bool   // that interfaces have changed
	packets chan packet
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when the loop has ended
	once    sync.Once
	local   atomic.Pointer[[]netip.Prefix] // of all links

	// What follows belongs to the loop.
	agenda   []task
	settling bool // a change of the interfaces is about to be looked at
	links    map[int]*link
	node     *local
	services map[*local]bool // all that is announced, the node too
	seekers  map[*seeker]bool
	heard    table

	shareSeekers []*shareSeeker
	pending      map[pendingKey]*pending
	asked        throttle.Set[netip.Addr] // for shares, by an address
	allAsked     throttle.Set[struct{}]   // and by all
}

// A task is something to be done at a time.
type task struct {
	at time.Time
	do func()
}

// New begins to listen, and to announce. It fails if the system does not let it have
// the port of multicast DNS; that there is no network is no failure.
func New(c Config) (*LAN, error) {
	s, err := listen()
	if err != nil {
		return nil, err
	}
	l := newLAN(c, s)
	go l.run()
	return l, nil
}

// newLAN returns a LAN whose loop does not run yet.
func newLAN(c Config, s *sockets) *LAN {
	if c.Ports == nil {
		c.Ports = func() []string { return nil }
	}
	if c.Known == nil {
		c.Known = func() []peer.ID { return nil }
	}
	if c.Found == nil {
		c.Found = func(peer.ID, []string) {}
	}
	if c.Shares == nil {
		c.Shares = func() []peer.FindKey { return nil }
	}
	l := &LAN{config: c, sockets: s, calls: make(chan func()), hints: make(chan bool, 1), packets: make(chan packet, 64),
		stop: make(chan struct{}), stopped: make(chan struct{}),
		links: map[int]*link{}, services: map[*local]bool{}, seekers: map[*seeker]bool{},
		pending: map[pendingKey]*pending{}, asked: newAsked(), allAsked: newAllAsked()}
	l.heard.init()
	l.local.Store(new([]netip.Prefix))
	return l
}

// Close says goodbye and ends everything, the offers too.
func (l *LAN) Close() error {
	l.once.Do(func() { close(l.stop) })
	<-l.stopped
	return nil
}

// Changed has the interfaces, the ports and the list of the known looked at again, now:
// something has changed.
func (l *LAN) Changed() {
	l.call(func() { //nolint:errcheck // it is closed: nothing changes any more
		l.report(l.heard.doubt(l.config.Known()))
		l.scan()
		l.announceNode()
		l.ask(nodeType)
	})
}

// call has the loop do something, and waits until it is done.
func (l *LAN) call(f func()) error {
	done := make(chan struct{})
	select {
	case l.calls <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-l.stopped:
		return ErrClosed
	}
}

// run is the loop.
func (l *LAN) run() {
	defer close(l.stopped)
	var readers sync.WaitGroup
	readers.Go(func() { l.sockets.read(l.packets) })
	hints, err := watch()
	if err == nil {
		readers.Go(func() { l.watch(hints) })
	}
	l.rescan()
	l.reask()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			l.goodbye()
			l.sockets.close()
			if hints != nil {
				hints.Close() //nolint:errcheck // nothing is lost
			}
			readers.Wait()
			return
		case f := <-l.calls:
			f()
		case <-l.hints:
			if !l.settling {
				l.settling = true
				l.after(settle, func() { l.settling = false; l.scan() })
			}
		case p := <-l.packets:
			l.receive(p)
		case <-timer.C:
			l.due(time.Now())
		}
		next := time.Hour
		if len(l.agenda) > 0 {
			next = time.Until(l.agenda[0].at)
		}
		timer.Reset(max(next, 0))
	}
}

// watch hands on hints of the system.
func (l *LAN) watch(hints io.Reader) {
	b := make([]byte, 16<<10)
	for {
		if _, err := hints.Read(b); err != nil && !overrun(err) {
			return
		}
		select {
		case l.hints <- true:
		default: // there is one
		}
	}
}

// after has the loop do something later.
func (l *LAN) after(d time.Duration, do func()) {
	t := task{time.Now().Add(d), do}
	i, _ := slices.BinarySearchFunc(l.agenda, t, func(a, b task) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1
	})
	l.agenda = slices.Insert(l.agenda, i, t)
}

func (l *LAN) due(now time.Time) {
	for len(l.agenda) > 0 && !l.agenda[0].at.After(now) {
		do := l.agenda[0].do
		l.agenda = l.agenda[1:]
		do()
	}
}

// rescan looks from time to time at the interfaces, and at what was missed.
func (l *LAN) rescan() {
	l.scan()
	l.announceNode()
	l.report(l.heard.expire(time.Now()))
	if l.sockets.lost.Swap(false) {
		l.ask(nodeType) // somebody's answer may be among what was lost
	}
	l.after(scanEvery, l.rescan)
}

// reask asks for nodes from time to time, thrice at the beginning.
func (l *LAN) reask() {
	l.ask(nodeType)
	l.after(250*time.Millisecond, func() { l.ask(nodeType) })
	l.after(time.Second, func() { l.ask(nodeType) })
	l.after(askEvery-jitter(askEvery/4), l.again)
}

func (l *LAN) again() {
	l.ask(nodeType)
	l.after(askEvery-jitter(askEvery/4), l.again)
}

// jitter returns something up to d, so that not all speak at the same time.
func jitter(d time.Duration) time.Duration { return rand.N(d) }

// ask asks on all links for services, save for the own ones.
func (l *LAN) ask(typ string) {
	for _, k := range l.links {
		var known []service
		for s := range l.services {
			if n := s.on[k.Index]; n != nil && s.typ == typ {
				known = append(known, service{typ: typ, name: n.name, ttl: ttl})
			}
		}
		if b, err := query([]string{typ}, known); err == nil {
			l.sockets.send(&k.Interface, b)
		}
	}
}

// receive reads what has arrived.
func (l *LAN) receive(p packet) {
	k := l.linkOf(p)
	if k == nil || !k.has(p.src.Addr()) {
		return
	}
	m, ok := parse(p.data)
	switch {
	case !ok:
	case m.response && p.src.Port() == uint16(group4.Port):
		for _, s := range m.services {
			l.hear(k, p.src.Addr(), s)
		}
	case !m.response && p.src.Port() == uint16(group4.Port):
		for s := range l.services {
			if n := s.on[k.Index]; n != nil && slices.Contains(m.asked, s.typ) && !m.known[n.name] {
				l.reply(s, k)
			}
		}
		l.asks(k, p.src.Addr(), m.sought)
	}
}

// hear takes note of a service that was announced.
func (l *LAN) hear(k *link, src netip.Addr, s service) {
	for own := range l.services {
		if n := own.on[k.Index]; n != nil && n.name == s.name {
			return
		}
	}
	switch s.typ {
	case nodeType:
		l.report(l.heard.hear(k, src, s, l.config.Known))
		return
	case shareType:
		l.hearShare(k, src, s)
		return
	}
	for seek := range l.seekers {
		seek.hear(k, src, s)
	}
}

// report tells where peers are now.
func (l *LAN) report(ids []peer.ID) {
	for _, id := range ids {
		l.config.Found(id, l.heard.addrs(id))
	}
}
