// Package notify tells a person of what is said to him in rooms when no screen of his shows it: by the notifications of
// the desktop, and by running programs. What is worth it is decided here; who wants to know all that happens follows the
// events of the node.
//
//   - notify.go: what is told when. desktop.go: the desktop, by D-Bus. hook.go: programs, and other ends.
package notify

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// Desktop, in [Config].To, stands for the notifications of the desktop.
const Desktop = "desktop"

// A Node is where people talk. What its methods promise stands at those of [api.Client].
type Node interface {
	Room(ctx context.Context, room string) (api.Room, error)
	RoomMessage(ctx context.Context, room, message string) (api.RoomMessage, error)
	RoomOffers(ctx context.Context) ([]api.RoomOffer, error)
	RoomEvents(ctx context.Context, after uint64) iter.Seq2[api.RoomEvent, error]
}

// Config says what is told to whom.
type Config struct {
	Node Node
	To   []string // Desktop, and addresses to which each notification is written, in JSON

	// Dial opens one of the addresses, as [transport.Stream]. The context has variables of an environment.
	Dial func(ctx context.Context, address string) (transport.Stream, error)

	// Warn is called with what cannot be done, not often. The text may have parts of others in it.
	Warn func(text string)

	Delay time.Duration // how long something may be unread until it is told of; 0 = [DefaultDelay]
}

// DefaultDelay is enough for a screen that shows a message to say that it was read.
const DefaultDelay = 2 * time.Second

// Why a person is told of something.
const (
	Mention = "mention" // it names him
	Direct  = "direct"  // it was said to him alone
	Offer   = "offer"   // he is invited to a room
)

// A Notification is one thing that a person is told of. All texts are harmless, as those of package api are.
type Notification struct {
	Why     string           `json:"why"`
	Room    string           `json:"room"` // its ID
	Name    string           `json:"name"` // of the room; "" = it has none
	From    string           `json:"from"`
	Message *api.RoomMessage `json:"message,omitempty"` // none of an offer
}

// A sink passes notifications on. Its methods are called by one goroutine, and wait for nobody.
type sink interface {
	notify(n Notification)
	read(room string) // nothing that was said there is unread any more
	close()           // returns when nothing goes on any more
}

// A Notifier tells a person until it is closed.
type Notifier struct {
	Config
	sinks   []sink
	cancel  context.CancelFunc
	all     sync.WaitGroup
	events  chan api.RoomEvent
	pending []pending       // the oldest first; of run alone
	waiting map[string]bool // messages that could not be read when they came; of run alone
}

// A pending is something that a person is told of at a time, unless he knows by then.
type pending struct {
	due   time.Time
	event api.RoomEvent
}

// maxPending bounds what waits to be told, and what cannot be read yet: of more, nobody is told.
const maxPending = 1000

// New begins to tell.
func New(c Config) *Notifier {
	var sinks []sink
	for _, to := range c.To {
		if to == Desktop {
			sinks = append(sinks, newDesktop(c.Warn))
		} else {
			sinks = append(sinks, newHook(to, c.Dial, c.Warn))
		}
	}
	return begin(c, sinks)
}

func begin(c Config, sinks []sink) *Notifier {
	n := &Notifier{Config: c, sinks: sinks, events: make(chan api.RoomEvent), waiting: map[string]bool{}}
	n.Delay = cmp.Or(c.Delay, DefaultDelay)
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	n.all.Go(func() { n.listen(ctx) })
	n.all.Go(func() { n.run(ctx) })
	return n
}

// Close ends it, and what it has started, and returns when nothing of it is left.
func (n *Notifier) Close() error {
	n.cancel()
	n.all.Wait()
	for _, s := range n.sinks {
		s.close()
	}
	return nil
}

// retry is the time until a node that cannot be heard is listened to again.
const retry = time.Second

// listen hears what happens.
func (n *Notifier) listen(ctx context.Context) {
	for ctx.Err() == nil {
		for e, err := range n.Node.RoomEvents(ctx, 0) {
			if err != nil {
				break
			}
			select {
			case n.events <- e:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
	}
}

// run tells of what is due.
func (n *Notifier) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if len(n.pending) > 0 {
			timer.Reset(time.Until(n.pending[0].due))
		}
		select {
		case e := <-n.events:
			n.happened(ctx, e)
		case <-timer.C:
			for len(n.pending) > 0 && !n.pending[0].due.After(time.Now()) {
				e := n.pending[0].event
				n.pending = n.pending[1:]
				n.due(ctx, e)
			}
		case <-ctx.Done():
			return
		}
	}
}

// happened takes note of what has happened.
func (n *Notifier) happened(ctx context.Context, e api.RoomEvent) {
	m := e.Message
	switch {
	case e.Type == api.RoomRead:
		if r, err := n.Node.Room(ctx, e.Room); err == nil && r.Unread == 0 {
			for _, s := range n.sinks {
				s.read(e.Room)
			}
		}
		return
	case e.Type == api.RoomOffered:
	case m == nil || m.Mine || m.Kind == "control" || m.Deleted || m.Erased:
		return
	case m.Waiting:
		if len(n.waiting) < maxPending {
			n.waiting[m.ID] = true
		}
		return
	case e.Type == api.RoomChanged && n.waiting[m.ID]: // it can be read now
		delete(n.waiting, m.ID)
	case e.Type != api.RoomNewMessage:
		return
	}
	if len(n.pending) < maxPending {
		n.pending = append(n.pending, pending{time.Now().Add(n.Delay), e})
	}
}

// due tells of something, if it is worth it.
func (n *Notifier) due(ctx context.Context, e api.RoomEvent) {
	var x Notification
	var ok bool
	if e.Type == api.RoomOffered {
		x, ok = n.offer(ctx, e)
	} else {
		x, ok = n.message(ctx, e)
	}
	if ok {
		for _, s := range n.sinks {
			s.notify(x)
		}
	}
}

// offer returns what to tell of an offer that has neither been accepted nor declined.
func (n *Notifier) offer(ctx context.Context, e api.RoomEvent) (Notification, bool) {
	offers, err := n.Node.RoomOffers(ctx)
	if err != nil {
		return Notification{}, false
	}
	for _, o := range offers {
		if o.ID == e.Room {
			return Notification{Why: Offer, Room: o.ID, Name: o.Name, From: o.From}, true
		}
	}
	return Notification{}, false
}

// message returns what to tell of a message as it is now.
func (n *Notifier) message(ctx context.Context, e api.RoomEvent) (Notification, bool) {
	r, err := n.Node.Room(ctx, e.Room)
	m, failed := n.Node.RoomMessage(ctx, e.Room, e.Message.ID)
	if errors.Join(err, failed) != nil || m.Deleted || m.Erased || m.Waiting || n.wasRead(ctx, &r, &m) {
		return Notification{}, false
	}
	x := Notification{Room: r.ID, Name: r.Name, From: m.From, Message: &m}
	switch {
	case m.MentionMe:
		x.Why = Mention
	case r.Direct && !r.Muted:
		x.Why = Direct
	default:
		return x, false
	}
	return x, true
}

// wasRead tells whether a message was read, here or on another device.
func (n *Notifier) wasRead(ctx context.Context, r *api.Room, m *api.RoomMessage) bool {
	if r.Unread == 0 || m.Late || r.Read == "" {
		return r.Unread == 0
	}
	read, err := n.Node.RoomMessage(ctx, r.ID, r.Read)
	return err == nil && (read.ID == m.ID || read.Time.After(m.Time))
}
