package node

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/join"
)

// How long a link of the configuration waits until it is tried again: twice as long
// each time, up to a minute. One that was up for longer than that begins anew.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

// links are those of the configuration, which are kept up.
type links struct {
	mu  sync.Mutex // guards what follows; held while links are stopped
	all map[string]*keptLink
}

// A keptLink is two addresses that are kept joined.
type keptLink struct {
	LinkSettings
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex // guards what follows
	state string
	err   error
}

// set starts and stops links so that they are those.
func (s *links) set(n *Node, want map[string]LinkSettings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]*keptLink{}
	}
	for name, l := range s.all {
		if w, ok := want[name]; !ok || w != l.LinkSettings {
			l.cancel()
			<-l.done
			delete(s.all, name)
		}
	}
	for name, w := range want {
		if s.all[name] == nil && n.life.Err() == nil {
			ctx, cancel := context.WithCancel(n.life)
			l := &keptLink{LinkSettings: w, cancel: cancel, done: make(chan struct{}), state: "up"}
			s.all[name] = l
			n.all.Go(func() { l.run(ctx, n, name) })
		}
	}
}

// stop stops all.
func (s *links) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		l.cancel()
		<-l.done
	}
	s.all = nil
}

// list tells how they are. Addresses are without secrets.
func (s *links) list(n *Node) (all []api.ConfigLink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.all)) {
		l := s.all[name]
		l.mu.Lock()
		c := api.ConfigLink{Name: name, From: n.shown(l.From), To: n.shown(l.To), State: l.state}
		if l.err != nil {
			c.Error = neutral.Line(l.err.Error())
		}
		l.mu.Unlock()
		all = append(all, c)
	}
	return all
}

func (l *keptLink) set(state string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state, l.err = state, err
}

// run joins the two addresses again and again.
func (l *keptLink) run(ctx context.Context, n *Node, name string) {
	defer close(l.done)
	wait := firstRetry
	for {
		began := time.Now()
		_, err := n.opener.Join(ctx, l.From, l.To, join.Options{})
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastRetry {
			wait = firstRetry
		}
		if err != nil && wait == firstRetry {
			n.tell(api.Event{Type: "link", Text: "link " + name + ": " + err.Error() + "; it is tried again"})
		}
		l.set("waiting", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait = min(2*wait, lastRetry)
		l.set("up", nil)
	}
}

// shown is what may be shown of an address.
func (n *Node) shown(address string) string {
	e, err := n.opener.Explain(address)
	if err != nil {
		return "…"
	}
	return e.Address
}
