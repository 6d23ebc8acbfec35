package punch

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// How observers are asked over UDP: again after a while, and then it has been enough.
var askAgain = []time.Duration{0, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond}

// Bounds of asking.
const (
	askEnough    = 2500 * time.Millisecond // if nobody answers at all
	maxObservers = 4                       // of a family
)

// askUDP asks observers where they see a socket. If one has answered, the others have as long
// again, and a little.
func askUDP(ctx context.Context, s *udpSocket, observers []netip.AddrPort) View {
	type pending struct {
		to   netip.AddrPort
		sent time.Time
	}
	waiting := map[nonce]pending{}
	var seen []netip.AddrPort
	var nearest time.Duration
	heard := map[netip.AddrPort]bool{}
	start := time.Now()
	end := start.Add(askEnough)
	buf := make([]byte, 256)
	next := 0
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for len(heard) < len(observers) && ctx.Err() == nil {
		now := time.Now()
		if !now.Before(end) {
			break
		}
		if next < len(askAgain) && now.Sub(start) >= askAgain[next] {
			next++
			for _, o := range observers {
				if !heard[o] {
					var n nonce
					_, _ = rand.Read(n[:])
					waiting[n] = pending{o, now}
					_ = s.send(question(n), o)
				}
			}
		}
		until := end
		if next < len(askAgain) {
			until = earlier(until, start.Add(askAgain[next]))
		}
		_ = s.conn.SetReadDeadline(until)
		n, _, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			continue
		}
		got, at, ok := parseAnswer(buf[:n])
		q, asked := waiting[got]
		if !ok || !asked || heard[q.to] {
			continue
		}
		heard[q.to] = true
		seen = append(seen, at)
		rtt := time.Since(q.sent)
		if nearest == 0 || rtt < nearest {
			nearest = rtt
		}
		end = earlier(end, time.Now().Add(rtt+50*time.Millisecond))
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	v := classify(s.local(), seen, len(observers))
	v.RTT = nearest
	return v
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// askTCP asks observers where they see a port. The connections stay open, so that the NAT
// keeps it.
func askTCP(ctx context.Context, p *tcpPort, observers []netip.AddrPort) View {
	ctx, cancel := context.WithTimeout(ctx, askEnough)
	defer cancel()
	type result struct {
		c   net.Conn
		at  netip.AddrPort
		rtt time.Duration
	}
	results := make(chan result, len(observers))
	for _, o := range observers {
		go func() {
			start := time.Now()
			c, err := p.dial(ctx, o)
			if err != nil {
				results <- result{}
				return
			}
			rtt := time.Since(start)
			stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
			at, ok := askConn(c)
			stop()
			if !ok {
				c.Close()
				results <- result{}
				return
			}
			results <- result{c, at, rtt}
		}()
	}
	var seen []netip.AddrPort
	var nearest time.Duration
	for range observers {
		r := <-results
		if r.c == nil {
			continue
		}
		p.keep = append(p.keep, r.c)
		seen = append(seen, r.at)
		if nearest == 0 || r.rtt < nearest {
			nearest = r.rtt
			// The others have as long again, and a little.
			time.AfterFunc(2*r.rtt+100*time.Millisecond, cancel)
		}
	}
	v := classify(p.local, seen, len(observers))
	v.RTT = nearest
	return v
}

func askConn(c net.Conn) (at netip.AddrPort, ok bool) {
	var n nonce
	_, _ = rand.Read(n[:])
	if _, err := c.Write(question(n)); err != nil {
		return at, false
	}
	var b [answerLen]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return at, false
	}
	got, at, ok := parseAnswer(b[:])
	return at, ok && got == n
}

// observersOf returns those of a family, as many as are asked.
func observersOf(all []netip.AddrPort, v6 bool) (os []netip.AddrPort) {
	for _, o := range all {
		o = netip.AddrPortFrom(o.Addr().Unmap(), o.Port())
		if o.Addr().Is4() != v6 && !slices.Contains(os, o) && len(os) < maxObservers {
			os = append(os, o)
		}
	}
	return os
}
