package swarm

import (
	"context"
	"errors"
	"net/netip"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

var errRelayLimit = errors.New("the circuit has moved as much as it may")

// A peerRate is what all circuits of a guest may move together.
type peerRate struct {
	*rate.Limiter
	circuits int // that share it; guarded by the mutex of the Relay
}

// rateOf returns the rate of a guest. It is called with the mutex held.
func (r *Relay) rateOf(id lpeer.ID) *peerRate {
	p := r.rates[id]
	if p == nil {
		most := r.config.Guests.Rate
		p = &peerRate{Limiter: rate.NewLimiter(rate.Limit(most), int(max(most, largeBuffer)))}
		r.rates[id] = p
	}
	p.circuits++
	return p
}

// wait waits until n bytes may be moved. No rate is any rate.
func (p *peerRate) wait(ctx context.Context, n int) error {
	if p == nil {
		return nil
	}
	return p.WaitN(ctx, n)
}

// maxDayHosts is of how many hosts a day is remembered. The bytes of all others count
// together.
const maxDayHosts = 8192

// A day is what hosts have had relayed in 24 hours. The zero day has not begun.
type day struct {
	since time.Time
	of    map[netip.Prefix]int64
}

// spend notes bytes of a host, and tells whether that are more than it may have.
func (d *day) spend(host netip.Prefix, n, most int64) bool {
	if now := time.Now(); now.Sub(d.since) > 24*time.Hour {
		d.since, d.of = now, map[netip.Prefix]int64{}
	}
	if _, ok := d.of[host]; !ok && len(d.of) >= maxDayHosts {
		host = netip.Prefix{}
	}
	d.of[host] += n
	return d.of[host] > most
}

// empty tells whether a host has had all that it may have.
func (d *day) empty(host netip.Prefix, most int64) bool {
	return d.of[host] > most && time.Since(d.since) <= 24*time.Hour
}
