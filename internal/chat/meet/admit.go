package meet

import (
	"fmt"
	"slices"
	"time"
)

// An arrival is what a session hands to admit, in the order in which it came.
type arrival struct {
	from   *session
	kind   byte // frameEvents, framePush or frameEnd
	number uint64
	blobs  []Blob
	bytes  int64
}

const (
	batch     = 8192 // events that are taken at once, about
	live      = 16   // so few are told to others at once, though they were asked for
	soon      = time.Second
	maxLater  = 10_000
	laterTime = 10 * time.Minute // until what the Set has refused is asked for again
)

// admit takes what has come, batch by batch: while one is kept, the next one gathers.
func (r *Room) admit() {
	for {
		var sweep <-chan time.Time
		if r.waiting() {
			sweep = time.After(orphanTime / 4)
		}
		select {
		case <-r.arrived:
		case now := <-sweep:
			r.sweep(now)
			continue
		case <-r.ctx.Done():
			return
		}
		for part := r.gather(); len(part) > 0; part = r.gather() {
			if err := r.process(part); err != nil {
				r.fail(err, part)
				return
			}
		}
	}
}

func (r *Room) waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.orphans.all) > 0
}

// gather takes what has come out of the inbox.
func (r *Room) gather() (part []arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, events := 0, 0
	for n < len(r.inbox) && events < batch {
		events += len(r.inbox[n].blobs)
		n++
	}
	part = slices.Clone(r.inbox[:n])
	r.inbox = slices.Delete(r.inbox, 0, n)
	return part
}

// A candidate is an event that is not there.
type candidate struct {
	Blob
	from    *session
	live    bool     // it was pushed
	voucher [32]byte // another author, of whose events one waits for it; zero = none
}

// process has what is new kept, and told to others.
func (r *Room) process(part []arrival) error {
	candidates, unsure := r.sift(part)
	lacking := map[[32]byte]bool{}
	if len(unsure) > 0 {
		ids, err := r.Set.Lacks(r.ctx, unsure)
		if err != nil {
			return err
		}
		for _, id := range ids {
			lacking[id] = true
		}
	}
	ready := r.ready(candidates, lacking)
	if len(ready) > 0 {
		blobs := make([]Blob, len(ready))
		for i := range ready {
			blobs[i] = ready[i].Blob
		}
		if err := r.Set.Take(r.ctx, blobs); err != nil {
			return err
		}
	}
	r.settle(part, ready)
	return nil
}

// sift returns what is new, and of which parents it is not known whether they are there.
func (r *Room) sift(part []arrival) (candidates []candidate, unsure [][32]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	index, now := r.Set.Index(), time.Now()
	here := map[[32]byte]bool{}
	for _, a := range part {
		for i := range a.blobs {
			b := a.blobs[i]
			if here[b.ID] || r.orphans.all[b.ID] != nil || index.Has(b.Key) {
				if a.kind == framePush {
					a.from.prune(&b, now)
				}
				continue
			}
			c := candidate{b, a.from, a.kind == framePush, r.orphans.voucher(&b)}
			if until, ok := r.slots.take(&c, r.Rate, now); !ok {
				r.postpone(b.ID, until)
				continue
			}
			here[b.ID] = true
			candidates = append(candidates, c)
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return a.Compare(b.Key) })
	asked := map[[32]byte]bool{}
	for i := range candidates {
		for _, p := range candidates[i].Parents {
			if !here[p] && !asked[p] && !r.orphans.knows(p) {
				asked[p] = true
				unsure = append(unsure, p)
			}
		}
	}
	return candidates, unsure
}

// postpone has an event not asked for until then.
func (r *Room) postpone(id [32]byte, until time.Time) {
	if len(r.later) >= maxLater {
		clear(r.later) // they are asked for again, and refused again
	}
	r.later[id] = until
}

// ready returns the candidates whose parents are there or precede them, with those that have waited for
// them, and holds the others back.
func (r *Room) ready(candidates []candidate, lacking map[[32]byte]bool) (ready []candidate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range candidates {
		lacking[candidates[i].ID] = true
	}
	now := time.Now()
	for _, c := range candidates {
		var missing [][32]byte
		for _, p := range c.Parents {
			if lacking[p] && !slices.Contains(missing, p) {
				missing = append(missing, p)
			}
		}
		if len(missing) > 0 {
			r.hold(c, missing, now)
			continue
		}
		ready = append(ready, c)
		for n := len(ready) - 1; n < len(ready); n++ {
			delete(lacking, ready[n].ID)
			ready = append(ready, r.orphans.release(ready[n].ID)...)
		}
	}
	return ready
}

// settle notes what was kept, tells others, and gives back what was held for it.
func (r *Room) settle(part []arrival, ready []candidate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	index, now := r.Set.Index(), time.Now()
	asked := map[*session]int{}
	fresh := ready[:0]
	for _, c := range ready {
		r.orphans.kept(r, c.ID)
		if !index.Has(c.Key) {
			r.postpone(c.ID, now.Add(laterTime))
			continue
		}
		r.orphans.know(c.ID)
		fresh = append(fresh, c)
		if !c.live {
			asked[c.from]++
		}
	}
	for _, x := range r.sessions {
		var news []Blob
		for _, c := range fresh {
			switch {
			case c.from == x || !x.offers[c.Key].IsZero(): // it has it
			case c.live || asked[c.from] <= live:
				news = append(news, c.Blob)
			default:
				x.compare(soon)
			}
		}
		if len(news) > 0 {
			x.push(news)
		}
	}
	ended := false
	for _, a := range part {
		x := a.from
		x.pending -= a.bytes
		x.held.Give(a.bytes)
		wake(x.drained)
		if a.kind == frameEnd {
			r.answered(x, a.number)
			ended = true
		}
	}
	if ended {
		for _, x := range r.sessions {
			x.blocked = false
			x.kick()
		}
	}
}

// answered ends a question of ours.
func (r *Room) answered(x *session, number uint64) {
	w := x.asking[number]
	if w == nil {
		x.end(fmt.Errorf("%w: the end of no answer", errWire))
		return
	}
	r.unask(x, w)
	switch {
	case len(w.left) == 0:
	case w.parents && r.orphans.need(w.left):
		x.end(errOrphans)
	case len(w.left) == len(w.ids) && !w.parents:
		x.end(errLies)
	}
	if len(r.orphans.all) == 0 {
		x.walked = 0
	}
	if !x.catching() {
		r.orphans.ask(r, x)
	}
}

// catching tells whether what the session asks for will bring parents of what it has brought.
func (x *session) catching() bool {
	for _, w := range x.asking {
		if !w.parents {
			return true
		}
	}
	return x.ours.x != nil || x.theirs.x != nil || x.more || len(x.needs) > 0
}
