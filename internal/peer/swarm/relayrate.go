package swarm

import (
	"context"
	"errors"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

var errRelayLimit = errors.New("the circuit has moved as much as it may")

// A rate is what all circuits of a guest may move together.
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
