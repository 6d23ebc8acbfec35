package chat

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// DoorProto is the protocol by which somebody gets into a room whose events he does not have yet: a question
// and an answer. docs/protocol/rooms-sync.md, chapter "The door", has it.
const DoorProto = "/tenon/room/door/1"

const (
	askWho   = 1 // who is the user of the device? The answer is a certificate
	askKnock = 2 // may we come in? The answer is by what members meet, and by which event we enter
	askOffer = 3 // somebody has made you a member

	certSize  = 32 + 64
	doorTime  = 15 * time.Second
	guestTime = 10 * time.Minute // within which who was let in has to enter

	maxName     = 64 // bytes
	maxOffers   = 100
	maxOffersBy = 4
)

// ErrRefused: whoever was asked does not let us in.
var ErrRefused = errors.New("the other one does not let us in")

var errDoor = errors.New("not an answer")

// An Offer is a room that somebody has made the user a member of.
type Offer struct {
	Room    event.ID
	Name    string
	Inviter event.Identity
	At      []peer.ID // who lets us in
}

func appendCert(b []byte, c event.Cert) []byte {
	return append(append(b, c.Identity[:]...), c.Sig[:]...)
}

// readCert reads a certificate for the device that has shown that it is from.
func readCert(b []byte, from peer.ID) (event.Cert, bool) {
	c := event.Cert{Identity: event.Identity(b), Sig: [64]byte(b[32:])}
	return c, c.Verify(event.Device(from.Bytes()))
}

// doorTag names a room to one other: by the public key of an invite, or by the room's ID.
func doorTag(key [32]byte, from, to peer.ID) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte("tenon room door 1\x00"))
	h.Write(from.Bytes())
	h.Write(to.Bytes())
	return h.Sum(nil)
}

// ask asks a peer.
func (c *Chat) ask(ctx context.Context, to peer.ID, kind byte, p []byte) ([]byte, error) {
	s, err := c.Network.Open(ctx, to, DoorProto)
	if err != nil {
		return nil, err
	}
	defer s.Close()                         //nolint:errcheck // the answer is what counts
	s.SetDeadline(time.Now().Add(doorTime)) //nolint:errcheck // the read below shows it
	defer context.AfterFunc(ctx, func() { transport.Abort(s, context.Cause(ctx)) })()
	if err := writeDoor(s, kind, p); err != nil {
		return nil, err
	}
	_, answer, err := readDoor(s)
	return answer, err
}

func writeDoor(w io.Writer, kind byte, p []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(p))), p...))
	return err
}

func readDoor(r io.Reader) (kind byte, p []byte, err error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint16(head[1:])
	if n > 1024 {
		return 0, nil, errDoor
	}
	p = make([]byte, n)
	_, err = io.ReadFull(r, p)
	return head[0], p, err
}

// answer is the handler of [DoorProto].
func (c *Chat) answer(s transport.Stream) {
	from, ok := peer.Of(s)
	if !ok {
		return
	}
	s.SetDeadline(time.Now().Add(doorTime)) //nolint:errcheck // the read below shows it
	kind, p, err := readDoor(s)
	if err != nil {
		return
	}
	answer := []byte{0}
	switch kind {
	case askWho:
		answer = appendCert(nil, c.cert)
	case askKnock:
		answer = c.knocked(from, p)
	case askOffer:
		if c.offered(from, p) {
			answer = []byte{1}
		}
	}
	if c.ctx.Err() != nil {
		return // nothing is kept any more: who gets no answer asks again
	}
	writeDoor(s, kind, answer) //nolint:errcheck // who asks, notices
}

// Who returns who the user of a device is.
func (c *Chat) Who(ctx context.Context, at peer.ID) (event.Identity, error) {
	b, err := c.ask(ctx, at, askWho, nil)
	if err != nil {
		return event.Identity{}, err
	}
	if len(b) != certSize {
		return event.Identity{}, errDoor
	}
	cert, ok := readCert(b, at)
	if !ok {
		return event.Identity{}, errDoor
	}
	return cert.Identity, nil
}

// knocked lets somebody in who has the key of an invite, or is a member whose device is new: for as long as
// it takes to enter.
func (c *Chat) knocked(from peer.ID, p []byte) []byte {
	no := []byte{0}
	if len(p) != 32+certSize+64 {
		return no
	}
	cert, ok := readCert(p[32:], from)
	if !ok || c.gone(event.Device(from.Bytes())) {
		return no
	}
	for _, r := range c.Rooms() {
		if via, secret, ok := r.letsIn(from, p[:32], cert.Identity, [64]byte(p[32+certSize:])); ok {
			r.admitGuest(from)
			return slices.Concat([]byte{1}, secret[:], via[:])
		}
	}
	return no
}

// admitGuest has the room met in with somebody for as long as it takes to enter.
func (r *Room) admitGuest(id peer.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.guest) < maxOffers {
		r.guest[id] = time.Now().Add(guestTime)
	}
}

// letsIn returns by which event somebody may enter the room that he has named.
func (r *Room) letsIn(from peer.ID, tag []byte, who event.Identity, proof [64]byte) (via event.ID, secret [32]byte, ok bool) {
	give, err := r.take(r.chat.ctx)
	if err != nil {
		return via, secret, false
	}
	defer give()
	if r.may(event.Reader) != nil {
		return via, secret, false
	}
	self := r.chat.Network.Self()
	if proof == [64]byte{} {
		if r.state.RoleNow(who) == event.Nobody || r.ousted(event.Device(from.Bytes())) || !hmac.Equal(tag, doorTag(r.id, from, self)) {
			return via, secret, false
		}
		via, ok = r.way(who)
		return via, r.place.secret, ok
	}
	device := event.Device(from.Bytes())
	for _, id := range r.state.InvitesFor(who, device, time.Now()) {
		i := r.acts.invites[id]
		if i != nil && hmac.Equal(tag, doorTag(i.Key, from, self)) {
			// What an event proves names its invite: this one is good for nothing else.
			ok := event.VerifyInvited(i.Key, r.id, event.ID{}, who, device, proof)
			return id, r.place.secret, ok && r.takeBack(who, device, i.Role)
		}
	}
	return via, secret, false
}

// takeBack makes somebody a member again who has an invite and was one, with this device, which enters but once: that takes an owner. It
// is true for all others, who enter by themselves. It is called with the turn.
func (r *Room) takeBack(who event.Identity, d event.Device, role event.Role) bool {
	if !r.ousted(d) {
		return true
	}
	if r.state.RoleNow(who) > event.Nobody || r.may(event.Owner) != nil {
		return false
	}
	_, err := r.control(r.chat.ctx, &event.Add{Member: who, Role: role})
	return err == nil
}

// knock asks a peer to let us in.
func (r *Room) knock(ctx context.Context, p place, at peer.ID) (place, error) {
	c := r.chat
	key, proof := [32]byte(p.room), [64]byte{}
	if p.seed != [32]byte{} {
		k := peer.KeyFromSeed(p.seed)
		key, proof = [32]byte(k.ID().Bytes()), event.AcceptInvite(k, p.room, event.ID{}, c.me, c.self)
	}
	b := appendCert(doorTag(key, c.Network.Self(), at), c.cert)
	answer, err := c.ask(ctx, at, askKnock, append(b, proof[:]...))
	if err != nil {
		return p, err
	}
	if len(answer) != 1+32+32 || answer[0] != 1 {
		return p, ErrRefused
	}
	p.secret, p.via = [32]byte(answer[1:]), event.ID(answer[33:])
	return p, nil
}

// offered takes an offer of somebody, and returns whether it is kept.
func (c *Chat) offered(from peer.ID, p []byte) bool {
	if len(p) < 32+certSize || len(p) > 32+certSize+maxName || !utf8.Valid(p[32+certSize:]) {
		return false
	}
	cert, ok := readCert(p[32:], from)
	if !ok || c.blocked(cert.Identity) || c.gone(event.Device(from.Bytes())) {
		return false
	}
	o := Offer{Room: event.ID(p), Name: string(p[32+certSize:]), Inviter: cert.Identity, At: []peer.ID{from}}
	if r, err := c.Room(o.Room); err == nil {
		return r.again(c.ctx, from) == nil
	}
	c.mu.Lock()
	by := 0
	for _, other := range c.offers {
		if other.Inviter == o.Inviter && other.Room != o.Room {
			by++
		}
	}
	full := len(c.offers) >= maxOffers || by >= maxOffersBy
	if !full {
		c.offers[o.Room] = o
	}
	c.mu.Unlock()
	if full {
		return false
	}
	if err := c.vault.put(c.ctx, place{room: o.Room, state: offered, name: o.Name, inviter: o.Inviter, hosts: o.At}); err != nil {
		return false
	}
	c.tell(Notice{Kind: Offered, Room: o.Room, Who: o.Inviter, Peer: from})
	if own := o.Inviter == c.me; own || c.Welcome != nil && c.Welcome(o) {
		_, err := c.Accept(c.ctx, o.Room)
		return err == nil
	}
	return true
}

// again is called when somebody offers a room that we have been in: we may have been added again.
func (r *Room) again(ctx context.Context, from peer.ID) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	p := r.place
	if p.state == Inside && r.state.RoleNow(r.chat.me) > event.Nobody {
		return nil
	}
	p.state, p.hosts = Joining, []peer.ID{from}
	r.asked.Store(true)
	return r.keep(ctx, p)
}

// Offers returns what was offered and neither accepted nor declined.
func (c *Chat) Offers() []Offer {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Offer, 0, len(c.offers))
	for _, o := range c.offers {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Offer) int { return bytes.Compare(a.Room[:], b.Room[:]) })
	return all
}

func (c *Chat) takeOffer(id event.ID) (Offer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.offers[id]
	if !ok {
		return o, ErrNoRoom
	}
	delete(c.offers, id)
	return o, nil
}

// Accept joins a room that was offered: as soon as somebody lets us in.
func (c *Chat) Accept(ctx context.Context, id event.ID) (*Room, error) {
	o, err := c.takeOffer(id)
	if err != nil {
		return nil, err
	}
	return c.join(ctx, place{room: id, state: Joining, name: o.Name, inviter: o.Inviter, hosts: o.At})
}

// Decline forgets an offer.
func (c *Chat) Decline(ctx context.Context, id event.ID) error {
	if _, err := c.takeOffer(id); err != nil {
		return err
	}
	return c.vault.forget(ctx, id)
}

func (c *Chat) join(ctx context.Context, p place) (*Room, error) {
	if err := c.vault.put(ctx, p); err != nil {
		return nil, err
	}
	return c.openRoom(ctx, p)
}

// Offer has peers told that their user is a member, when they can be reached.
func (r *Room) Offer(ctx context.Context, at ...peer.ID) error {
	for _, id := range at {
		if err := r.chat.vault.exec(ctx, `INSERT OR IGNORE INTO chat_calls VALUES (?, ?)`, r.id[:], id.Bytes()); err != nil {
			return err
		}
	}
	r.chat.pokeCalls()
	return nil
}

func (c *Chat) pokeCalls() {
	select {
	case c.call <- struct{}{}:
	default:
	}
}

// callOut offers rooms to those who were added, until all of them know.
func (c *Chat) callOut() {
	wait := time.Second
	for {
		linked := c.Network.LinksChanged()
		left := c.callAll()
		var again <-chan time.Time
		if left {
			again = time.After(wait)
			wait = min(2*wait, time.Minute)
		} else {
			linked = nil
		}
		select {
		case <-c.call:
			wait = time.Second
		case <-again:
		case <-linked:
		case <-c.ctx.Done():
			return
		}
	}
}

// callAll offers what is to be offered, and tells whether something is left.
func (c *Chat) callAll() (left bool) {
	type call struct {
		room event.ID
		to   peer.ID
	}
	var calls []call
	err := c.vault.each(c.ctx, `SELECT room, peer FROM chat_calls`, func(scan func(...any) error) error {
		var room, to []byte
		if err := scan(&room, &to); err != nil {
			return err
		}
		id, err := peer.NewID(to)
		calls = append(calls, call{event.ID(room), id})
		return err
	})
	if err != nil {
		return true
	}
	for _, x := range calls {
		r, err := c.Room(x.room)
		if err == nil {
			name := r.Info().Name
			for len(name) > maxName || !utf8.ValidString(name) {
				name = name[:min(len(name), maxName+1)-1]
			}
			_, err = c.ask(c.ctx, c.heir(x.to), askOffer, append(appendCert(slices.Clone(x.room[:]), c.cert), name...))
		}
		if err != nil && !errors.Is(err, ErrNoRoom) {
			left = true
			continue
		}
		// Whatever the answer is, they know.
		if err := c.vault.exec(c.ctx, `DELETE FROM chat_calls WHERE room = ? AND peer = ?`, x.room[:], x.to.Bytes()); err != nil {
			left = true
		}
	}
	return left
}
