package chat

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
)

const (
	postAge      = 30 * 24 * time.Hour // what is older is not put into mailboxes
	maxPosted    = 32 << 10            // events that may be in them
	maxBoxes     = 32                  // epochs
	controlBoxes = 3                   // epochs for whose boxes a control event is
	maxQueued    = 1000                // events that were not looked at yet
	maxSeen      = 16 << 10            // blobs of a box that are not those of our events
)

// A post is what a room has to do with mailboxes: what is for which box, what has come and waits, and one carrier
// for each mailbox.
type post struct {
	room  *Room
	token chan struct{} // has room for one: whoever has put something in works on what is in boxes

	mu       sync.Mutex // guards what follows
	carriers map[peer.ID]*carrier
	boxes    []*letters // in the order of their epochs
	known    map[event.ID]bool
	posted   int
	queue    []*event.Event
	overflow bool // the queue was full: all is to be looked at again
	waiting  map[event.ID]*waiting
}

// Letters are what is for the box of an epoch.
type letters struct {
	epoch  event.Key
	secret *event.Secret
	box    *peer.Key
	index  rbsr.Set // of the blobs of our events

	// The post's mu guards these.
	prekey mailbox.ID // of this device: what is in the blob
	given  []byte     // the blob
	events map[mailbox.ID]event.ID
	seen   map[mailbox.ID]bool // blobs that have come: of events that wait, or that we have in another form, or of nothing
}

func newPost(r *Room) *post {
	return &post{room: r, token: make(chan struct{}, 1), carriers: map[peer.ID]*carrier{}, known: map[event.ID]bool{}, waiting: map[event.ID]*waiting{}}
}

// add notes events that are new in the room.
func (p *post) add(items []item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.carriers) == 0 {
		return
	}
	for i := range items {
		if len(p.queue) >= maxQueued {
			p.queue, p.overflow = nil, true
		}
		if !p.overflow {
			p.queue = append(p.queue, items[i].e)
		}
	}
	for _, c := range p.carriers {
		c.poke()
	}
}

// poke has all carriers look what is new here.
func (p *post) poke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.carriers {
		c.poke()
	}
}

// index brings up to date what is for which box.
func (p *post) index(ctx context.Context) error {
	select {
	case p.token <- struct{}{}:
		defer func() { <-p.token }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	if p.posted > 2*maxPosted || p.overflow {
		p.boxes, p.known, p.posted = nil, map[event.ID]bool{}, 0
	}
	queue := p.queue
	p.queue, p.overflow = nil, false
	p.mu.Unlock()
	from, err := p.open(ctx)
	if err != nil {
		return err
	}
	p.addPrekey()
	for _, e := range queue {
		p.sort(e)
	}
	for from != (log.Key{}) {
		page, err := p.room.log.All(ctx, log.Key(from), 200)
		if err != nil {
			return err
		}
		for i := range page {
			e, err := event.Read(whole(&page[i]))
			if err != nil {
				return err
			}
			p.sort(e)
			from = page[i].Key
		}
		if len(page) < 200 {
			break
		}
	}
	return nil
}

// open has boxes for epochs whose secrets are new, and returns from where on events are to be looked at for
// them; zero: from nowhere.
func (p *post) open(ctx context.Context) (from log.Key, err error) {
	give, err := p.room.take(ctx)
	if err != nil {
		return from, err
	}
	defer give()
	// Who has the token alone changes these, so he reads them without the mutex.
	first := len(p.boxes) == 0
	var fresh []*letters
	for id, s := range p.room.secrets {
		if p.known[id] {
			continue
		}
		if n, ok := p.room.past.Node(id); ok {
			fresh = append(fresh, &letters{epoch: event.Key{Time: n.Time, ID: id}, secret: s, box: s.MailboxKey(),
				events: map[mailbox.ID]event.ID{}, seen: map[mailbox.ID]bool{}})
		}
	}
	if err := p.room.past.err; err != nil || len(fresh) == 0 {
		return from, err
	}
	p.mu.Lock()
	for _, l := range fresh {
		p.known[l.epoch.ID] = true
	}
	p.boxes = append(p.boxes, fresh...)
	slices.SortFunc(p.boxes, func(a, b *letters) int { return a.epoch.Compare(b.epoch) })
	p.boxes = slices.Clone(p.boxes[max(0, len(p.boxes)-maxBoxes):])
	p.mu.Unlock()
	if first {
		return p.window(), nil
	}
	from = log.Key{Time: fresh[0].epoch.Time}
	for _, l := range fresh {
		from.Time = min(from.Time, l.epoch.Time)
	}
	return from, nil
}

// window returns from where on events may be for mailboxes: the latest ones that are not too many.
func (p *post) window() log.Key {
	for age := postAge; ; age /= 2 {
		from := rbsr.Key{Time: event.Stamp(time.Now().Add(-age))}
		if _, n := p.room.index.Fingerprint(from, rbsr.End); n <= maxPosted || age < time.Minute {
			return log.Key(from)
		}
	}
}

// sort finds out for which boxes an event is: that of its epoch, or if it has none those of the latest ones
// before it. So who has the secret of an earlier epoch finds the events that lead to a later one.
func (p *post) sort(e *event.Event) {
	if time.Since(event.Time(e.Time)) > postAge {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	left := controlBoxes
	for _, l := range slices.Backward(p.boxes) {
		if e.Kind.Control() {
			if left == 0 {
				return
			}
			if !l.epoch.Less(e.Key()) {
				continue
			}
			left--
		} else if l.epoch.ID != e.Epoch {
			continue
		}
		id := mailbox.IDOf(l.secret.Outer(e))
		if l.index.Add(mailbox.KeyOf(id)) > 0 {
			l.events[id] = e.ID
			p.posted++
		}
		delete(l.seen, id)
	}
}

// addPrekey has the prekey of this device be in the latest boxes, if it is not the one with which it has entered: those
// who meet nobody would not be told of it.
func (p *post) addPrekey() {
	own := p.room.ownPrekey()
	if own == nil {
		return
	}
	for _, l := range p.latest(2) {
		blob := l.secret.OuterPrekey(own)
		id := mailbox.IDOf(blob)
		p.mu.Lock()
		if l.prekey != id {
			if l.given != nil {
				l.index.Remove(mailbox.KeyOf(l.prekey))
				l.seen[l.prekey] = true
			}
			l.index.Add(mailbox.KeyOf(id))
			l.prekey, l.given = id, blob
		}
		p.mu.Unlock()
	}
}

// latest returns the last boxes.
func (p *post) latest(n int) []*letters {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.boxes[max(0, len(p.boxes)-n):])
}

// unseen returns those of the IDs whose blobs have not come yet, at most so many.
func (p *post) unseen(l *letters, ids []mailbox.ID, most int) (all []mailbox.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if len(all) < most && !l.seen[id] {
			all = append(all, id)
		}
	}
	return all
}

// saw notes that a blob has come.
func (p *post) saw(l *letters, id mailbox.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(l.seen) >= maxSeen {
		clear(l.seen) // what has come before comes again
	}
	l.seen[id] = true
}

// blobs returns those blobs that can be made and are not too old for a mailbox, and the keys of what is in them.
func (p *post) blobs(ctx context.Context, l *letters, ids []mailbox.ID, keep time.Duration) (blobs [][]byte, keys []rbsr.Key, err error) {
	p.mu.Lock()
	var events []log.ID
	for _, id := range ids {
		if e, ok := l.events[id]; ok {
			events = append(events, log.ID(e))
		}
	}
	p.mu.Unlock()
	rows, err := p.room.log.Get(ctx, events...)
	if err != nil {
		return nil, nil, err
	}
	made := map[mailbox.ID]bool{}
	if p.mu.Lock(); slices.Contains(ids, l.prekey) && l.given != nil {
		blobs, made[l.prekey] = append(blobs, l.given), true
	}
	p.mu.Unlock()
	for i := range rows {
		e, err := event.Read(whole(&rows[i]))
		if err != nil {
			return nil, nil, err
		}
		age := time.Since(event.Time(e.Time))
		b := l.secret.Outer(e)
		made[mailbox.IDOf(b)] = age < postAge
		if age >= min(keep, postAge) {
			continue
		}
		blobs, keys = append(blobs, b), append(keys, meetKey(e.Key()))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if !made[id] { // it was erased since, or is too old
			l.index.Remove(mailbox.KeyOf(id))
			delete(l.events, id)
		}
	}
	return blobs, keys, nil
}
