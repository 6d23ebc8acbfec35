package chat

import (
	"context"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/peer"
)

const (
	maxWaiting      = 4096 // events that wait for what stands before them
	maxWaitingBytes = 16 << 20
	waitingPart     = 4 // such a part of both is for one author
	waitingTime     = time.Hour
)

// A waiting is an event that has come from a mailbox, and waits for what stands before it: until that has come
// from there, from another mailbox, or from a member.
type waiting struct {
	e     *event.Event
	by    event.Identity // zero: a device that is not in the room
	from  peer.ID
	in    *letters
	blob  mailbox.ID
	until time.Time
}

// receive has an event wait that has come. Nobody can keep others' events from waiting by many that wait for
// nothing that there is.
func (p *post) receive(e *event.Event, from peer.ID, in *letters, blob mailbox.ID) {
	by := p.room.now.Load().devices[e.Device]
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.waiting[e.ID]; w != nil && (!w.e.Erased() || e.Erased()) {
		return
	}
	p.waiting[e.ID] = &waiting{e, by, from, in, blob, time.Now().Add(waitingTime)}
	p.shorten(maxWaiting/waitingPart, maxWaitingBytes/waitingPart, func(w *waiting) bool { return w.by == by })
	p.shorten(maxWaiting, maxWaitingBytes, func(*waiting) bool { return true })
}

// shorten has the latest of some events wait no longer, until there are not too many: the first ones are those
// that may be taken into the room next. It is called with mu held.
func (p *post) shorten(most, bytes int, of func(*waiting) bool) {
	for {
		n, size := 0, 0
		var last *waiting
		for _, w := range p.waiting {
			if of(w) {
				n, size = n+1, size+len(w.e.Payload)
				if last == nil || last.e.Key().Less(w.e.Key()) {
					last = w
				}
			}
		}
		if n <= most && size <= bytes {
			return
		}
		p.drop(last.e.ID, true)
	}
}

// drop has an event wait no longer; again tells that its blob is to be fetched again. It is called with mu held.
func (p *post) drop(id event.ID, again bool) {
	w := p.waiting[id]
	if w == nil {
		return
	}
	delete(p.waiting, id)
	if again {
		delete(w.in.seen, w.blob)
	}
}

// settle takes into the room what waits for nothing any more.
func (p *post) settle(ctx context.Context) error {
	events, links := p.arrived()
	if len(events) == 0 {
		return nil
	}
	r := p.room
	lacking := map[event.ID]bool{}
	for part := range slices.Chunk(links, 1000) {
		ids, err := set{r}.Lacks(ctx, convert[[32]byte](part))
		if err != nil {
			return err
		}
		for _, id := range ids {
			lacking[event.ID(id)] = true
		}
	}
	var ready []meet.Blob
	var size int
	for i, e := range events {
		// What stands before it has a lesser time, so it was looked at.
		if slices.ContainsFunc(e.Links(), func(id event.ID) bool { return lacking[id] }) {
			continue
		}
		delete(lacking, e.ID)
		blob := r.blob(e)
		blob.Bytes = e.Bytes()
		ready, size = append(ready, blob), size+len(blob.Bytes)
		if len(ready) == 500 || size > 4<<20 || i == len(events)-1 {
			if err := p.admit(ctx, ready); err != nil {
				return err
			}
			ready, size = nil, 0
		}
	}
	return p.admit(ctx, ready)
}

// arrived returns all that waits, in order, and what it stands on.
func (p *post) arrived() (events []*event.Event, links []event.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, all := time.Now(), map[event.ID]bool{}
	for id, w := range p.waiting {
		if now.After(w.until) {
			p.drop(id, true)
			continue
		}
		events = append(events, w.e)
		for _, id := range append(w.e.Links(), id) {
			if !all[id] {
				all[id] = true
				links = append(links, id)
			}
		}
	}
	slices.SortFunc(events, func(a, b *event.Event) int { return a.Key().Compare(b.Key()) })
	return events, links
}

// admit takes events into the room, and tells those who are connected of them.
func (p *post) admit(ctx context.Context, blobs []meet.Blob) error {
	if len(blobs) == 0 {
		return nil
	}
	r := p.room
	if err := (set{r}).Take(ctx, blobs); err != nil {
		return err
	}
	p.mu.Lock()
	for i := range blobs {
		p.drop(event.ID(blobs[i].ID), false)
	}
	p.mu.Unlock()
	if m := r.meets.Load(); m != nil {
		blobs = slices.DeleteFunc(blobs, func(b meet.Blob) bool { return !r.index.Has(b.Key) })
		if len(blobs) > 0 {
			m.Push(blobs...)
		}
	}
	return nil
}
