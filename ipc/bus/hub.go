//go:build linux

package bus

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Bounds of a hub.
const (
	maxMembers    = 4096
	maxConns      = 2 * maxMembers        // with those that have not said hello
	maxRemoved    = 256                   // members that it remembers as too slow
	holdTime      = time.Second           // how long members with Wait may hold a message up
	acceptPause   = 50 * time.Millisecond // after an Accept that failed
	greetPatience = greetTime             // for a member to say who it is
)

// A hub puts the messages of all members in one order and hands them out.
//
//	           nobody has come for a while            close
//	gathering ----------------------------> open --------------> leaving ------> gone
//	                                                 no more is     all is handed
//	                                                 taken in       out, or 1 s
//
// It has one journal, in which each member has a cursor, so that a slow member costs
// no memory of its own: what no cursor needs is forgotten. One goroutine accepts; each
// member has one that reads from it and one that writes.
type hub struct {
	acc     transport.Acceptor
	quit    chan struct{} // closed when leaving begins
	opened  chan struct{} // closed when gathering is over
	flushed chan struct{} // closed when leaving is over

	running sync.WaitGroup // all goroutines; Add with mu held, or before they can end

	mu        sync.Mutex // guards what follows, and what the peers say it guards
	journal   journal
	stable    uint64    // up to there all members have been handed the order
	late      time.Time // until then those are waited for who were members of the last hub
	peers     []*peer   // the members
	waits     int       // how many of them have waitRule
	conns     map[transport.Conn]struct{}
	removed   []uint64 // origins of members that were too slow, newest last
	gathering bool
	leaving   bool

	came  signal // somebody has come, while gathering
	moved signal // some member has taken or been handed messages, or left
}

// startHub begins to play the hub. If it gathers, those who were members before tell
// it what they have received, until nobody has come for so many ticks.
func startHub(acc transport.Acceptor, j journal, gathers bool, quiet int) *hub {
	h := &hub{
		acc: acc, journal: j, gathering: gathers,
		quit: make(chan struct{}), opened: make(chan struct{}), flushed: make(chan struct{}),
		conns: map[transport.Conn]struct{}{},
	}
	if gathers {
		h.running.Add(1)
		go h.gather(quiet)
	} else {
		h.open()
	}
	h.running.Add(1)
	go h.accept()
	return h
}

// gather opens the hub when all who were members before seem to be there: when nobody
// has come for a while. It counts ticks and not time. On a busy machine, where others
// take longer to come, its own ticks take longer too; one that is late does not count.
func (h *hub) gather(quiet int) {
	defer h.running.Done()
	late := time.NewTimer(gatherTime)
	defer late.Stop()
	tick := time.NewTimer(gatherTick)
	defer tick.Stop()
	began := time.Now()
	for ticks := 0; ticks < quiet; {
		h.mu.Lock()
		came := h.came.wait()
		h.mu.Unlock()
		select {
		case <-came:
			ticks = 0
		case <-tick.C:
			if time.Since(began) < 2*gatherTick {
				ticks++
			}
			tick.Reset(gatherTick)
			began = time.Now()
		case <-late.C:
			ticks = quiet
		case <-h.quit:
			return
		}
	}
	h.open()
}

func (h *hub) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gathering {
		h.late = time.Now().Add(lateTime)
	}
	h.gathering = false
	h.journal.begin(newEpoch())
	close(h.opened)
}

// accept takes in connections until the socket is closed.
func (h *hub) accept() {
	defer h.running.Done()
	for {
		c, err := h.acc.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			t := time.NewTimer(acceptPause)
			select {
			case <-t.C:
			case <-h.flushed:
			}
			t.Stop()
			continue
		}
		if !h.enter(c) {
			c.Close()
			continue
		}
		go h.serve(c.(transport.Stream))
	}
}

// enter notes a connection, if it may stay.
func (h *hub) enter(c transport.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving || len(h.conns) >= maxConns {
		return false
	}
	h.conns[c] = struct{}{}
	h.running.Add(1)
	h.came.fire()
	return true
}

// close leaves, after the member of that origin, whose process this is: nothing more
// is taken in, the others get what there is, for at most a second, and look for the
// next hub. It returns when no goroutine is left, and tells whether there are others.
func (h *hub) close(owner uint64) (others bool) {
	h.mu.Lock()
	h.leaving = true
	close(h.quit)
	if i := slices.IndexFunc(h.peers, func(p *peer) bool { return p.origin == owner }); i >= 0 {
		h.remove(h.peers[i], false)
	}
	for c := range h.conns {
		c.SetReadDeadline(past) //nolint:errcheck // it has deadlines
	}
	h.mu.Unlock()
	h.flush(h.head(), farewell)
	h.acc.Close()
	others = h.alive()
	close(h.flushed)
	h.mu.Lock()
	for c := range h.conns {
		c.SetDeadline(past) //nolint:errcheck // it has deadlines
	}
	h.mu.Unlock()
	h.running.Wait()
	return others
}

// alive tells whether a member is there that has not closed its connection, which its
// peer may not have heard of yet.
func (h *hub) alive() bool {
	h.mu.Lock()
	peers := slices.Clone(h.peers)
	h.mu.Unlock()
	return slices.ContainsFunc(peers, func(p *peer) bool { return !hungUp(p.conn) })
}

// past is a deadline that ends what is under way.
var past = time.Unix(1, 0)

func (h *hub) head() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.journal.head
}

// flush waits until all members have been handed the order up to seq, or skipped
// what they were too slow for, but not longer than patience.
func (h *hub) flush(seq uint64, patience time.Duration) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		h.mu.Lock()
		all := !slices.ContainsFunc(h.peers, func(p *peer) bool { return p.handed <= seq })
		moved := h.moved.wait()
		h.mu.Unlock()
		if all {
			return
		}
		select {
		case <-moved:
		case <-late.C:
			return
		case <-h.flushed:
			return
		}
	}
}

// publish puts a message of p in the order. It returns false if p is no member any
// more, or the hub is leaving.
func (h *hub) publish(p *peer, m own) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.hold(p, entryCost+int64(len(m.data))) {
		return false
	}
	if m.oseq <= h.journal.known(p.origin) {
		return true // it has its place already, and p has been told or will be
	}
	h.journal.add(entry{origin: p.origin, oseq: m.oseq, text: m.text, data: m.data})
	need, handed := h.journal.head+1, h.journal.head+1
	var slow []*peer
	for _, q := range h.peers {
		if !h.shed(q) {
			slow = append(slow, q)
			continue
		}
		need, handed = min(need, q.next), min(handed, q.handed)
		q.wake()
	}
	for _, q := range slow {
		h.remove(q, true)
	}
	if !time.Now().Before(h.late) {
		h.stable = handed - 1
	}
	h.journal.trim(need, h.stable)
	return true
}

// hold waits, with mu held but for that, until those who asked for it have room for a
// message of that size. Those that have had none for too long are removed.
func (h *hub) hold(p *peer, size int64) bool {
	for !h.leaving && !p.gone {
		i := -1
		if h.waits > 0 {
			i = slices.IndexFunc(h.peers, func(q *peer) bool { return q.rule == waitRule && h.full(q, size) })
		}
		if i < 0 {
			return true
		}
		q := h.peers[i]
		if q.fullSince.IsZero() {
			q.fullSince = time.Now()
		}
		left := holdTime - time.Since(q.fullSince)
		if left <= 0 {
			h.remove(q, true)
			continue
		}
		moved := h.moved.wait()
		h.mu.Unlock()
		t := time.NewTimer(left)
		select {
		case <-moved:
		case <-t.C:
		case <-h.quit:
		}
		t.Stop()
		h.mu.Lock()
	}
	return false
}

// full tells whether one message more would be too much for q.
func (h *hub) full(q *peer, size int64) bool {
	n, held := h.queued(q)
	return q.exceeded(n+1, held+size)
}

// queued is what waits for q. What was published before it came is not its fault.
func (h *hub) queued(q *peer) (n int, size int64) {
	return h.journal.behind(max(q.next, q.since))
}

// shed applies the rule of q to what waits for it. It returns false if q has to go.
func (h *hub) shed(q *peer) bool {
	for {
		if n, size := h.queued(q); !q.exceeded(n, size) {
			return true
		}
		if q.rule != skipRule {
			return false
		}
		if e := h.journal.at(q.next); e.origin == q.origin {
			q.skip.own = e.oseq
		} else {
			q.skip.lost++
		}
		q.next++
		q.handed = q.next // nobody need keep it for q
		q.skip.pending = true
	}
}

// remove ends the membership of q. It is called with mu held.
func (h *hub) remove(q *peer, slow bool) {
	i := slices.Index(h.peers, q)
	if i < 0 {
		return
	}
	h.peers = slices.Delete(h.peers, i, i+1)
	if q.rule == waitRule {
		h.waits--
	}
	if slow {
		h.removed = append(h.removed[max(0, len(h.removed)-maxRemoved+1):], q.origin)
	}
	q.gone = true
	q.conn.SetDeadline(past) //nolint:errcheck // it has deadlines
	q.wake()
	h.moved.fire()
}
