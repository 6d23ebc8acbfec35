package chat

import (
	"context"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/room"
)

// maxSaid is how many events are made at once, at most.
const maxSaid = 256

// A saying is an event that is to be made, and sealed. Many who say something at once share one transaction: whoever
// has the turn makes the events of all who wait for it.
type saying struct {
	body event.Body
	done chan struct{} // closed when what follows is there
	key  event.Key
	err  error
}

// SayAll is Say for several messages, in their order: they are kept at once, which costs less than one by one, and
// do not wait until others take so many. If there is an error,
// some may have been said: those whose Key is not zero.
func (r *Room) SayAll(ctx context.Context, all []Message) ([]event.Key, error) {
	bodies := make([]event.Body, len(all))
	for i, m := range all {
		bodies[i] = m.body()
	}
	return r.contents(ctx, bodies...)
}

// content makes an event that is sealed, with a new epoch before it if one is needed.
func (r *Room) content(ctx context.Context, body event.Body) (event.Key, error) {
	if err := r.paced(ctx); err != nil {
		return event.Key{}, err
	}
	keys, err := r.contents(ctx, body)
	return keys[0], err
}

// contents makes events that are sealed. The Key of one that was not made is zero.
func (r *Room) contents(ctx context.Context, bodies ...event.Body) ([]event.Key, error) {
	all := make([]*saying, len(bodies))
	for i, body := range bodies {
		all[i] = &saying{body: body, done: make(chan struct{})}
	}
	r.mu.Lock()
	r.saying = append(r.saying, all...)
	r.mu.Unlock()
	keys := make([]event.Key, len(all))
	var failed error
	for i, s := range all {
		err := r.await(ctx, s)
		if failed == nil {
			failed = err
		}
		if err == nil {
			keys[i] = s.key
		}
	}
	return keys, failed
}

// await waits until something is said, and says it, with all that is to be said, if it gets the turn meanwhile.
func (r *Room) await(ctx context.Context, s *saying) error {
	select {
	case <-s.done:
		return s.err
	default:
	}
	give, err := r.takeUnless(ctx, s.done)
	switch {
	case err == nil:
		r.sayAll()
		give()
	case r.unsay(s):
		return err
	}
	<-s.done // or it waits for the turn of somebody who came later
	return s.err
}

// unsay takes back what is to be said, if nobody has begun to say it.
func (r *Room) unsay(s *saying) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.saying, s)
	if i < 0 {
		return false
	}
	r.saying = slices.Delete(r.saying, i, i+1)
	return true
}

// sayAll says what was to be said when it is called: what comes then waits for the next turn, so that others get one. It is
// called with the turn.
func (r *Room) sayAll() {
	r.mu.Lock()
	left := len(r.saying)
	r.mu.Unlock()
	for left > 0 {
		r.mu.Lock()
		part := slices.Clone(r.saying[:min(left, maxSaid, max(1, room.EpochEvents-r.sealed))])
		r.saying = slices.Delete(r.saying, 0, len(part))
		r.mu.Unlock()
		left -= len(part)
		r.say(r.ctx, part)
		for _, s := range part {
			close(s.done)
		}
	}
}

// say makes events, and has others told. Who waits for one may give up, but then the others do not. It is called with the turn.
func (r *Room) say(ctx context.Context, part []*saying) {
	part = slices.DeleteFunc(slices.Clone(part), func(s *saying) bool {
		if s.err = r.may(event.Member); s.err != nil {
			return true
		}
		if id := targetOf(s.body); !id.IsZero() {
			s.err = r.mayChange(ctx, s.body, id)
		}
		return s.err != nil
	})
	if len(part) == 0 {
		return
	}
	items, err := r.seal(ctx, part)
	if err == nil && len(items) > 0 {
		err = r.settle(context.WithoutCancel(ctx), items, false, true)
	}
	if err != nil {
		for _, s := range part {
			s.err = err
		}
		return
	}
	if m := r.meets.Load(); m != nil {
		blobs := make([]meet.Blob, len(items))
		for i := range items {
			blobs[i] = r.blob(items[i].e)
		}
		m.Push(blobs...)
	}
}

// seal makes the events, each of which stands on the one before. The error is of all; some may have one of their own.
func (r *Room) seal(ctx context.Context, part []*saying) (items []item, err error) {
	epoch, err := r.epoch(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.past.begin(ctx, nil); err != nil {
		return nil, err
	}
	for _, s := range part {
		d, err := r.draft(s.body)
		if err != nil {
			return nil, r.fail(err)
		}
		d.Epoch = epoch
		e, err := d.Seal(r.chat.Device, r.secrets[epoch])
		if err != nil {
			s.err = err
			continue
		}
		r.queue(e.ID)
		r.past.absent[e.ID] = true // nobody else has made it
		more, _ := r.add([]*event.Event{e}, true)
		if len(more) == 0 {
			s.err = room.ErrRefused // what is made here is by the rules of [room.Room.Draft]
			continue
		}
		s.key, items = e.Key(), append(items, more...)
	}
	if r.past.err != nil {
		return nil, r.fail(r.past.err)
	}
	return items, nil
}
