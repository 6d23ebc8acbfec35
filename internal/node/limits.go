package node

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/internal/peer"
)

// Limits of what peers may do here.
const (
	maxJoints     = 16384 // in all
	maxPeerJoints = 4096  // of one peer
	maxGuest      = 16    // of one that is not known
	openPerSecond = 2000  // requests of one peer, after as many at once
	guestsPerSec  = 50    // requests of all guests together: keys cost nothing
	maxWaiting    = 64    // of a peer: requests that are being read or opened
	requestTime   = 10 * time.Second
	openTime      = 30 * time.Second // for the target of a service
	maxBuckets    = 4096             // of peers that are remembered
)

// limits counts what each peer asks for.
type limits struct {
	mu      sync.Mutex // guards what follows
	peers   map[peer.ID]*bucket
	guests  *rate.Limiter
	refused *rate.Limiter // what refusals may add to the audit log
	rate    int64         // bytes a second of each peer; 0 = as many as there are
}

type bucket struct {
	rate    *rate.Limiter
	waiting int
	pace    *pace // nil until it is asked for
}

// enter tells whether a peer may ask now; leave is called when it has its answer.
func (l *limits) enter(id peer.ID, guest bool) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peers == nil {
		l.peers = map[peer.ID]*bucket{}
		l.guests = rate.NewLimiter(guestsPerSec, 4*guestsPerSec)
		l.refused = rate.NewLimiter(10, 100)
	}
	b := l.peers[id]
	if b == nil {
		if len(l.peers) >= maxBuckets {
			l.forget()
		}
		b = &bucket{rate: rate.NewLimiter(openPerSecond, openPerSecond)}
		l.peers[id] = b
	}
	if b.waiting >= maxWaiting && guest || b.waiting >= maxPeerJoints || !b.rate.Allow() || guest && !l.guests.Allow() {
		return nil, false
	}
	b.waiting++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		b.waiting--
	}, true
}

// forget makes room: whoever waits for nothing begins anew.
func (l *limits) forget() {
	for id, b := range l.peers {
		if b.waiting == 0 {
			delete(l.peers, id)
		}
	}
}

// mayRecord tells whether one more refusal goes into the audit log.
func (l *limits) mayRecord() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused == nil || l.refused.Allow()
}
