package chat

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
)

// A Message is what somebody says.
type Message struct {
	Text     string
	Reply    event.ID // what it answers; zero: nothing
	Mentions []event.Identity
}

// Say says something. When it returns, the message is kept, and goes to others as they are met.
func (r *Room) Say(ctx context.Context, m Message) (event.Key, error) {
	return r.content(ctx, m.body())
}

func (m *Message) body() event.Body {
	return &event.Text{Text: m.Text, Reply: m.Reply, Mentions: ascending(m.Mentions)}
}

// Edit replaces the text of a message of the user's. Reply does not matter.
func (r *Room) Edit(ctx context.Context, id event.ID, m Message) (event.Key, error) {
	return r.content(ctx, &event.Edit{Target: id, Text: m.Text, Mentions: ascending(m.Mentions)})
}

// Delete takes a message of the user's back; an owner takes anybody's away.
func (r *Room) Delete(ctx context.Context, id event.ID) (event.Key, error) {
	return r.content(ctx, &event.Delete{Target: id})
}

// React adds a reaction to a message, or takes it back.
func (r *Room) React(ctx context.Context, id event.ID, emoji string, off bool) (event.Key, error) {
	return r.content(ctx, &event.React{Target: id, Emoji: emoji, Off: off})
}

// Send says something that is a share.
func (r *Room) Send(ctx context.Context, f event.File) (event.Key, error) { return r.content(ctx, &f) }

// Pin puts a message where all see it, or takes it from there. Only an owner's counts.
func (r *Room) Pin(ctx context.Context, id event.ID, off bool) (event.Key, error) {
	return r.content(ctx, &event.Pin{Target: id, Off: off})
}

func ascending(ids []event.Identity) []event.Identity {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b event.Identity) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// may tells whether the user has a role.
func (r *Room) may(role event.Role) error {
	switch is := r.state.RoleNow(r.chat.me); {
	case is == event.Nobody || r.place.state != Inside || r.ousted(r.chat.self):
		return ErrOutside
	case is < role:
		return ErrRole
	}
	return nil
}

func (r *Room) mayChange(ctx context.Context, body event.Body, id event.ID) error {
	rows, err := r.log.Get(ctx, log.ID(id))
	if err != nil {
		return err
	}
	if len(rows) == 0 || rows[0].Kind < byte(event.KindText) {
		return ErrMessage
	}
	own, owner := event.Identity(rows[0].Author) == r.chat.me, r.may(event.Owner) == nil
	switch body.(type) {
	case *event.Edit:
		if !own {
			return fmt.Errorf("%w: only who has said it can edit it", ErrRole)
		}
	case *event.Delete:
		if !own && !owner {
			return ErrRole
		}
	case *event.Pin:
		if !owner {
			return ErrRole
		}
	}
	return nil
}

// draft returns the next event of this device.
func (r *Room) draft(body event.Body) (event.Draft, error) {
	d, after := r.state.Draft(r.chat.self)
	var err error
	d.Body = body
	if d.Time, err = r.chat.clock.Next(after); err == nil {
		err = r.past.err
	}
	return d, err
}

// act makes a control event that takes a role. The body is worked out with the turn.
func (r *Room) act(ctx context.Context, role event.Role, body func() (event.Body, error)) (*event.Event, error) {
	give, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	if err := r.may(role); err != nil {
		return nil, err
	}
	b, err := body()
	if err != nil {
		return nil, err
	}
	return r.control(ctx, b)
}

// control makes a control event. It is called with the turn.
func (r *Room) control(ctx context.Context, body event.Body) (*event.Event, error) {
	d, err := r.draft(body)
	if err != nil {
		return nil, err
	}
	e, err := d.Sign(r.chat.Device)
	if err != nil {
		return nil, err
	}
	return e, r.made(ctx, e)
}

// own adds an event that was made here before there was a room.
func (r *Room) own(ctx context.Context, e *event.Event) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	return r.made(ctx, e)
}

// made adds an event that was made here, and has others told. It is called with the turn.
func (r *Room) made(ctx context.Context, e *event.Event) error {
	r.queue(e.ID)
	items, err := r.admit(ctx, []*event.Event{e}, true)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return room.ErrRefused // what is made here is by the rules of [room.Room.Draft]
	}
	if m := r.meets.Load(); m != nil {
		m.Push(r.blob(e))
	}
	return nil
}

func (r *Room) blob(e *event.Event) meet.Blob {
	author := r.chat.me
	if s := r.now.Load(); s != nil {
		author = s.authorOf(e)
	}
	return meet.Blob{Key: meetKey(e.Key()), Author: author, Parents: convert[[32]byte](e.Links()), Bytes: e.Bytes()}
}

// authorOf returns on whose account an event is: that of the identity of the device, or of the
// device itself while nobody knows it.
func (s *snapshot) authorOf(e *event.Event) event.Identity {
	switch b := e.Body.(type) {
	case *event.Create:
		return b.Cert.Identity
	case *event.Enter:
		return b.Cert.Identity
	}
	if who, ok := s.devices[e.Device]; ok {
		return who
	}
	return event.Identity(e.Device)
}

// epoch returns the epoch to send with, and makes it if there is none.
func (r *Room) epoch(ctx context.Context) (event.ID, error) {
	s, ok := r.state.Sending(r.knows)
	old := ok && (time.Since(event.Time(s.Time)) > room.EpochAge || s.Epoch == r.sealing && r.sealed >= room.EpochEvents)
	switch {
	case ok && !old && len(s.Missing) == 0:
	case ok && !old && r.historic():
		if err := r.share(ctx, s.Epoch, r.prekeysOf(s.Missing)); err != nil {
			return s.Epoch, err
		}
		if err := r.shareAll(ctx); err != nil {
			return s.Epoch, err
		}
	default:
		var err error
		if s.Epoch, err = r.newEpoch(ctx); err != nil {
			return s.Epoch, err
		}
	}
	if s.Epoch != r.sealing {
		r.sealing, r.sealed = s.Epoch, 0
	}
	return s.Epoch, r.past.err
}

// newEpoch makes a secret for all devices that are in the room.
func (r *Room) newEpoch(ctx context.Context) (event.ID, error) {
	if err := r.chat.renew(ctx, prekeyRest); err != nil {
		return event.ID{}, err
	}
	var to []*event.Prekey
	for _, m := range r.state.Members() {
		to = append(to, r.prekeysOf(m.Devices)...)
	}
	secret := event.NewSecret()
	first, rest := to[:min(len(to), event.MaxWraps)], to[min(len(to), event.MaxWraps):]
	suite := event.SuiteFor(len(first))
	wraps, err := r.wrap(secret, suite, first)
	if err != nil {
		return event.ID{}, err
	}
	d, err := r.draft(&event.Epoch{Suite: suite, Commit: secret.Commit(), Wraps: wraps})
	if err != nil {
		return event.ID{}, err
	}
	e, err := d.Sign(r.chat.Device)
	if err != nil {
		return event.ID{}, err
	}
	// The secret is kept first: an epoch that is lost before it is one is no harm.
	if err := r.chat.vault.keep(ctx, r.id, e.ID, secret); err != nil {
		return event.ID{}, err
	}
	r.secrets[e.ID] = secret
	if err := r.made(ctx, e); err != nil {
		return event.ID{}, err
	}
	return e.ID, r.share(ctx, e.ID, rest)
}

// wrap wraps a secret to prekeys. One that nothing can be wrapped to gets random bytes: its device can read
// nothing, and keeps nobody else from talking.
func (r *Room) wrap(secret *event.Secret, suite event.Suite, to []*event.Prekey) ([]event.Wrap, error) {
	if wraps, err := secret.WrapAll(suite, r.id, r.chat.self, to); err == nil {
		return wraps, nil
	}
	own, err := secret.WrapAll(suite, r.id, r.chat.self, []*event.Prekey{r.chat.prekey()})
	if err != nil {
		return nil, err
	}
	all := make([]event.Wrap, 0, len(to))
	for _, p := range to {
		one, err := secret.WrapAll(suite, r.id, r.chat.self, []*event.Prekey{p})
		if err != nil {
			one = []event.Wrap{{Device: p.Device, Prekey: p.Tag(), Sealed: make([]byte, len(own[0].Sealed))}}
			rand.Read(one[0].Sealed) //nolint:errcheck // it does not fail
		}
		all = append(all, one...)
	}
	slices.SortFunc(all, func(a, b event.Wrap) int { return bytes.Compare(a.Device[:], b.Device[:]) })
	return all, nil
}

// share wraps the secret of an epoch for more devices.
func (r *Room) share(ctx context.Context, epoch event.ID, to []*event.Prekey) error {
	for part := range slices.Chunk(to, event.MaxWraps) {
		suite := event.SuiteFor(len(part))
		wraps, err := r.wrap(r.secrets[epoch], suite, part)
		if err != nil {
			return err
		}
		if _, err := r.control(ctx, &event.Share{Suite: suite, Of: epoch, Wraps: wraps}); err != nil {
			return err
		}
	}
	return nil
}

// maxShared is how many epochs who enters gets the secrets of, where a room says that history is for all.
const maxShared = 16

// shareAll wraps the secrets of the latest epochs for devices that do not have them.
func (r *Room) shareAll(ctx context.Context) error {
	for _, x := range r.state.Lacking(maxShared, r.knows) {
		if err := r.share(ctx, x.Epoch, r.prekeysOf(x.Missing)); err != nil {
			return err
		}
	}
	return nil
}

// knows tells whether the secret of an epoch is there.
func (r *Room) knows(epoch event.ID) bool { return r.secrets[epoch] != nil }

// Add makes somebody a member, and has the room offered to peers of his.
func (r *Room) Add(ctx context.Context, who event.Identity, role event.Role, at ...peer.ID) error {
	if _, err := r.act(ctx, event.Owner, func() (event.Body, error) { return &event.Add{Member: who, Role: role}, nil }); err != nil {
		return err
	}
	return r.Offer(ctx, at...)
}

// Remove removes a member. What is said from now on is sealed with a new secret.
func (r *Room) Remove(ctx context.Context, who event.Identity) error {
	_, err := r.act(ctx, event.Owner, func() (event.Body, error) {
		if err := r.mayLimit(who); err != nil {
			return nil, err
		}
		return &event.Remove{Member: who, Cuts: r.state.Cuts(who)}, nil
	})
	return err
}

// mayLimit tells whether what the user does to a member would count. It is called with the turn.
func (r *Room) mayLimit(who event.Identity) error {
	switch {
	case r.state.RoleNow(who) == event.Nobody:
		return ErrMember
	case who != r.chat.me && !r.state.Over(r.chat.me, who):
		return ErrJunior
	}
	return nil
}

// SetRole changes the role of a member.
func (r *Room) SetRole(ctx context.Context, who event.Identity, role event.Role) error {
	_, err := r.act(ctx, event.Owner, func() (event.Body, error) {
		if err := r.mayLimit(who); err != nil {
			return nil, err
		}
		was := r.state.RoleNow(who)
		if who == r.chat.me && role < was && !r.otherOwner() {
			return nil, ErrLast
		}
		b := &event.SetRole{Member: who, Role: role}
		if role < was {
			b.Cuts = r.state.Cuts(who)
		}
		return b, nil
	})
	return err
}

// SetProperty changes what the room is.
func (r *Room) SetProperty(ctx context.Context, p event.Property, value []byte) error {
	_, err := r.act(ctx, event.Owner, func() (event.Body, error) { return &event.Meta{Property: p, Value: value}, nil })
	return err
}

// otherOwner tells whether somebody else is an owner. It is called with the turn.
func (r *Room) otherOwner() bool {
	return slices.ContainsFunc(r.state.Members(), func(m room.Membership) bool { return m.Identity != r.chat.me && m.Role == event.Owner })
}

// Leave ends the user's own membership. The room goes on being met in until somebody has been told. The only owner leaves others to
// themselves only anyway: nobody could invite or remove anybody any more, for ever.
func (r *Room) Leave(ctx context.Context, anyway bool) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	if err := r.may(event.Reader); err != nil {
		return err
	}
	others := len(r.state.Members()) > 1
	if !anyway && others && r.may(event.Owner) == nil && !r.otherOwner() && !r.now.Load().Direct {
		return ErrLast
	}
	if _, err := r.control(ctx, &event.Remove{Member: r.chat.me, Cuts: r.state.Cuts(r.chat.me)}); err != nil {
		return err
	}
	if !others {
		return r.become(ctx, Left)
	}
	return r.become(ctx, Leaving)
}

// become changes the state. It is called with the turn.
func (r *Room) become(ctx context.Context, s State) error {
	p := r.place
	p.state = s
	return r.keep(ctx, p)
}

func (r *Room) keep(ctx context.Context, p place) error {
	if err := r.chat.vault.put(ctx, p); err != nil {
		return err
	}
	r.place = p
	r.changed()
	r.tell(RoomChanged, event.Key{}, event.Identity{})
	r.poke()
	return nil
}
