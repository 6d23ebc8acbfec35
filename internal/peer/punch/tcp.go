package punch

import (
	"context"
	"crypto/hmac"
	"io"
	"net"
	"net/netip"
	"time"
)

// Bounds of punching over TCP.
const (
	dialTime  = 1500 * time.Millisecond // of one try, and round trips
	redial    = 50 * time.Millisecond   // after a refusal, and more each time
	maxRedial = 400 * time.Millisecond
	maxArrive = 32 // connections that arrive and have not proved anything yet
)

// What is said over a new TCP connection: who speaks, and a tag. The opener says a third
// thing over the one that it has chosen.
const helloLen = 1 + tagLen

func (k key) hello(who byte) []byte {
	t := k.tag([]byte{'t', 'c', 'p', who})
	return append([]byte{who}, t[:]...)
}

// startTCP listens and dials until the race is over.
func (r *race) startTCP() {
	all := targets(r.mine, r.theirs, r.s.c)
	arriving := make(chan struct{}, maxArrive)
	for way := range numWays {
		p := r.s.tcp[way]
		if p == nil {
			continue
		}
		r.wg.Go(func() { r.acceptTCP(p, arriving) })
		for _, c := range all {
			if c.way == way {
				r.wg.Go(func() { r.dialTCP(p, c.addr) })
			}
		}
	}
}

func (r *race) acceptTCP(p *tcpPort, arriving chan struct{}) {
	for {
		c, err := p.l.AcceptTCP()
		if r.ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return
		}
		if err != nil {
			select {
			case <-time.After(10 * time.Millisecond): // no descriptors, say
				continue
			case <-r.ctx.Done():
				return
			}
		}
		select {
		case arriving <- struct{}{}:
			r.wg.Go(func() {
				r.greet(c)
				<-arriving
			})
		default:
			c.Close()
		}
	}
}

func (r *race) dialTCP(p *tcpPort, to netip.AddrPort) {
	wait := redial
	for r.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(r.ctx, dialTime+3*r.report.RTT)
		c, err := p.dial(ctx, to)
		cancel()
		if err == nil {
			r.greet(c)
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, maxRedial)
		case <-r.ctx.Done():
		}
	}
}

// greet finds out whether the other side of a connection is the right one, and chooses it or waits
// for it to be chosen.
func (r *race) greet(c *net.TCPConn) {
	stop := context.AfterFunc(r.ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(dialTime + 3*r.report.RTT))
	me, other := byte('A'), byte('O')
	if r.opener {
		me, other = other, me
	}
	if _, err := c.Write(r.key.hello(me)); err != nil || r.ctx.Err() != nil || !r.says(c, other) {
		c.Close()
		return
	}
	if !r.opener {
		_ = c.SetDeadline(time.Now().Add(longTime))
		if r.ctx.Err() != nil || !r.says(c, 'C') {
			c.Close()
			return
		}
	}
	if !stop() { // the race is over
		c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	select {
	case r.conns <- c:
	case <-r.ctx.Done():
		c.Close()
	}
}

// says reads one hello.
func (r *race) says(c net.Conn, who byte) bool {
	var b [helloLen]byte
	_, err := io.ReadFull(c, b[:])
	return err == nil && hmac.Equal(b[:], r.key.hello(who))
}
