package punch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A heard is an authentic packet of the other side.
type heard struct {
	s    *udpSocket
	from netip.AddrPort
	typ  byte
	id   id
}

// A target is an address that a socket sends probes to.
type target struct {
	s    *udpSocket
	to   netip.AddrPort
	next time.Time
	wait time.Duration // until the one after
}

// How often a target is sent to, and how many there may be.
const (
	firstWait  = 50 * time.Millisecond
	lastWait   = 400 * time.Millisecond
	maxTargets = 128
	maxPending = 4096 // probes that the other side may choose
)

// A race is the part of an attempt in which packets fly. Its fields belong to the goroutine
// that runs it.
type race struct {
	*session
	ctx     context.Context
	wg      sync.WaitGroup
	packets chan heard
	conns   chan *net.TCPConn
	readers []*udpSocket

	targets []*target
	known   map[udpSocketAddr]bool
	sent    map[id]udpSocketAddr // probes of ours
	pending map[id]udpSocketAddr // probes of theirs, which the opener may choose
	guess   *guess
}

type udpSocketAddr struct {
	s  *udpSocket
	at netip.AddrPort
}

// punch runs the race and returns its winner; all else is closed.
func (x *session) punch(ctx context.Context) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &race{
		session: x,
		ctx:     ctx,
		packets: make(chan heard, 64),
		conns:   make(chan *net.TCPConn),
		known:   map[udpSocketAddr]bool{},
		sent:    map[id]udpSocketAddr{},
		pending: map[id]udpSocketAddr{},
	}
	res, err := r.run()
	cancel()
	for _, s := range r.readers {
		s.stop()
	}
	for way := range numWays {
		if p := x.s.tcp[way]; p != nil {
			p.l.Close()
		}
	}
	// Whoever still has a packet or a connection to give sees that ctx is over.
	r.wg.Wait()
	if g := r.guess; g != nil {
		x.report.Probes = g.sent
		for _, s := range g.socks {
			if res == nil || s.conn != res.UDP {
				s.conn.Close()
			}
		}
	}
	if res != nil && res.UDP != nil {
		for way := range numWays {
			if s := x.s.udp[way]; s != nil && s.conn == res.UDP {
				x.s.udp[way] = nil // it is the caller's
			}
		}
		_ = res.UDP.SetReadDeadline(time.Time{})
	}
	return res, err
}

func (r *race) run() (*Result, error) {
	start := time.Now()
	for way := range numWays {
		if s := r.s.udp[way]; s != nil {
			r.read(s)
		}
	}
	for _, c := range targets(r.mine, r.theirs, r.s.c) {
		if s := r.s.udp[c.way]; c.way.udp() && s != nil {
			r.aim(s, c.addr, start)
		}
	}
	r.startTCP()

	guessAt := start.Add(max(200*time.Millisecond, 2*r.report.RTT))
	limit := plainTime
	g := r.newGuess()
	if g != nil {
		limit = longTime
	}
	end := start.Add(limit + 4*r.report.RTT)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	frames := r.frames
	for {
		select {
		case <-r.ctx.Done():
			return nil, r.ctx.Err()
		case p := <-r.packets:
			if res := r.hear(p); res != nil {
				return res, nil
			}
		case c := <-r.conns:
			if r.opener {
				if _, err := c.Write(r.key.hello('C')); err != nil {
					c.Close()
					continue
				}
			}
			return &Result{TCP: c}, nil
		case f, ok := <-frames:
			switch {
			case !ok || f.err != nil:
				frames = nil // the choice may still come by itself
				end = earlier(end, time.Now().Add(time.Second))
			case f.typ == frameChosen && !r.opener && len(f.content) == idLen:
				if at, ok := r.pending[id(f.content)]; ok {
					return r.won(at), nil
				}
			case f.typ == frameFailed:
				return nil, fmt.Errorf("%w: the other side gave up", ErrFailed)
			}
		case now := <-tick.C:
			if now.After(end) {
				_ = writeFrame(r.signal, frameFailed, nil)
				return nil, fmt.Errorf("%w in %v", ErrFailed, time.Since(start).Round(time.Millisecond))
			}
			r.probe(now)
			if g != nil && now.After(guessAt) {
				r.guess = g
				g.step(r)
			}
		}
	}
}

// read has the packets of a socket brought to the race.
func (r *race) read(s *udpSocket) {
	r.readers = append(r.readers, s)
	r.wg.Go(func() {
		var b [packetLen + 1]byte
		for r.ctx.Err() == nil {
			n, from, err := s.conn.ReadFromUDPAddrPort(b[:])
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // of one packet, as Windows has it, or the end
				continue
			}
			typ, n8, ok := r.key.open(b[:n])
			if !ok {
				continue
			}
			from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
			if s.via64 {
				from = from64(from)
			}
			select {
			case r.packets <- heard{s, from, typ, n8}:
			case <-r.ctx.Done():
				return
			}
		}
	})
}

// aim adds a target, if there is room.
func (r *race) aim(s *udpSocket, to netip.AddrPort, now time.Time) {
	at := udpSocketAddr{s, to}
	if !r.known[at] && len(r.targets) < maxTargets {
		r.known[at] = true
		r.targets = append(r.targets, &target{s, to, now, firstWait})
		r.probe(now)
	}
}

// probe sends to each target whose time has come.
func (r *race) probe(now time.Time) {
	for _, t := range r.targets {
		if !now.Before(t.next) {
			t.next = now.Add(t.wait)
			t.wait = min(2*t.wait, lastWait)
			r.sendProbe(t.s, t.to)
		}
	}
}

// own returns the type of a packet as this side, or the other, sends it.
func (r *race) own(typ byte, mine bool) byte {
	if r.opener != mine {
		return typ + 1
	}
	return typ
}

func (r *race) sendProbe(s *udpSocket, to netip.AddrPort) {
	var n id
	_, _ = rand.Read(n[:])
	r.sent[n] = udpSocketAddr{s, to}
	_ = s.send(r.key.packet(r.own(typeProbe, true), n), to)
}

// hear deals with a packet, and returns the result if that decides.
func (r *race) hear(p heard) *Result {
	at := udpSocketAddr{p.s, p.from}
	switch p.typ {
	case r.own(typeProbe, false):
		if len(r.pending) < maxPending {
			r.pending[p.id] = at
		}
		_ = p.s.send(r.key.packet(r.own(typeEcho, true), p.id), p.from)
		r.aim(p.s, p.from, time.Now())
	case r.own(typeEcho, false):
		// The address counts only if what was sent there came back from there.
		if r.sent[p.id] == at && r.opener {
			return r.choose(at, p.id)
		}
	case typeChosen:
		if at, ok := r.pending[p.id]; ok && !r.opener {
			return r.won(at)
		}
	}
	return nil
}

// choose tells the other side, over both ways, which probe has won.
func (r *race) choose(at udpSocketAddr, n id) *Result {
	b := r.key.packet(typeChosen, n)
	for range 3 {
		_ = at.s.send(b, at.at)
	}
	_ = writeFrame(r.signal, frameChosen, n[:])
	return r.won(at)
}

func (r *race) won(at udpSocketAddr) *Result {
	return &Result{UDP: at.s.conn, Remote: at.s.wire(at.at)}
}
