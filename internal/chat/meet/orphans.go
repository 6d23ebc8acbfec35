package meet

import (
	"time"
)

const (
	maxOrphans = 10_000
	maxWalk    = 64 // parents' parents that are asked for; where more are missing, comparing is better
	orphanTime = time.Minute
	maxKnown   = 8192
)

// orphans are events whose parents are not there, and which parents are. Room.mu guards it.
type orphans struct {
	all     map[[32]byte]*orphan
	waiting map[[32]byte][]*orphan // by a parent that is missing
	known   map[[32]byte]bool      // events that were kept lately,
	older   map[[32]byte]bool      // and before these
}

type orphan struct {
	candidate
	missing int
	since   time.Time
}

// know notes that an event is there.
func (o *orphans) know(id [32]byte) {
	if len(o.known) >= maxKnown || o.known == nil {
		o.known, o.older = map[[32]byte]bool{}, o.known
	}
	o.known[id] = true
}

// knows tells whether an event is there for certain.
func (o *orphans) knows(id [32]byte) bool { return o.known[id] || o.older[id] }

// hold keeps an event until its parents have come, and asks who has sent it for them.
func (r *Room) hold(c candidate, missing [][32]byte, now time.Time) {
	o := &r.orphans
	if len(o.all) >= maxOrphans || !r.held.Take(int64(len(c.Bytes)), false) {
		c.from.compare(soon)
		return
	}
	if o.all == nil {
		o.all, o.waiting = map[[32]byte]*orphan{}, map[[32]byte][]*orphan{}
	}
	child := &orphan{c, len(missing), now}
	o.all[c.ID] = child
	for _, p := range missing {
		o.waiting[p] = append(o.waiting[p], child)
		if !c.from.catching() {
			o.askFor(r, c.from, p)
		}
	}
	o.vouch(r, child)
}

// voucher returns the author who vouches for an event: one of his waits for it, or for what comes after it.
func (o *orphans) voucher(b *Blob) (by [32]byte) {
	for _, child := range o.waiting[b.ID] {
		switch {
		case child.voucher != by:
			return child.voucher
		case child.Author != b.Author:
			return child.Author
		}
	}
	return by
}

// vouch has the author of an orphan vouch for what it waits for, and for what that waits for: it was refused, perhaps, as
// its own author has made too much, and may come now.
func (o *orphans) vouch(r *Room, child *orphan) {
	for vouched := []*orphan{child}; len(vouched) > 0; {
		child, vouched = vouched[0], vouched[1:]
		for _, p := range child.Parents {
			switch parent := o.all[p]; {
			case len(o.waiting[p]) == 0: // it is there
			case parent == nil:
				delete(r.later, p)
			case parent.voucher == [32]byte{}:
				if parent.voucher = o.voucher(&parent.Blob); parent.voucher != [32]byte{} {
					vouched = append(vouched, parent)
				}
			}
		}
	}
}

// askFor asks a session for a parent.
func (o *orphans) askFor(r *Room, x *session, id [32]byte) {
	switch {
	case o.all[id] != nil || r.asked[id] != nil:
	case x.walked >= maxWalk:
		x.compare(soon)
	default:
		x.walked++
		x.parents = append(x.parents, id)
		r.asked[id] = x
		x.kick()
	}
}

// ask asks a session for the parents that are missing of what it has brought.
func (o *orphans) ask(r *Room, x *session) {
	for id, children := range o.waiting {
		if children[0].from == x {
			o.askFor(r, x, id)
		}
	}
}

// need tells whether one of these events is a parent that is still missing.
func (o *orphans) need(ids map[[32]byte]bool) bool {
	for id := range ids {
		if len(o.waiting[id]) > 0 && o.all[id] == nil {
			return true
		}
	}
	return false
}

// release returns the events that have waited for this one only. They are orphans until they are kept, so
// that nobody asks for them meanwhile.
func (o *orphans) release(id [32]byte) (free []candidate) {
	for _, child := range o.waiting[id] {
		if child.missing--; child.missing == 0 {
			free = append(free, child.candidate)
		}
	}
	delete(o.waiting, id)
	return free
}

// kept ends the waiting of an event.
func (o *orphans) kept(r *Room, id [32]byte) {
	if child := o.all[id]; child != nil {
		delete(o.all, id)
		r.held.Give(int64(len(child.Bytes)))
	}
}

// sweep gives up events that have waited too long. Who has sent them, and nothing before them, loses the session.
func (r *Room) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := &r.orphans
	gone := false
	for id, child := range o.all {
		if now.Sub(child.since) < orphanTime {
			continue
		}
		gone = true
		o.kept(r, id)
		if !child.from.catching() {
			child.from.end(errOrphans)
		}
	}
	if !gone {
		return
	}
	for _, x := range r.sessions {
		x.compare(soon) // it may have what is given up
	}
	clear(o.waiting)
	for _, child := range o.all {
		child.missing = 0
		for _, p := range child.Parents {
			if !o.knows(p) {
				o.waiting[p] = append(o.waiting[p], child)
				child.missing++
			}
		}
	}
}

// clear forgets all.
func (o *orphans) clear(r *Room) {
	for _, child := range o.all {
		r.held.Give(int64(len(child.Bytes)))
	}
	*o = orphans{}
}

// slots count the events of each author in each ten seconds, by the events' own times: what was
// said slowly is taken at once, however late it comes. They count as many again for which he vouches: who says something
// has taken others than we have, perhaps, of one who says too much, and is to be heard at once all the same.
type slots struct {
	counts map[slot]int
	swept  time.Time
}

type slot struct {
	author  [32]byte
	at      int64 // in Span since 1970
	vouches bool  // the author does, for events of others
}

const (
	recent   = 10 * time.Minute // what is older is not counted: it is history
	maxSlots = 8192             // for those above, all authors have one together
)

// take counts an event. If it is one too many, it returns until when it must wait.
func (s *slots) take(c *candidate, limit int, now time.Time) (until time.Time, ok bool) {
	at := time.UnixMilli(int64(c.Time >> 16))
	if c.Author == ([32]byte{}) || now.Sub(at) > recent {
		return until, true
	}
	if now.Sub(s.swept) > Span {
		s.sweep(now)
	}
	span := at.UnixNano() / int64(Span)
	if s.count(slot{c.Author, span, false}, limit) || c.voucher != [32]byte{} && s.count(slot{c.voucher, span, true}, limit) {
		return until, true
	}
	return now.Add(recent), false
}

// count tells whether one more is not too many.
func (s *slots) count(k slot, limit int) bool {
	if _, there := s.counts[k]; !there && len(s.counts) >= maxSlots {
		k = slot{}
	}
	if s.counts[k] >= limit {
		return false
	}
	s.counts[k]++
	return true
}

// sweep forgets what is history by now.
func (s *slots) sweep(now time.Time) {
	s.swept = now
	if s.counts == nil {
		s.counts = map[slot]int{}
	}
	for k := range s.counts {
		if k.at < now.Add(-recent).UnixNano()/int64(Span) {
			delete(s.counts, k)
		}
	}
}
