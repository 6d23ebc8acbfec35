package node

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

func TestLookAround(t *testing.T) {
	id, other := peer.NewKey().ID(), peer.NewKey().ID()
	for _, test := range []struct {
		name  string
		found peer.ID // after a second; nobody if zero
		fails error
		opens int
		took  time.Duration
	}{
		{"the peer is found", id, peer.ErrUnreachable, 2, time.Second},
		{"another is found", other, peer.ErrUnreachable, 1, lookAround},
		{"nobody is found", peer.ID{}, peer.ErrUnreachable, 1, lookAround},
		{"it is there and refuses", id, peer.ErrNotAdmitted, 1, 0},
		{"it is there", id, nil, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := &sightings{until: began.Add(lookAround)}
				time.AfterFunc(time.Second, func() { s.seen(test.found) })
				opens := 0
				_, err := s.try(t.Context(), id, func() (transport.Stream, error) {
					if opens++; opens == 2 {
						return nil, nil
					}
					return nil, test.fails
				})
				if opens != test.opens || time.Since(began) != test.took || opens == 1 && !errors.Is(err, test.fails) {
					t.Errorf("%d opens in %v, error %v", opens, time.Since(began), err)
				}
				time.Sleep(lookAround)
				began, opens = time.Now(), 0
				s.try(t.Context(), id, func() (transport.Stream, error) { opens++; return nil, peer.ErrUnreachable }) //nolint:errcheck // counted
				if opens != 1 || time.Since(began) != 0 {
					t.Errorf("later: %d opens in %v", opens, time.Since(began))
				}
			})
		})
	}
}
