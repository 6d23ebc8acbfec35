package punch

import (
	"math/rand/v2"
	"net/netip"
)

// What the guessing of ports may cost.
const (
	guessSockets = 256
	guessProbes  = 1500
	guessEach    = 4 // probes for each 10 ms
	ports        = 65536 - minPort
)

// A guess is the birthday step. The hard side opens many ports of its NAT towards the one address of the easy
// side; the easy side sends to ports of the hard side's address at random, none twice. After n
// probes one has met an open port with a probability of 1-(1-256/64512)^n: after 700 it is 0.94, after 1,500
// it is 0.997.
type guess struct {
	hard  bool // this side is
	way   Way
	to    netip.AddrPort
	sent  int
	first int // offset of the ports to try
	pace  int
	socks []*udpSocket
}

// newGuess returns what there is to guess: nil, unless exactly one side of a way is hard.
func (r *race) newGuess() *guess {
	if r.s.c.NoBirthday {
		return nil
	}
	for _, way := range []Way{UDP4, UDP6} {
		seen := r.theirs.seen(way)
		mine, theirs := r.mine.class[way], r.theirs.class[way]
		if r.s.udp[way] == nil || len(seen) == 0 || !usable(seen[0].Addr(), r.s.c.Loopback) || seen[0].Port() < minPort {
			continue
		}
		if private(seen[0].Addr()) && !r.s.c.Loopback {
			continue
		}
		if mine == Hard && theirs.guessable() || theirs == Hard && mine.guessable() {
			return &guess{hard: mine == Hard, way: way, to: seen[0], first: rand.IntN(ports), pace: pace()}
		}
	}
	return nil
}

// pace returns a step that leads through all ports: one that has no divisor in common with their number.
func pace() int {
	for {
		p := 1 + rand.IntN(ports-1)
		a, b := p, ports
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return p
		}
	}
}

// step does what there is to do in ten milliseconds.
func (g *guess) step(r *race) {
	s := r.s.udp[g.way]
	if !g.hard {
		for range guessEach {
			if g.sent < guessProbes {
				port := minPort + (g.first+g.sent*g.pace)%ports
				r.sendProbe(s, netip.AddrPortFrom(g.to.Addr(), uint16(port)))
				g.sent++
			}
		}
		return
	}
	for range 32 {
		if len(g.socks) >= guessSockets {
			return
		}
		u, err := openUDP(g.way, s.src, s.via64)
		if err != nil { // no more descriptors: those that are there must do
			return
		}
		g.socks = append(g.socks, u)
		r.read(u)
		r.sendProbe(u, g.to)
		g.sent++
	}
}
