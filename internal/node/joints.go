package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/datagram"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// A joint is the use of a service, by a peer or by this node.
type joint struct {
	number  uint64
	peer    peer.ID
	service peer.Service
	out     bool
	right   peer.Right       // by which the peer uses it, if not out
	ticket  *peer.Redemption // that the right stands on
	since   time.Time
	link    peer.Link // the best when it began
	stream  transport.Stream
	told    bool // the peer that uses it knows close statuses

	datagrams atomic.Pointer[datagram.Conn] // nil if none of its messages may be lost
	count     join.Count                    // AB from the peer, BA to it
	cancel    context.CancelCauseFunc       // ends it; the cause is for the audit log
	over      <-chan struct{}               // closed when it has ended, or is about to

	released bool // the offer that it came by is gone, and it goes on; guarded by the mutex of joints

	rmu    sync.Mutex // guards what follows: the rate at the last look
	looked time.Time
	was    [2]int64
	rate   [2]float64
}

// rates returns how many bytes a second go to the peer and come from it.
func (j *joint) rates(now time.Time) (sent, got float64) {
	j.rmu.Lock()
	defer j.rmu.Unlock()
	last := j.looked
	if last.IsZero() {
		last = j.since
	}
	if d := now.Sub(last); d >= 500*time.Millisecond {
		is := [2]int64{j.count.BA.Load(), j.count.AB.Load()}
		for i := range is {
			j.rate[i] = float64(is[i]-j.was[i]) / d.Seconds()
		}
		j.looked, j.was = now, is
	}
	return j.rate[0], j.rate[1]
}

// dropped returns how many of its messages have found no room here.
func (j *joint) dropped() int64 {
	if f := j.datagrams.Load(); f != nil {
		return f.Dropped()
	}
	return 0
}

// joints are those that go on.
type joints struct {
	mu   sync.Mutex // guards what follows
	last uint64
	all  map[uint64]*joint
	by   map[peer.ID]int // how many of each peer
	idle sync.Cond       // of mu: all is empty

	sent, got, dropped int64 // of those that have ended
}

// begin adds j, unless its peer has most already. The context ends when the joint is to.
func (s *joints) begin(ctx context.Context, j *joint, most int) (context.Context, error) {
	ctx, j.cancel = context.WithCancelCause(ctx)
	j.over = ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[j.peer] >= most || len(s.all) >= maxJoints {
		j.cancel(errBusy)
		return nil, errBusy
	}
	if s.all == nil {
		s.all, s.by, s.idle.L = map[uint64]*joint{}, map[peer.ID]int{}, &s.mu
	}
	s.last++
	j.number, j.since = s.last, time.Now()
	s.all[j.number] = j
	s.by[j.peer]++
	return ctx, nil
}

func (s *joints) end(j *joint) {
	j.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, j.number)
	s.sent, s.got, s.dropped = s.sent+j.count.BA.Load(), s.got+j.count.AB.Load(), s.dropped+j.dropped()
	if s.by[j.peer]--; s.by[j.peer] == 0 {
		delete(s.by, j.peer)
	}
	if len(s.all) == 0 {
		s.idle.Broadcast()
	}
}

// outlast waits until those that were opened to a service of a peer have ended, or ctx has.
func (s *joints) outlast(ctx context.Context, to peer.ID, service peer.Service) {
	for _, j := range s.list() {
		if !j.out || j.peer != to || j.service != service {
			continue
		}
		select {
		case <-j.over:
		case <-ctx.Done():
			return
		}
	}
}

// cut ends the joints for which why returns an error, and returns how many they are.
func (s *joints) cut(why func(*joint) error) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.all {
		if err := why(j); err != nil {
			j.cancel(err)
			n++
		}
	}
	return n
}

// release lets those who were accepted by an offer stay when the offer ends.
func (s *joints) release(service peer.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.all {
		if !j.out && j.service == service {
			j.released = true
		}
	}
}

// wait returns when there is none.
func (s *joints) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.all) > 0 {
		s.idle.Wait()
	}
}

func (s *joints) list() []*joint {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*joint, 0, len(s.all))
	for _, j := range s.all {
		all = append(all, j)
	}
	return all
}

func (s *joints) count(peer peer.ID, service peer.Service) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if service == "" && peer.IsZero() {
		return len(s.all)
	}
	for _, j := range s.all {
		if (peer.IsZero() || j.peer == peer) && (service == "" || !j.out && j.service == service) {
			n++
		}
	}
	return n
}
