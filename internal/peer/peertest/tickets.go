package peertest

import (
	"context"
	"slices"
	"sync"

	"github.com/tenon-net/tenon/internal/peer"
)

// Tickets is a TicketStore in memory. The zero Tickets is empty and ready.
type Tickets struct {
	mu      sync.Mutex // guards records
	records map[peer.Serial]*peer.TicketRecord
}

var _ peer.TicketStore = (*Tickets)(nil)

// Update does as [peer.TicketStore] says. f gets and leaves copies.
func (s *Tickets) Update(_ context.Context, serial peer.Serial, f func(*peer.TicketRecord) (*peer.TicketRecord, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := f(clone(s.records[serial]))
	if err != nil {
		return err
	}
	if s.records == nil {
		s.records = map[peer.Serial]*peer.TicketRecord{}
	}
	s.records[serial] = clone(r)
	return nil
}

func clone(r *peer.TicketRecord) *peer.TicketRecord {
	if r == nil {
		return nil
	}
	c := *r
	c.Redeemed = slices.Clone(r.Redeemed)
	return &c
}
