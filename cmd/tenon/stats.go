package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/join"
)

// statsInterval is how often the live line changes.
const statsInterval = 500 * time.Millisecond

// stats counts joints and bytes, and shows them: a live line on a terminal, and a
// summary at the end.
type stats struct {
	out   *console
	json  bool
	live  bool
	start time.Time
	stop  chan struct{}
	done  sync.WaitGroup

	mu     sync.Mutex
	open   map[uint64]*join.Count
	joints int   // ended
	failed int   // of them
	ab, ba int64 // bytes of those that have ended
	last   int64 // bytes both ways, when the line was drawn last
	when   time.Time
}

func newStats(out *console, json bool) *stats {
	s := &stats{out: out, json: json, live: !json && out.terminal(), start: time.Now(), when: time.Now(),
		stop: make(chan struct{}), open: make(map[uint64]*join.Count)}
	if s.live {
		s.done.Go(s.draw)
	}
	return s
}

// event counts what e says.
func (s *stats) event(e tenon.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Type {
	case tenon.Opened:
		s.open[e.Joint] = e.Count
	case tenon.Closed:
		delete(s.open, e.Joint)
		s.joints++
		s.ab += e.Result.AB.Bytes
		s.ba += e.Result.BA.Bytes
		if e.Err != nil {
			s.failed++
		}
	}
}

// totals returns the bytes of all joints, the open ones included. The caller
// holds mu.
func (s *stats) totals() (ab, ba int64) {
	ab, ba = s.ab, s.ba
	for _, c := range s.open {
		ab += c.AB.Load()
		ba += c.BA.Load()
	}
	return ab, ba
}

// draw draws the live line until stop.
func (s *stats) draw() {
	tick := time.NewTicker(statsInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			s.out.clear()
			return
		case now := <-tick.C:
			s.mu.Lock()
			ab, ba := s.totals()
			rate := float64(ab+ba-s.last) / now.Sub(s.when).Seconds()
			s.last, s.when = ab+ba, now
			s.out.draw(fmt.Sprintf("%d open, %d ended  -> %s  <- %s  %s/s", len(s.open), s.joints, size(ab), size(ba), size(int64(rate))))
			s.mu.Unlock()
		}
	}
}

// summary ends the live line and prints the totals.
func (s *stats) summary() {
	close(s.stop)
	s.done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	ab, ba := s.totals()
	d := time.Since(s.start)
	if s.json {
		_ = s.out.json(map[string]any{"event": "summary", "joints": s.joints, "failed": s.failed,
			"ab_bytes": ab, "ba_bytes": ba, "seconds": d.Seconds()})
		return
	}
	s.out.linef("tenon: %d joints, %d failed, %s -> (%d bytes), %s <- (%d bytes), in %s, %s/s",
		s.joints, s.failed, size(ab), ab, size(ba), ba, d.Round(time.Millisecond), size(int64(float64(ab+ba)/d.Seconds())))
}

// size writes a number of bytes for people: three digits and a binary unit.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1000 && i < len(units)-1 {
		f /= 1024
		i++
	}
	switch {
	case f < 10:
		return fmt.Sprintf("%.2f %ciB", f, units[i])
	case f < 100:
		return fmt.Sprintf("%.1f %ciB", f, units[i])
	}
	return fmt.Sprintf("%.0f %ciB", f, units[i])
}
