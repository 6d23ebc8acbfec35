package chat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// link makes a new device one of somebody's.
func (p *person) link(name string) *person {
	p.w.Helper()
	d := p.w.person(name)
	d.adopt(p, must[[]byte](p.w)(p.Link(p.w.Context(), d.node.Self())))
	return d
}

func (p *person) adopt(by *person, cert []byte) {
	p.w.Helper()
	p.w.do(p.Adopt(p.w.Context(), by.node.Self(), cert))
	p.stop()
	p.start()
}

// A device that was linked is in all rooms, those too that are made later by either; it can read what was said before,
// and talks as the same person.
func TestLinkedDevice(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans"}, laptop, bert)
		laptop.say(r, "before")
		bert.hears(r, "before")
		phone := laptop.link("phone")
		if phone.Me() != laptop.Me() || phone.MayLink() == nil || laptop.MayLink() != nil {
			t.Errorf("the phone is %x's, who is %x", phone.Me(), laptop.Me())
		}
		w.inside(r, phone)
		phone.hears(r, "before")
		phone.say(r, "by phone")
		for _, p := range []*person{laptop, bert} {
			p.hears(r, "by phone")
			if i := p.in(r).Info(); len(i.Members) != 2 {
				t.Errorf("%s sees %+v", p.name, i.Members)
			}
		}
		bert.say(r, "to both")
		laptop.hears(r, "to both")
		phone.hears(r, "to both")

		// Rooms of later go both ways, with what was said before the other device was in.
		later := must[*Room](w)(phone.Create(w.Context(), Draft{Name: "by phone"}))
		phone.say(later, "first")
		w.inside(later, laptop)
		laptop.hears(later, "first")
		direct := must[*Room](w)(laptop.Direct(w.Context(), bert.Me(), bert.node.Self()))
		w.inside(direct, phone, bert)
		w.same(direct, laptop, phone, bert)
		k := phone.say(direct, "alone")
		bert.hears(direct, "alone")
		w.until("it is known to be delivered", func() bool {
			d := must[Delivery](w)(phone.in(direct).Delivery(w.Context(), k))
			return d.Delivered == 1
		})
		// What the user's own devices have is not delivered to anybody.
		time.Sleep(time.Minute)
		if d := must[Delivery](w)(phone.in(direct).Delivery(w.Context(), k)); d.Delivered != 1 {
			t.Errorf("what one other has is delivered to %d", d.Delivered)
		}
		for _, p := range []*person{laptop, phone} {
			all := p.Devices()
			if len(all) != 2 || !all[0].This || all[0].Rooms != 3 || all[1].Rooms != 3 || all[0].Key != (p == laptop) {
				t.Errorf("%s knows of the devices %+v", p.name, all)
			}
		}
		// After a restart of both all is the same, and nothing is shared twice.
		before := r.index.Len()
		laptop.stop()
		phone.stop()
		laptop.start()
		phone.start()
		time.Sleep(10 * time.Minute)
		w.same(r, laptop, phone, bert)
		if n := laptop.in(r).index.Len(); n != before {
			t.Errorf("by a restart %d events have become %d", before, n)
		}
		phone.say(r, "again")
		bert.hears(r, "again")
	})
}

// The one that has the key need not be there: others let a device in that was linked.
func TestLinkedDeviceIsLetInByOthers(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans", History: true}, laptop, bert)
		phone := laptop.link("phone")
		w.part(phone, bert)
		w.inside(r, phone)
		w.same(r, laptop, phone)
		laptop.stop()
		w.join(phone, bert)
		phone.say(r, "alone now")
		bert.hears(r, "alone now")
		phone.hears(r, "alone now")
	})
}

// linked makes a room of anna, who has a laptop and a phone, and bert.
func (w *world) linked() (laptop, phone, bert *person, r *Room) {
	laptop, bert = w.person("anna"), w.person("bert")
	r = w.group(Draft{Name: "plans"}, laptop, bert)
	phone = laptop.link("phone")
	w.inside(r, phone)
	w.same(r, laptop, phone, bert)
	return laptop, phone, bert, r
}

// What was read on one device is read on the other, and nobody else is told.
func TestReadElsewhere(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, phone, bert, r := w.linked()
		unread := func(p *person) int {
			_, n, err := p.in(r).Unread(w.Context())
			w.do(err)
			return n
		}
		k := bert.say(r, "one")
		laptop.hears(r, "one")
		phone.hears(r, "one")
		if unread(laptop) != 1 || unread(phone) != 1 {
			t.Fatalf("%d and %d are unread", unread(laptop), unread(phone))
		}
		w.do(laptop.in(r).SetRead(w.Context(), k))
		w.until("it is read on the phone", func() bool { return unread(phone) == 0 })

		// So it is if one of them was away, and has not got yet what was read.
		w.part(phone, laptop)
		w.part(phone, bert)
		k = bert.say(r, "two")
		laptop.hears(r, "two")
		w.do(laptop.in(r).SetRead(w.Context(), k))
		time.Sleep(time.Minute)
		w.join(phone, laptop)
		phone.hears(r, "two")
		w.until("it is read on the phone", func() bool { return unread(phone) == 0 })

		// A mark of what there is not, and one of somebody else, is none.
		w.join(phone, bert)
		w.until("all are connected", func() bool { return len(phone.in(r).Connected()) == 2 })
		k = bert.say(r, "three")
		phone.hears(r, "three")
		bert.in(r).meets.Load().Say(append(binary.BigEndian.AppendUint64([]byte{noteRead}, k.Time), k.ID[:]...))
		laptop.in(r).meets.Load().Say(append([]byte{noteRead, 0x7f}, make([]byte, 7+32)...))
		time.Sleep(time.Minute)
		if unread(phone) != 1 {
			t.Error("what nobody has read is read")
		}
		marks := must[[]Mark](w)(bert.in(r).Marks(w.Context()))
		for _, m := range marks {
			if m.Read != (event.Key{}) {
				t.Errorf("others see what was read: %+v", m)
			}
		}
	})
}

// A device that was removed reads nothing that is said from then on, is let in by nobody, and what it says does not count.
// The user's other devices learn of it, and it can be linked again with another key.
func TestRemovedDevice(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans", History: true}, laptop, bert)
		phone, tablet := laptop.link("phone"), laptop.link("tablet")
		w.inside(r, phone, tablet)
		w.same(r, laptop, phone, tablet, bert)
		phone.say(r, "before")
		tablet.hears(r, "before")
		if err := tablet.RemoveDevice(w.Context(), phone.node.Self()); !errors.Is(err, ErrKey) {
			t.Errorf("a device that was linked removes another: %v", err)
		}
		if err := laptop.RemoveDevice(w.Context(), bert.node.Self()); !errors.Is(err, ErrDevice) {
			t.Errorf("somebody else's device is removed: %v", err)
		}
		// The phone is stolen: it is not told.
		for _, p := range []*person{laptop, tablet, bert} {
			w.part(phone, p)
		}
		w.do(laptop.RemoveDevice(w.Context(), phone.node.Self()))
		w.same(r, laptop, tablet, bert)
		bert.say(r, "secret")
		laptop.say(r, "as well")
		w.same(r, laptop, tablet, bert)
		later := w.group(Draft{Name: "later"}, laptop, bert)
		phone.say(r, "by the thief")
		thiefs := must[*Room](w)(phone.Create(w.Context(), Draft{Name: "trap"}))
		for _, p := range []*person{laptop, tablet, bert} {
			w.join(phone, p)
		}
		time.Sleep(30 * time.Minute)
		if got := phone.sees(r); slices.Contains(got, "secret") || slices.Contains(got, "as well") {
			t.Errorf("the phone reads %q", got)
		}
		for _, p := range []*person{laptop, tablet, bert} {
			if slices.Contains(p.sees(r), "by the thief") {
				t.Errorf("%s hears the thief", p.name)
			}
			if p == bert {
				continue
			}
			if slices.ContainsFunc(p.Devices(), func(d Device) bool { return d.ID == phone.node.Self() }) {
				t.Errorf("%s lists %+v", p.name, p.Devices())
			}
			if _, err := p.Room(thiefs.ID()); err == nil {
				t.Errorf("%s is in a room of the thief", p.name)
			}
		}
		if _, err := phone.Room(later.ID()); err == nil {
			t.Error("the phone is offered what came later")
		}
		for _, at := range []*person{bert, laptop, tablet} {
			for _, room := range []*Room{r, later} {
				own := must[*Room](w)(phone.Room(r.ID()))
				own = &Room{chat: own.chat, id: room.ID()}
				if _, err := own.knock(w.Context(), place{room: room.ID()}, at.node.Self()); err == nil && (room == r || at != bert) {
					t.Errorf("%s lets the phone into %s", at.name, room.Info().Name)
				}
			}
		}
		if _, err := laptop.Link(w.Context(), phone.node.Self()); !errors.Is(err, ErrRemoved) {
			t.Errorf("the key that was removed is linked again: %v", err)
		}
		// It is found, and gets a new key.
		old := phone.node.Self()
		phone.stop()
		phone.name, phone.config = "phone anew", func(c *Config) { c.Earlier = []peer.ID{old}; c.Identity = identityOf("phone") }
		phone.start()
		if phone.Me() == laptop.Me() {
			t.Error("with a new key the phone is still anna's")
		}
		for _, room := range phone.Rooms() {
			if room.ID() == thiefs.ID() {
				continue
			}
			if err := room.Leave(w.Context(), false); !errors.Is(err, ErrOutside) {
				t.Errorf("who it is not can be left: %v", err)
			}
		}
		phone.adopt(laptop, must[[]byte](w)(laptop.Link(w.Context(), phone.node.Self())))
		w.inside(later, phone)
		w.same(r, laptop, tablet, bert, phone)
		phone.hears(r, "secret")
		phone.say(r, "here I am")
		bert.hears(r, "here I am")
	})
}

// A device that was removed and is told so stops.
func TestRemovedDeviceIsTold(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, phone, _, r := w.linked()
		e := must[*event.Event](w)(laptop.removal(r, phone))
		must[[]item](w)(phone.takes(r, e))
		if i := phone.in(r).Info(); i.Role != event.Nobody || i.State != Inside {
			t.Errorf("it is still there: %v %v", i.Role, i.State)
		}
		if _, err := phone.in(r).Say(w.Context(), Message{Text: "still here"}); !errors.Is(err, ErrOutside) {
			t.Errorf("it goes on: %v", err)
		}
		w.until("it knows", func() bool { return phone.Devices()[0].Removed })
		phone.stop()
		phone.start() // and it does not enter again
		if !phone.Devices()[0].Removed || phone.in(r).Info().Role != event.Nobody {
			t.Errorf("after a restart it is %+v", phone.Devices())
		}
	})
}

// removal returns the event by which a device is removed, without the room being told of it otherwise.
func (p *person) removal(r *Room, of *person) (*event.Event, error) {
	own := p.in(r)
	give, err := own.take(p.w.Context())
	if err != nil {
		return nil, err
	}
	defer give()
	d := event.Device(of.node.Self().Bytes())
	return own.control(p.w.Context(), &event.RemoveDevice{Enter: own.acts.entries[d].id, Proof: event.RevokeDevice(p.key, r.ID(), d), Cuts: []event.ID{own.state.Tip(d)}})
}

// takes has somebody get events.
func (p *person) takes(r *Room, events ...*event.Event) ([]item, error) {
	own := p.in(r)
	give, err := own.take(p.w.Context())
	if err != nil {
		return nil, err
	}
	defer give()
	return own.admit(p.w.Context(), events, false)
}

// Nobody becomes somebody's device without his key: not by a certificate of another device, nor by one that is made up,
// nor by one that a device makes that was linked itself.
func TestHostileDevices(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert, eve := w.person("anna"), w.person("bert"), w.person("eve")
		r := w.group(Draft{Name: "plans"}, laptop, bert)
		phone := laptop.link("phone")
		w.inside(r, phone)
		if _, err := phone.Link(w.Context(), eve.node.Self()); !errors.Is(err, ErrKey) {
			t.Errorf("a device that was linked links another: %v", err)
		}
		if _, err := laptop.Link(w.Context(), laptop.node.Self()); !errors.Is(err, ErrDevice) {
			t.Errorf("it links itself: %v", err)
		}
		self := event.Device(eve.node.Self().Bytes())
		byPhone := event.Certify(phone.node.Key(), self)
		byPhone.Identity = laptop.Me()
		for name, cert := range map[string]event.Cert{
			"of another device":              phone.cert,
			"by a device that was linked":    byPhone,
			"by the phone's former identity": {Identity: laptop.Me(), Sig: event.Certify(identityOf("phone"), self).Sig},
			"made up":                        {Identity: laptop.Me()},
		} {
			if err := eve.Adopt(w.Context(), laptop.node.Self(), appendCert(nil, cert)); !errors.Is(err, ErrCert) {
				t.Errorf("%s: it is taken: %v", name, err)
			}
			// And if her program does not care, others do.
			honest := eve.cert
			eve.cert = cert
			own := &Room{chat: eve.Chat, id: r.ID()}
			for _, at := range []*person{laptop, phone, bert} {
				if _, err := own.knock(w.Context(), place{room: r.ID()}, at.node.Self()); err == nil {
					t.Errorf("%s: %s lets her in", name, at.name)
				}
			}
			d := event.Draft{Room: r.ID(), Seq: 1, Time: event.Stamp(time.Now()), Parents: []event.ID{r.ID()}, Body: &event.Enter{Cert: cert, Prekey: eve.prekey(), Via: r.ID()}}
			if e, err := d.Sign(eve.node.Key()); err == nil {
				if _, err := event.Parse(e.Bytes()); err == nil {
					t.Errorf("%s: the event is one", name)
				}
			}
			eve.cert = honest
		}
		for _, cert := range [][]byte{nil, make([]byte, certSize), make([]byte, certSize-1), make([]byte, 4096)} {
			if err := eve.Adopt(w.Context(), laptop.node.Self(), cert); !errors.Is(err, ErrCert) {
				t.Errorf("%d bytes: %v", len(cert), err)
			}
		}
		if n := len(bert.in(r).Info().Members); n != 2 {
			t.Errorf("there are %d members", n)
		}
	})
}

// A device that is in rooms, or is offered some, does not become another one's: nothing is lost by it.
func TestAdoptWithRooms(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert := w.person("anna"), w.person("bert")
		phone := w.person("phone", func(c *Config) { c.Welcome = nil })
		cert := must[[]byte](w)(laptop.Link(w.Context(), phone.node.Self()))
		r := must[*Room](w)(phone.Create(w.Context(), Draft{Name: "own"}))
		if err := phone.Adopt(w.Context(), laptop.node.Self(), cert); !errors.Is(err, ErrHasRoom) {
			t.Errorf("its room is lost: %v", err)
		}
		w.do(r.Leave(w.Context(), false))
		with := must[*Room](w)(bert.Create(w.Context(), Draft{Name: "offer"}))
		w.do(with.Add(w.Context(), phone.Me(), event.Member, phone.node.Self()))
		w.until("it is offered", func() bool { return len(phone.Offers()) == 1 })
		if err := phone.Adopt(w.Context(), laptop.node.Self(), cert); !errors.Is(err, ErrHasRoom) {
			t.Errorf("what is offered is lost: %v", err)
		}
		w.do(phone.Decline(w.Context(), with.ID()))
		phone.adopt(laptop, cert)
		if phone.Me() != laptop.Me() || len(phone.Rooms()) != 1 {
			t.Error("it is not hers, or has lost what was said")
		}
	})
}

// Who has lost the device with the key, and has put the key alone on another, gets the rooms from one that was linked: by
// linking it again.
func TestKeyOnANewDevice(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans"}, laptop, bert)
		laptop.say(r, "before")
		phone := laptop.link("phone")
		w.inside(r, phone)
		phone.hears(r, "before")
		lost := laptop.node.Self()
		laptop.stop()
		laptop = w.person("anna/2")
		if err := phone.MayAdopt(); err != nil {
			t.Errorf("it cannot be linked again: %v", err)
		}
		phone.adopt(laptop, must[[]byte](w)(laptop.Link(w.Context(), phone.node.Self())))
		w.inside(r, laptop)
		laptop.hears(r, "before")
		w.do(laptop.RemoveDevice(w.Context(), lost))
		laptop.say(r, "here again")
		bert.hears(r, "here again")
		phone.hears(r, "here again")
		w.until("the lost one is gone", func() bool { return len(bert.in(r).now.Load().devices) == 3 })
		// Nobody else can link it.
		eves := must[[]byte](w)(bert.Link(w.Context(), phone.node.Self()))
		if err := phone.Adopt(w.Context(), bert.node.Self(), eves); !errors.Is(err, ErrHasRoom) {
			t.Errorf("somebody else takes it over: %v", err)
		}
	})
}

// Another device gets the secrets of the last epochs, and not of all that there ever were.
func TestLinkedDeviceReadsTheLast(t *testing.T) {
	virtually(t, func(w *world) {
		laptop := w.person("anna")
		r := w.group(Draft{Name: "plans"}, laptop)
		for n := range maxOwnShared + 3 {
			laptop.say(r, fmt.Sprint(n))
			give := must[func()](w)(r.take(w.Context()))
			must[event.ID](w)(r.newEpoch(w.Context()))
			give()
		}
		phone := laptop.link("phone")
		w.inside(r, phone)
		phone.hears(r, fmt.Sprint(maxOwnShared+2))
		time.Sleep(10 * time.Minute)
		if got := phone.sees(r); len(got) > maxOwnShared || slices.Contains(got, "0") {
			t.Errorf("it reads %d", len(got))
		}
	})
}

// Who is connected when he is removed hears of it, and so does a device, though he has entered long ago.
func TestRemovedIsTold(t *testing.T) {
	virtually(t, func(w *world) {
		laptop, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{Name: "plans"}, laptop, bert, carl)
		phone := laptop.link("phone")
		w.inside(r, phone)
		time.Sleep(time.Hour)
		w.same(r, laptop, phone, bert, carl)
		w.do(laptop.RemoveDevice(w.Context(), phone.node.Self()))
		w.do(laptop.in(r).Remove(w.Context(), bert.Me()))
		for _, p := range []*person{phone, bert} {
			w.until(p.name+" knows", func() bool { return p.in(r).Info().Role == event.Nobody })
			if _, err := p.in(r).Say(w.Context(), Message{Text: "still here"}); !errors.Is(err, ErrOutside) {
				t.Errorf("%s goes on: %v", p.name, err)
			}
		}
		laptop.say(r, "without them")
		carl.hears(r, "without them")
		time.Sleep(time.Minute)
		for _, p := range []*person{phone, bert} {
			if slices.Contains(p.sees(r), "without them") {
				t.Errorf("%s reads on", p.name)
			}
		}
	})
}

// A phone that comes as another device of somebody does not rename him: all who had not given him a name saw his phone's.
func TestDeviceDoesNotRename(t *testing.T) {
	virtually(t, func(w *world) {
		laptop := w.person("anna", func(c *Config) { c.Called = func() string { return "anna" } })
		bert := w.person("bert")
		r := w.group(Draft{Name: "plans"}, bert, laptop)
		phone := w.person("phone", func(c *Config) { c.Called = func() string { return "phone" } })
		phone.adopt(laptop, must[[]byte](w)(laptop.Link(w.Context(), phone.node.Self())))
		w.inside(r, phone, bert)
		phone.say(r, "by phone")
		bert.hears(r, "by phone")
		if got := bert.in(r).Info().Called[laptop.Me()]; got != "anna" {
			t.Errorf("she is called %q", got)
		}
	})
}
