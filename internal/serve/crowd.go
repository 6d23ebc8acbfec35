package serve

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// handshakeGrace is how long a client may take for its handshake in any case. When there is
// no room for another one, the client that has taken longest goes after that: who never
// ends a handshake must not keep all others out until handshake-timeout.
const handshakeGrace = time.Second

// errCrowded is why a client was dropped that was in its handshake.
var errCrowded = transport.Mark(errors.New("there was no room, and it had taken longest for its handshake"), transport.ErrTimeout)

// A shake is a client that goes through the layers.
type shake struct {
	since time.Time
	drop  context.CancelCauseFunc
	gone  bool // it was dropped
}

// shake notes that a client begins its handshake, which lives as long as ctx.
func (g *gate) shake(ctx context.Context) (context.Context, *shake) {
	ctx, drop := context.WithCancelCause(ctx)
	s := &shake{since: time.Now(), drop: drop}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shaking = append(g.shaking, s)
	return ctx, s
}

// shaken notes that it has ended.
func (g *gate) shaken(s *shake) {
	s.drop(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.shaking, s); i >= 0 {
		g.shaking = slices.Delete(g.shaking, i, i+1)
	}
}

// room drops the client that has been in its handshake for longest, if that is long enough,
// and returns when to try again; false if nobody is in one.
func (g *gate) room() (later time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.shaking {
		if s.gone {
			continue
		}
		if left := handshakeGrace - time.Since(s.since); left > 0 {
			return left, true
		}
		s.gone = true
		s.drop(errCrowded)
		return handshakeGrace, true // or when it has gone
	}
	return 0, false
}
