//go:build unix

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// The limits on takers. Each user has its own, so that none can keep the others
// waiting.
const (
	maxGrants = 128 // takers of one user that are served at a time
	maxTakers = 512 // of them that may be there; more are refused

	// giftPatience is how long a taker may take to say that it has all, and
	// giftHaste how long while others wait.
	giftPatience = 10 * time.Second
	giftHaste    = time.Second
)

// turns says which takers are served. What can be given to many is given to all
// who come, maxGrants of each user at a time; what can be given once, to one taker
// at a time, and the users take turns.
type turns struct {
	once chan struct{} // has one place; nil if there is enough for many

	mu      sync.Mutex // guards what stands below
	lanes   map[int64]*lane
	waiting int                 // takers
	serving map[*turn]time.Time // since when
}

// A lane has the takers of one user.
type lane struct {
	places chan struct{}
	there  int // takers, those that wait included
}

// A turn is that of one taker.
type turn struct {
	turns *turns
	user  int64
	lane  *lane
	conn  transport.Conn
}

func newTurns(many bool) *turns {
	t := &turns{lanes: make(map[int64]*lane), serving: make(map[*turn]time.Time)}
	if !many {
		t.once = make(chan struct{}, 1)
	}
	return t
}

// wait waits until it is conn's turn.
func (t *turns) wait(ctx context.Context, conn transport.Conn) (*turn, error) {
	turn := &turn{turns: t, user: -1, conn: conn}
	if cred := conn.Info().Cred; cred != nil {
		turn.user = int64(cred.UID)
	}
	if turn.lane = t.enter(turn.user); turn.lane == nil {
		return nil, fmt.Errorf("there are %d takers of user %d already", maxTakers, turn.user)
	}
	err := t.take(ctx, turn.lane.places)
	if err == nil && t.once != nil {
		if err = t.take(ctx, t.once); err != nil {
			<-turn.lane.places
		}
	}
	if err != nil {
		t.leave(turn)
		return nil, err
	}
	return turn, nil
}

// enter returns the lane of a user, in which there is one taker more; nil if there
// are too many.
func (t *turns) enter(user int64) *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lanes[user]
	if l == nil {
		l = &lane{places: make(chan struct{}, maxGrants)}
		if t.once != nil {
			l.places = make(chan struct{}, 1)
		}
		t.lanes[user] = l
	}
	if l.there == maxTakers {
		return nil
	}
	l.there++
	return l
}

// leave forgets a taker.
func (t *turns) leave(turn *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.serving, turn)
	if turn.lane.there--; turn.lane.there == 0 {
		delete(t.lanes, turn.user)
	}
}

// take takes a place as soon as there is one.
func (t *turns) take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	t.queue(+1)
	defer t.queue(-1)
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// queue changes how many takers wait, and hurries the others while any does.
func (t *turns) queue(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting += n; n > 0 && t.waiting == 1 {
		for turn, since := range t.serving {
			turn.conn.SetDeadline(since.Add(giftHaste))
		}
	}
}

// begin gives the taker its time.
func (turn *turn) begin() {
	t := turn.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.serving[turn] = now
	if t.waiting > 0 {
		turn.conn.SetDeadline(now.Add(giftHaste))
	} else {
		turn.conn.SetDeadline(now.Add(giftPatience))
	}
}

// end makes room for the next taker.
func (turn *turn) end() {
	if turn.turns.once != nil {
		<-turn.turns.once
	}
	<-turn.lane.places
	turn.turns.leave(turn)
}
