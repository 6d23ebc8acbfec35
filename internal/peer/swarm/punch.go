package swarm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/punch"
	"github.com/tenon-net/tenon/transport"
)

// punchProto is what two peers speak over a relayed connection to get a direct one; see
// docs/protocol/punch.md.
const punchProto = "/tenon/punch/1"

// punchAgain is when a direct way is looked for again, if it was not found: never is it
// given up for good.
var punchAgain = []time.Duration{0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// The bounds on attempts that others begin.
const (
	maxPunches   = 32                     // at a time: some have 256 sockets for a few seconds
	expectAfter  = 100 * time.Millisecond // a direct way that is known has answered by then
	preparedTime = 10 * time.Second       // for which sockets wait for the attempt that they were made for
)

// punches are the attempts to get from a relayed connection to a direct one.
type punches struct {
	mu       sync.Mutex // guards all below
	keeping  map[lpeer.ID]bool
	opening  map[lpeer.ID]bool
	accepts  map[lpeer.ID]bool
	prepared map[lpeer.ID]*punch.Sockets
	last     map[lpeer.ID]PunchReport
}

// A PunchReport says how the last attempt to reach a peer directly went.
type PunchReport struct {
	When  time.Time
	Error error // nil if there was a direct connection at its end
	punch.Report
}

// LastPunch returns how the last attempt with a peer went, and false if there was none.
func (n *Network) LastPunch(id peer.ID) (PunchReport, bool) {
	to, err := lib(id)
	if err != nil {
		return PunchReport{}, false
	}
	n.punches.mu.Lock()
	defer n.punches.mu.Unlock()
	r, ok := n.punches.last[to]
	return r, ok
}

// NATs returns what observers see of sockets of this host now.
func (n *Network) NATs(ctx context.Context) punch.Views {
	s := punch.Gather(ctx, n.punchConfig())
	defer s.Close()
	return s.Views()
}

func (n *Network) startPunching() {
	n.punches.keeping, n.punches.opening = map[lpeer.ID]bool{}, map[lpeer.ID]bool{}
	n.punches.accepts = map[lpeer.ID]bool{}
	n.punches.prepared, n.punches.last = map[lpeer.ID]*punch.Sockets{}, map[lpeer.ID]PunchReport{}
	if !n.noPunch() {
		n.serveFrom(guest, punchProto, n.punchAccept)
	}
}

func (n *Network) noPunch() bool { return n.config.NoPunch || n.config.LANOnly }

func (n *Network) punchConfig() punch.Config {
	c := punch.Config{Observers: n.observers()}
	if n.config.changePunch != nil {
		n.config.changePunch(&c)
	}
	return c
}

// wantDirect begins to look for a direct way beside a relayed connection. The side that has
// dialed begins.
func (n *Network) wantDirect(l *link) {
	if l.path != peer.Relayed || n.noPunch() {
		return
	}
	id := l.conn.RemotePeer()
	if l.conn.Stat().Direction == network.DirInbound {
		return // it is asked, and has sockets ready
	}
	n.punches.mu.Lock()
	begun := n.punches.keeping[id]
	n.punches.keeping[id] = true
	n.punches.mu.Unlock()
	if !begun {
		n.task(func() { n.keepDirect(id) })
	}
}

// expectPunch prepares for an attempt: while a peer is dialed that may be reached through a relay
// only, or while somebody arrives through one, who is "" as long as he has not shown who he is.
func (n *Network) expectPunch(id lpeer.ID) {
	if n.noPunch() || len(n.observers()) == 0 {
		return
	}
	n.task(func() {
		if id != "" {
			select {
			case <-time.After(expectAfter):
			case <-n.ctx.Done():
			}
			if all := n.links.to(id); len(all) > 0 && all[0].path == peer.Direct {
				return
			}
		}
		n.prepare(id)
	})
}

// prepare makes sockets for an attempt that is about to begin.
func (n *Network) prepare(id lpeer.ID) {
	p := &n.punches
	p.mu.Lock()
	_, there := p.prepared[id]
	if there || len(p.prepared) >= maxPunches {
		p.mu.Unlock()
		return
	}
	p.prepared[id] = nil // it is being made
	p.mu.Unlock()
	s := punch.Gather(n.ctx, n.punchConfig())
	p.mu.Lock()
	p.prepared[id] = s
	p.mu.Unlock()
	select {
	case <-time.After(preparedTime):
	case <-n.ctx.Done():
	}
	p.mu.Lock()
	still := p.prepared[id] == s
	if still {
		delete(p.prepared, id)
	}
	p.mu.Unlock()
	if still {
		s.Close()
	}
}

// sockets returns those that wait for an attempt with a peer, or new ones.
func (n *Network) sockets(ctx context.Context, id lpeer.ID) *punch.Sockets {
	p := &n.punches
	p.mu.Lock()
	for _, who := range []lpeer.ID{id, ""} {
		if s := p.prepared[who]; s != nil {
			delete(p.prepared, who)
			p.mu.Unlock()
			return s
		}
	}
	p.mu.Unlock()
	return punch.Gather(ctx, n.punchConfig())
}

// keepDirect looks for a direct way to a peer for as long as there is a relayed one and
// no other.
func (n *Network) keepDirect(id lpeer.ID) {
	tries := 0
	var over *link
	for {
		changed := n.LinksChanged()
		var relayed *link
		direct := false
		for _, l := range n.links.to(id) {
			if l.path == peer.Direct {
				direct = true
			} else if l.conn.Stat().Direction == network.DirOutbound {
				relayed = l
			}
		}
		if relayed == nil || n.ctx.Err() != nil {
			n.punches.mu.Lock()
			// A new one that comes now begins anew.
			delete(n.punches.keeping, id)
			n.punches.mu.Unlock()
			return
		}
		if relayed != over || direct {
			tries, over = 0, relayed
		}
		if direct {
			select {
			case <-changed:
			case <-n.ctx.Done():
			}
			continue
		}
		if tries > 0 {
			moved := n.changes.wait()
			again := time.NewTimer(punchAgain[min(tries, len(punchAgain)-1)])
			for waiting := true; waiting; {
				select {
				case <-again.C:
					waiting = false
				case <-moved:
					waiting, tries = false, 0
				case <-changed:
					changed = n.LinksChanged()
					all := n.links.to(id)
					waiting = len(all) > 0 && all[0].path != peer.Direct && all[0] == relayed
				case <-n.ctx.Done():
					waiting = false
				}
			}
			again.Stop()
			if n.links.of(relayed.conn) == nil {
				continue
			}
			if all := n.links.to(id); len(all) > 0 && all[0].path == peer.Direct {
				continue
			}
		}
		tries++
		n.punchOpen(relayed)
	}
}

// begin notes that an attempt goes on with a peer. If both sides begin one at a time, that of
// the greater ID goes on.
func (n *Network) beginPunch(id lpeer.ID, opener bool) bool {
	p := &n.punches
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.opening)+len(p.accepts) >= maxPunches || p.accepts[id] || p.opening[id] && (opener || n.self > id) {
		return false
	}
	if opener {
		p.opening[id] = true
	} else {
		p.accepts[id] = true
	}
	return true
}

// end notes how it went.
func (p *punches) end(id lpeer.ID, opener bool, r PunchReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if opener {
		delete(p.opening, id)
	} else {
		delete(p.accepts, id)
	}
	if len(p.last) >= 1024 {
		clear(p.last)
	}
	p.last[id] = r
}

// punchOpen makes one attempt over a relayed connection.
func (n *Network) punchOpen(l *link) {
	id := l.conn.RemotePeer()
	if n.rankOf(id) < guest || !n.beginPunch(id, true) {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	s, err := n.openLazily(ctx, l, punchProto)
	if err != nil {
		n.punches.end(id, true, PunchReport{When: time.Now(), Error: err})
		return
	}
	n.askObservers(ctx, l)
	res, err := n.sockets(ctx, id).Open(ctx, newStream(n, s, l.id, l.over))
	n.punched(ctx, id, l.id, res, err, true)
}

// punchAccept makes one attempt that a peer has begun.
func (n *Network) punchAccept(signal transport.Stream) {
	who, _ := peer.Of(signal) //nolint:errcheck // it is one
	id, err := lib(who)
	if err != nil || !n.beginPunch(id, false) {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	if l := n.links.to(id); len(l) > 0 {
		n.askObservers(ctx, l[0])
	}
	res, err := n.sockets(ctx, id).Accept(ctx, signal)
	n.punched(ctx, id, who, res, err, false)
}

// punched makes a connection over what an attempt has found.
func (n *Network) punched(ctx context.Context, id lpeer.ID, who peer.ID, res *punch.Result, err error, opener bool) {
	report := PunchReport{When: time.Now()}
	var failed *punch.Error
	switch {
	case err == nil:
		report.Report = res.Report
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err = n.connectPunched(ctx, id, res, opener); err != nil {
			err = fmt.Errorf("over the way that was found: %w", err)
		}
	case asPunchError(err, &failed):
		report.Report = failed.Report
	}
	report.Error = err
	n.punches.end(id, opener, report)
	n.event(Event{What: Punched, Peer: who, Path: peer.Direct, Err: err})
}
