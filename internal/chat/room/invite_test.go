package room

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

// invite makes one, whose key is that of its name.
func (r *replica) invite(name string, role event.Role, uses uint64) *event.Event {
	return r.act(&event.Invite{Key: [32]byte(keyOf(name).ID().Bytes()), Role: role, Uses: uses})
}

// join returns a device of somebody who has entered by an invite, and knows what r does.
func (r *replica) join(person, name string, invite *event.Event) *replica {
	x := r.w.device(person, "1")
	r.give(x)
	x.enter(invite.ID, event.AcceptInvite(keyOf(name), r.w.room, invite.ID, personOf(x.identity), deviceOf(x.device)))
	return x
}

// Any member that has it lets in who has the key of an invite; whoever made it need not be
// there.
func TestInvite(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	invite := alice.invite("link", event.Member, 2)
	alice.give(carol)
	erin := carol.join("erin", "link", invite)
	said := erin.say("hello")
	sync(alice, bob, carol, dave, erin)
	wantRole(t, dave, erin, event.Member)
	wantCounts(t, dave, said, true)
	if !slices.Contains(dave.room.Invites(time.UnixMilli(noon)), invite.ID) {
		t.Error("the invite is not good for another one")
	}
	frank := carol.join("frank", "link", invite)
	sync(alice, bob, carol, dave, erin, frank)
	wantRole(t, dave, frank, event.Member)
	if len(dave.room.Invites(time.UnixMilli(noon))) != 0 {
		t.Error("the invite is used up, and is good")
	}
	grace := carol.join("grace", "link", invite) // the third
	sync(alice, bob, carol, dave, grace)
	wantRole(t, dave, grace, event.Nobody)
	checkOrders(t, dave)
}

// Who enters at once by an invite for one: one of them is in, the same everywhere.
func TestInviteRace(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	invite := alice.invite("link", event.Member, 1)
	sync(alice, bob, carol, dave)
	erin, frank := bob.join("erin", "link", invite), carol.join("frank", "link", invite)
	erins, franks := erin.say("hello"), frank.say("hello")
	sync(alice, bob, carol, dave, erin, frank)
	for _, r := range []*replica{alice, bob, carol, dave, erin, frank} {
		wantRole(t, r, erin, event.Member)
		wantRole(t, r, frank, event.Nobody)
		wantCounts(t, r, erins, true)
		wantCounts(t, r, franks, false)
	}
	// An owner who has seen somebody come can make the place independent of the invite.
	alice.act(&event.Add{Member: personOf(frank.identity), Role: event.Member})
	sync(alice, frank)
	again := frank.say("hello again")
	sync(alice, frank, dave)
	wantCounts(t, dave, again, true)
	wantCounts(t, dave, franks, false)
	checkOrders(t, alice)
}

// An invite that has leaked: its end, the one that it names, and the one of who has made it, are
// ends for those too who claim to know nothing of them.
func TestLeakedInvite(t *testing.T) {
	t.Run("expired", func(t *testing.T) {
		_, alice, _, carol, _ := start(t)
		body := &event.Invite{Key: [32]byte(keyOf("link").ID().Bytes()), Role: event.Member, Expiry: alice.w.clock >> 16}
		invite := alice.act(body)
		alice.give(carol)
		eve := carol.w.device("eve", "1")
		carol.give(eve)
		e, err := eve.draft(eve.entering(invite.ID, event.AcceptInvite(keyOf("link"), carol.w.room, invite.ID, personOf(eve.identity), deviceOf(eve.device)))).Sign(eve.device)
		wantRefused(t, carol, e, err)
	})
	t.Run("another key", func(t *testing.T) {
		_, alice, _, _, _ := start(t)
		invite := alice.invite("link", event.Member, 0)
		eve := alice.w.device("eve", "1")
		alice.give(eve)
		e, err := eve.draft(eve.entering(invite.ID, event.AcceptInvite(keyOf("guess"), alice.w.room, invite.ID, personOf(eve.identity), deviceOf(eve.device)))).Sign(eve.device)
		wantRefused(t, alice, e, err)
	})
	t.Run("revoked", func(t *testing.T) {
		_, alice, bob, carol, dave := start(t)
		invite := bob.invite("link", event.Member, 0)
		sync(alice, bob, carol, dave)
		erin := carol.join("erin", "link", invite)
		sync(alice, carol, erin)
		alice.act(&event.Revoke{Invite: invite.ID}) // a senior of who has made it
		eve := carol.join("eve", "link", invite)
		sync(alice, bob, carol, dave, erin, eve)
		wantRole(t, dave, erin, event.Member)
		wantRole(t, dave, eve, event.Nobody)
		checkOrders(t, dave)
	})
	t.Run("revoked by a junior", func(t *testing.T) {
		_, alice, bob, carol, dave := start(t)
		invite := alice.invite("link", event.Member, 0)
		sync(alice, bob)
		bob.act(&event.Revoke{Invite: invite.ID})
		sync(alice, bob, carol, dave)
		erin := carol.join("erin", "link", invite)
		sync(alice, bob, carol, dave, erin)
		wantRole(t, dave, erin, event.Member)
		checkOrders(t, dave)
	})
	t.Run("who was removed", func(t *testing.T) {
		_, alice, bob, carol, dave := start(t)
		invite := alice.invite("link", event.Member, 0)
		sync(alice, bob, carol, dave)
		erin := carol.join("erin", "link", invite)
		sync(alice, bob, carol, dave, erin)
		// Erin has a second entry ready, and bob, who removes her, does not know it.
		spare := carol.w.device("erin", "2")
		erin.give(spare)
		spare.enter(invite.ID, event.AcceptInvite(keyOf("link"), erin.w.room, invite.ID, personOf(erin.identity), deviceOf(spare.device)))
		bob.remove(erin)
		bob.give(carol)
		third := carol.w.device("erin", "3")
		carol.give(third)
		third.enter(invite.ID, event.AcceptInvite(keyOf("link"), erin.w.room, invite.ID, personOf(erin.identity), deviceOf(third.device)))
		sync(alice, bob, carol, dave, erin, spare, third)
		wantRole(t, dave, erin, event.Nobody)
		checkOrders(t, dave)

		// An invite of later is another matter, and so is leaving by oneself.
		again := alice.invite("again", event.Member, 0)
		sync(alice, carol)
		fourth := carol.w.device("erin", "4")
		carol.give(fourth)
		fourth.enter(again.ID, event.AcceptInvite(keyOf("again"), erin.w.room, again.ID, personOf(erin.identity), deviceOf(fourth.device)))
		sync(alice, dave, fourth)
		wantRole(t, dave, erin, event.Member)
		fourth.remove(fourth)
		fifth := carol.w.device("erin", "5")
		fourth.give(fifth)
		fifth.enter(again.ID, event.AcceptInvite(keyOf("again"), erin.w.room, again.ID, personOf(erin.identity), deviceOf(fifth.device)))
		sync(alice, dave, fifth)
		wantRole(t, dave, erin, event.Member)
		checkOrders(t, dave)
	})
	t.Run("its author is removed", func(t *testing.T) {
		_, alice, bob, carol, dave := start(t)
		invite := bob.invite("link", event.Owner, 0)
		sync(alice, bob, carol, dave)
		erin := carol.join("erin", "link", invite)
		sync(alice, carol, erin)
		alice.remove(bob)
		// Bob comes back by his own invite, as if he knew nothing, and knowing it.
		bob2 := carol.join("bob/2", "link", invite)
		alice.give(carol)
		bob3 := carol.join("bob/3", "link", invite)
		sync(alice, bob, carol, dave, erin, bob2, bob3)
		wantRole(t, dave, erin, event.Owner)
		wantRole(t, dave, bob2, event.Nobody)
		wantRole(t, dave, bob3, event.Nobody)
		checkOrders(t, dave)
	})
}

// A device of a member enters by the certificate of the identity, and acts for it.
func TestSecondDevice(t *testing.T) {
	w, alice, bob, carol, dave := start(t)
	second := w.device("alice", "2")
	alice.give(second)
	second.enter(w.room, [64]byte{})
	add := second.act(&event.Add{Member: personOf(keyOf("erin")), Role: event.Member})
	sync(alice, bob, carol, dave, second)
	wantCounts(t, carol, add, true)
	if m := carol.room.Members()[0]; len(m.Devices) != 2 || m.Identity != personOf(alice.identity) {
		t.Errorf("alice is %+v", m)
	}
	if who, ok := carol.room.Device(deviceOf(second.device)); !ok || who != personOf(alice.identity) {
		t.Error("it is not known whose device it is")
	}
	// Somebody else's identity does not come with a device.
	eve := w.device("eve", "1")
	alice.give(eve)
	e, err := eve.draft(eve.entering(w.room, [64]byte{})).Sign(eve.device)
	wantRefused(t, carol, e, err)
	checkOrders(t, carol)
}

// A stolen device is removed by who has the identity, and its thief cannot turn that round.
func TestStolenDevice(t *testing.T) {
	w, alice, bob, carol, dave := start(t)
	second := w.device("carol", "2")
	carol.give(second)
	entered := second.enter(carol.entry(), [64]byte{})
	said := second.say("hello")
	sync(alice, bob, carol, dave, second)

	proof := event.RevokeDevice(carol.identity, w.room, deviceOf(second.device))
	carol.act(&event.RemoveDevice{Enter: entered.ID, Proof: proof, Cuts: []event.ID{said.ID}})
	stolen := second.say("send me money")
	second.give(alice)
	thief := second.draft(&event.RemoveDevice{Enter: carol.entry()})
	e, err := thief.Sign(second.device)
	wantRefused(t, alice, e, err)
	thief.Body.(*event.RemoveDevice).Proof = event.RevokeDevice(second.device, w.room, deviceOf(carol.device))
	e, err = thief.Sign(second.device)
	wantRefused(t, alice, e, err)

	sync(alice, bob, carol, dave, second)
	wantCounts(t, dave, said, true)
	wantCounts(t, dave, stolen, false)
	wantRole(t, dave, carol, event.Member)
	if _, ok := dave.room.Device(deviceOf(second.device)); ok {
		t.Error("the stolen device is one of the room's")
	}
	if s, ok := dave.room.Sending(nil); ok {
		t.Errorf("dave would send with %v, which the thief can read", s.Epoch)
	}
	still := carol.say("that was not me")
	sync(carol, dave)
	wantCounts(t, dave, still, true)
	checkOrders(t, dave)
}

// An owner removes a device of a junior, and not one of a senior.
func TestOwnerRemovesDevice(t *testing.T) {
	_, alice, bob, carol, dave := start(t)
	enterOf := func(x *replica) event.ID {
		return alice.room.acts[alice.memory[alice.room.devices[deviceOf(x.device)].tip].Root].e.ID
	}
	bob.act(&event.RemoveDevice{Enter: enterOf(carol)})
	bob.act(&event.RemoveDevice{Enter: enterOf(alice)})
	sync(alice, bob, carol, dave)
	carols, alices := carol.say("hello"), alice.say("hello")
	sync(alice, bob, carol, dave)
	wantCounts(t, dave, carols, false)
	wantCounts(t, dave, alices, true)
	checkOrders(t, dave)
}
