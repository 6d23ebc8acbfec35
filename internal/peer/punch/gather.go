package punch

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Config says what an attempt may use. The zero value uses all that works without observers.
type Config struct {
	// Observers are asked for the addresses that others see, over UDP and TCP. Two of a family,
	// at two ports or addresses, tell hard NATs from easy ones; more than four are not asked.
	Observers []netip.AddrPort

	NoUDP, NoTCP bool

	// NoBirthday leaves out the guessing of ports.
	NoBirthday bool

	// Wait is how long the other side has to say where it is; 0 is DefaultWait.
	Wait time.Duration

	// Loopback has also addresses of this machine be tried, which no peer must make us do. It is for tests.
	Loopback bool
}

func (c Config) wait() time.Duration {
	if c.Wait > 0 {
		return c.Wait
	}
	return DefaultWait
}

// Sockets are those of one attempt, with what observers see of them. Some ways may be missing.
type Sockets struct {
	c     Config
	udp   [numWays]*udpSocket
	tcp   [numWays]*tcpPort
	views Views
}

// Gather opens a socket for each way that there is, and asks observers where they see it, in about two
// round trips. Who knows that there will be an attempt gathers before: NATs keep what they gave for half a minute.
func Gather(ctx context.Context, c Config) *Sockets {
	s := &Sockets{c: c}
	// When observers have answered over one way, the others are not waited for much longer.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	enough := func(v View) {
		if v.RTT > 0 {
			t := time.AfterFunc(2*v.RTT+100*time.Millisecond, cancel)
			context.AfterFunc(ctx, func() { t.Stop() })
		}
	}
	var wg sync.WaitGroup
	for way := range numWays {
		if way.udp() && c.NoUDP || !way.udp() && c.NoTCP {
			continue
		}
		observers := observersOf(c.Observers, way.is6())
		to := netip.MustParseAddrPort("192.0.2.1:9") // where nobody is: the way there is what counts
		if way.is6() {
			to = netip.MustParseAddrPort("[2001:db8::1]:9")
		}
		if len(observers) > 0 {
			to = observers[0]
		}
		src, ok := source(to)
		via64 := false
		if !ok && !way.is6() && len(observers) > 0 {
			src, via64 = source(to64(to))
			ok = via64
		}
		if !ok && !c.Loopback {
			continue
		}
		if way.udp() {
			u, err := openUDP(way, src, via64)
			if err != nil {
				continue
			}
			s.udp[way] = u
			wg.Go(func() {
				s.views[way] = askUDP(ctx, u, observers)
				enough(s.views[way])
			})
			continue
		}
		p, err := openTCP(way, src, via64)
		if err != nil {
			continue
		}
		s.tcp[way] = p
		wg.Go(func() {
			s.views[way] = askTCP(ctx, p, observers)
			enough(s.views[way])
		})
	}
	wg.Wait()
	return s
}

// Views returns what observers see.
func (s *Sockets) Views() Views { return s.views }

// Close closes the sockets, if there was no attempt, or a second time.
func (s *Sockets) Close() {
	for way := range numWays {
		if u := s.udp[way]; u != nil {
			u.conn.Close()
		}
		if p := s.tcp[way]; p != nil {
			p.close()
		}
	}
}

// here returns what the other side is told.
func (s *Sockets) here() here {
	h, c := here{}, s.c
	add := func(way Way, seen bool, a netip.AddrPort) {
		known := slices.ContainsFunc(h.cands, func(k candidate) bool { return k.way == way && k.addr == a })
		if !known && len(h.cands) < maxCandidates && way.fits(a) {
			h.cands = append(h.cands, candidate{way, seen, a})
		}
	}
	for way := range numWays {
		h.class[way] = s.views[way].Class
		for i, a := range s.views[way].Seen {
			if i < 2 {
				add(way, true, a)
			}
		}
	}
	hosts := hostAddrs(c.Loopback)
	for way := range numWays {
		port, src := uint16(0), netip.Addr{}
		switch {
		case s.udp[way] != nil && !s.udp[way].via64:
			port, src = s.udp[way].port(), s.udp[way].src
		case s.tcp[way] != nil && !s.tcp[way].via64:
			port, src = s.tcp[way].local.Port(), s.tcp[way].local.Addr()
		default:
			continue
		}
		n := 0
		for _, a := range append([]netip.Addr{src}, hosts...) {
			if n < 4 && a.IsValid() && usable(a, c.Loopback) && a.Is4() != way.is6() {
				n++
				add(way, false, netip.AddrPortFrom(a, port))
			}
		}
	}
	return h
}

// hostAddrs returns addresses of this host that others may reach.
func hostAddrs(loopback bool) (as []netip.Addr) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && usable(ip.Unmap(), loopback) {
				as = append(as, ip.Unmap())
			}
		}
	}
	return as
}

// usable says whether an address can be one of a peer.
func usable(a netip.Addr, loopback bool) bool {
	return a.Zone() == "" && (a.IsGlobalUnicast() && !nat64.Contains(a) || loopback && a.IsLoopback())
}

// private says whether an address means something in some networks only.
func private(a netip.Addr) bool {
	return a.IsPrivate() || carrier.Contains(a) || a.IsLoopback()
}

// carrier is what carriers have between their NATs and those at home (RFC 6598).
var carrier = netip.MustParsePrefix("100.64.0.0/10")

// minPort is the least port that is sent to: sockets of peers have none of a service.
const minPort = 1024

// targets returns the candidates of the other side that are worth a try, and fair. A private address
// is one of the same network only if both sides are seen at one address from outside, or no outside is known:
// a peer must not have us send to whatever it likes in our own network.
func targets(mine, theirs here, c Config) (out []candidate) {
	for _, t := range theirs.cands {
		a := t.addr.Addr()
		switch {
		case t.addr.Port() < minPort || !usable(a, c.Loopback):
		case c.Loopback || !private(a) || together(mine, theirs):
			out = append(out, t)
		}
	}
	return out
}

// together says whether two sides seem to be in one network.
func together(a, b here) bool {
	outside := false
	for _, x := range a.cands {
		for _, y := range b.cands {
			if x.seen && y.seen && x.addr.Addr() == y.addr.Addr() {
				return true
			}
		}
		outside = outside || x.seen
	}
	for _, y := range b.cands {
		outside = outside || y.seen
	}
	return !outside
}
