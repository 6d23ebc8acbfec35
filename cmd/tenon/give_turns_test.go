//go:build unix

package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A silentTaker is somebody's connection that says nothing.
type silentTaker struct {
	transport.Stream
	user int
}

func (s silentTaker) Info() *transport.Info {
	return &transport.Info{Cred: &transport.Cred{UID: s.user}}
}

// Takers of one user, however many, don't take the turn of another's: what can be
// given to many waits for nobody else, and what can be given once alternates.
func TestUsersTakeTurns(t *testing.T) {
	for _, many := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			turns, start := newTurns(many), time.Now()
			serve := func(user int) time.Duration {
				a, b := mem.Pair()
				defer a.Close()
				defer b.Close()
				turn, err := turns.wait(ctx, silentTaker{a, user})
				if err != nil {
					return -1
				}
				defer turn.end()
				waited := time.Since(start)
				turn.begin()
				a.Read(make([]byte, 1)) // until its time is over
				return waited
			}
			var takers sync.WaitGroup
			for range maxTakers {
				takers.Go(func() { serve(1) })
			}
			synctest.Wait()
			if waited := serve(1); waited != -1 {
				t.Errorf("many %v: a taker too many is served after %v", many, waited)
			}
			most := time.Duration(0)
			if !many {
				most = 2 * giftHaste
			}
			if waited := serve(2); waited < 0 || waited > most {
				t.Errorf("many %v: another user waits for %v, at most %v is right", many, waited, most)
			}
			cancel()
			takers.Wait()
			if len(turns.lanes) > 0 || turns.waiting > 0 {
				t.Errorf("many %v: %d users and %d waiting takers are left", many, len(turns.lanes), turns.waiting)
			}
		})
	}
}
