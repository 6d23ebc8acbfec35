package chat

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
)

const (
	tendEvery  = time.Minute
	knockEvery = 30 * time.Second
	markEvery  = time.Second

	noteTyping = 1
	noteRead   = 2 // and a key: up to where the user has read
)

// tend does what has to be done in a room whoever is there: it enters, it meets, it says how far it has got, and
// does what owners owe the others.
func (r *Room) tend() {
	defer close(r.tended)
	ctx := r.ctx
	err := r.log.Keys(ctx, func(keys []log.Key) error {
		for _, k := range keys {
			r.index.Add(rbsr.Key(k))
		}
		return nil
	})
	if err != nil {
		return
	}
	r.indexed.Store(true)
	defer r.unmeet()
	defer r.post.dismiss()
	var ticked, marked, knocked time.Time
	for {
		now := time.Now()
		next := ticked.Add(tendEvery)
		if !now.Before(next) {
			ticked, next = now, now.Add(tendEvery)
			r.tick(ctx) //nolint:errcheck // another try follows in a minute
		}
		state := r.now.Load().State
		if state == Joining {
			if r.asked.Swap(false) {
				knocked = time.Time{}
			}
			if !now.Before(knocked.Add(knockEvery)) {
				knocked = now
				r.knockAll(ctx)
			}
			next = earliest(next, knocked.Add(knockEvery))
			r.enter(ctx) //nolint:errcheck // another try follows
		}
		next = earliest(next, r.acquaint(ctx, &knocked))
		r.assemble(ctx)
		r.tendPrekeys(ctx) //nolint:errcheck // another try follows
		next = earliest(next, r.relate(ctx))
		r.post.employ()
		next = earliest(next, r.greet(ctx))
		next = earliest(next, r.prepare(ctx))
		left, again := r.clearOutbox(ctx, now)
		next = earliest(next, again)
		if state == Leaving && left == 0 {
			r.leave(ctx) //nolint:errcheck // another try follows
		}
		next = earliest(next, r.drainHeld(ctx))
		r.followRead(ctx) //nolint:errcheck // the database has failed: it is told anew
		if at := marked.Add(markEvery); now.Before(at) {
			next = earliest(next, at)
		} else {
			marked = now
			r.tellMark(ctx) //nolint:errcheck // another try follows
			r.tellMarks()
			r.tellRead(ctx)
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-r.wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// assemble has the room met in if it is to be, and not if it is not.
func (r *Room) assemble(ctx context.Context) {
	give, err := r.take(ctx)
	if err != nil {
		return
	}
	p, mended := r.place, r.mended
	r.mended = false
	give()
	if mended {
		r.unmeet()
	}
	want := p.secret != [32]byte{} && p.state != Left
	switch {
	case want && r.meets.Load() == nil:
		r.meets.Store(r.chat.meet.Open(meet.Config{Secret: p.secret[:], Set: set{r}, Places: whereabouts{r}, Parse: r.parse, Members: r.members, Parted: r.partedBy, Rate: r.chat.Rate,
			Note: r.noted, Given: r.given, Event: func(who peer.ID, _ string, _ error) {
				r.chat.tell(Notice{Kind: Connected, Room: r.id, Peer: who})
				r.poke() // for what a device of the user's is told
			}}))
	case !want:
		r.unmeet()
	}
}

func (r *Room) unmeet() {
	if m := r.meets.Swap(nil); m != nil {
		m.Close()
	}
}

// knockAll asks those who may let us in, until one does.
func (r *Room) knockAll(ctx context.Context) {
	give, err := r.take(ctx)
	if err != nil {
		return
	}
	p := r.place
	give()
	for _, host := range p.hosts {
		host = r.chat.heir(host)
		if got, err := r.knock(ctx, p, host); err == nil {
			r.admitGuest(host) // its key may be a new one, too
			if give, err := r.take(ctx); err == nil {
				if r.place.state == Joining {
					r.keep(ctx, got) //nolint:errcheck // another try follows
				}
				give()
			}
			return
		}
	}
}

// enter enters the room, once the event is there by which we may.
func (r *Room) enter(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	p := r.place
	if who, in := r.state.Device(r.chat.self); in && who == r.chat.me {
		p.state, p.seed = Inside, [32]byte{} // a ticket was good for coming back
		return r.keep(ctx, p)
	}
	if r.ousted(r.chat.self) {
		return nil
	}
	if _, there := r.past.Node(p.via); !there || p.via.IsZero() {
		return r.past.err
	}
	b := &event.Enter{Cert: r.chat.cert, Prekey: r.chat.prekey(), Via: p.via, Called: r.chat.suggests()}
	if p.seed != [32]byte{} {
		b.Proof = event.AcceptInvite(peer.KeyFromSeed(p.seed), r.id, p.via, r.chat.me, r.chat.self)
	}
	if _, err := r.control(ctx, b); err != nil {
		return err
	}
	p = r.place
	p.state, p.seed = Inside, [32]byte{}
	p.receipts = r.acts.created != nil && r.acts.created.Direct
	return r.keep(ctx, p)
}

func (r *Room) leave(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	return r.become(ctx, Left)
}

// drainHeld looks at what was held once its time has come, and returns when the next look is due.
func (r *Room) drainHeld(ctx context.Context) time.Time {
	give, err := r.take(ctx)
	if err != nil {
		return time.Time{}
	}
	defer give()
	if !r.held.due.IsZero() && !time.Now().Before(r.held.due) {
		items, err := r.admit(ctx, r.held.drain(), false)
		if m := r.meets.Load(); err == nil && m != nil {
			for i := range items {
				m.Push(r.blob(items[i].e))
			}
		}
	}
	return r.held.due
}

// tick does what is done now and then.
func (r *Room) tick(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	if r.acts.timed {
		if n, err := r.log.EraseDue(ctx, uint64(time.Now().UnixMilli())); err != nil || n > 0 {
			r.tell(MessageChanged, event.Key{}, event.Identity{})
		}
	}
	if err := r.chat.renew(ctx, PrekeyAge); err != nil {
		return err
	}
	if err := r.forgetSecrets(ctx); err != nil {
		return err
	}
	if r.may(event.Owner) != nil {
		return nil
	}
	return r.owe(ctx)
}

// owe does what owners do for the others: they revoke invites that have expired, and add those who have come by
// one, whose places then do not depend on it any more. The most senior one does it at once, the
// others if he does not.
func (r *Room) owe(ctx context.Context) error {
	before := 0
	for _, m := range r.state.Members() {
		if m.Identity == r.chat.me {
			break
		}
		if m.Role == event.Owner {
			before++
		}
	}
	patience := time.Duration(before) * 10 * time.Minute
	now := time.Now()
	open := map[event.ID]bool{}
	for _, id := range r.state.Invites(now.Add(-patience)) {
		open[id] = true
	}
	for _, id := range r.state.Invites(time.UnixMilli(0)) {
		if !open[id] {
			if _, err := r.control(ctx, &event.Revoke{Invite: id}); err != nil {
				return err
			}
		}
	}
	for _, m := range r.state.Members() {
		if r.acts.entered[m.Rank.ID] && !r.acts.added[m.Identity] && now.Sub(event.Time(m.Rank.Time)) >= patience {
			if _, err := r.control(ctx, &event.Add{Member: m.Identity, Role: m.Role}); err != nil {
				return err
			}
		}
	}
	return nil
}

// greet shares the secrets of what was said with those who have entered since, where a room says that they
// get them. The most senior who can does it at once, the others later, one after the other. It returns when it is this
// one's turn.
func (r *Room) greet(ctx context.Context) time.Time {
	give, err := r.take(ctx)
	if err != nil {
		return time.Time{}
	}
	defer give()
	if !r.owing || !r.historic() || r.may(event.Member) != nil {
		return time.Time{}
	}
	if len(r.state.Lacking(maxShared, r.knows)) == 0 {
		r.lacking, r.owing = time.Time{}, false
		return time.Time{}
	}
	if !r.due(&r.lacking, r.seniors()) {
		return r.lacking
	}
	r.shareAll(ctx) //nolint:errcheck // another try follows
	return time.Time{}
}

// vanishing returns how long messages are kept; 0: for good. It is called with the turn.
func (r *Room) vanishing() time.Duration {
	v := r.state.Property(event.PropertyTTL)
	if len(v) != 8 {
		return 0
	}
	return time.Duration(min(binary.BigEndian.Uint64(v), uint64(math.MaxInt64/time.Second))) * time.Second
}

// opens returns up to when somebody may enter by an invite; zero: nobody may. It is called with the turn.
func (r *Room) opens() (until time.Time) {
	if r.may(event.Reader) != nil {
		return until
	}
	for _, id := range r.state.Invites(time.Now()) {
		at := time.Now().AddDate(100, 0, 0)
		if i := r.acts.invites[id]; i != nil && i.Expiry > 0 {
			at = time.UnixMilli(int64(min(i.Expiry, math.MaxInt64)))
		}
		if at.After(until) {
			until = at
		}
	}
	return until
}

// seniors returns how many members are senior to the user. It is called with the turn.
func (r *Room) seniors() int {
	return slices.IndexFunc(r.state.Members(), func(m room.Membership) bool { return m.Identity == r.chat.me })
}

// due tells whether this one is to do now what has to be done once: the first does it at once, the others a
// second later each, of whom so many come before this one. At is when it is this one's turn, and zero before it is known and after it has come. It is called
// with the turn of the room.
func (r *Room) due(at *time.Time, before int) bool {
	if at.IsZero() {
		*at = time.Now().Add(time.Duration(min(before, 30)) * time.Second)
	}
	if time.Now().Before(*at) {
		return false
	}
	*at = time.Time{}
	return true
}

// historic tells whether who enters gets the secrets of what was said before. It is called with the turn.
func (r *Room) historic() bool {
	return slices.Equal(r.state.Property(event.PropertyHistory), []byte{1})
}

// Typing tells those who are connected that the user is writing. It is never kept.
func (r *Room) Typing() {
	if m := r.meets.Load(); m != nil {
		m.Say([]byte{noteTyping})
	}
}

func (r *Room) noted(from peer.ID, note []byte) {
	who, ok := r.now.Load().devices[event.Device(from.Bytes())]
	switch {
	case !ok:
	case note[0] == noteTyping && !r.chat.blocked(who):
		r.chat.tell(Notice{Kind: Typing, Room: r.id, Who: who, Peer: from})
	case note[0] == noteRead && who == r.chat.me:
		r.readElsewhere(from, note)
	}
}

// Forget forgets a room with all that was said in it. Who is a member stays one: see Leave.
func (r *Room) Forget(ctx context.Context) error {
	r.stop()
	<-r.tended
	r.unmeet()
	if err := r.chat.vault.forget(ctx, r.id); err != nil {
		return err
	}
	r.chat.mu.Lock()
	delete(r.chat.rooms, r.id)
	r.chat.mu.Unlock()
	return r.log.Drop(ctx)
}
