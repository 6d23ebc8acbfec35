package node_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// keeper returns the configuration of a node with a mailbox.
func (w *world) keeper(t *testing.T, whose string) node.Config {
	t.Helper()
	c := w.config(stateDir(t), "keeper")
	c.Flags.Network.Mailbox = node.Mailbox{For: whose, Size: "8MiB", Time: "7d"}
	return c
}

// keep has a blob kept, and returns those that are there.
func keep(t *testing.T, of *peertest.Node, at peer.ID, blob []byte) (there [][]byte, err error) {
	t.Helper()
	s, err := mailbox.Dial(within(t), of, at)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if _, err := s.Open(peer.KeyFromSeed([32]byte{1})); err != nil {
		return nil, err
	}
	if err := s.Put([][]byte{blob}); err != nil {
		return nil, err
	}
	err = s.Get([]mailbox.ID{mailbox.IDOf(blob)}, func(_ mailbox.ID, b []byte) { there = append(there, b) })
	return there, err
}

// A node keeps what strangers bring, if it is told to, over a restart, and says how much that is.
func TestMailbox(t *testing.T) {
	w := new(world)
	c := w.keeper(t, "anyone")
	n, err := node.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	guest := w.Node("guest", nil)
	defer guest.Close() //nolint:errcheck // it returns nil
	blob := bytes.Repeat([]byte("sealed "), 100)
	day := time.Now().UTC().YearDay()
	if there, err := keep(t, guest, n.ID(), blob); err != nil || len(there) != 1 || !bytes.Equal(there[0], blob) {
		t.Errorf("there are %d blobs, %v", len(there), err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = start(t, c)
	want := api.MailboxStatus{For: "anyone", Bytes: int64(len(blob)), Blobs: 1, TodayBytes: int64(len(blob)), TodayBlobs: 1, DayBytes: 4 << 20, DayBlobs: 1 << 18}
	if time.Now().UTC().YearDay() != day { // a day has ended meanwhile
		want.TodayBytes, want.TodayBlobs = 0, 0
	}
	if s := n.Status().Mailbox; s == nil || *s != want {
		t.Errorf("after a restart its mailbox is %+v, want %+v", s, want)
	}
	if err := n.Client().Block(within(t), guest.Self().String()); err != nil {
		t.Fatal(err)
	}
	if _, err := keep(t, guest, n.ID(), blob); err == nil {
		t.Error("it keeps what somebody brings who is blocked")
	}
}

// A mailbox for friends is for who is paired; without any, nobody has one.
func TestMailboxForFriends(t *testing.T) {
	w := new(world)
	n := start(t, w.keeper(t, "friends"))
	m := mallory(t, w, n) // a grant makes no friend
	defer m.Close()       //nolint:errcheck // it returns nil
	if _, err := keep(t, m, n.ID(), make([]byte, 100)); !errors.Is(err, mailbox.ErrNotForUs) {
		t.Errorf("who is no friend hears %v", err)
	}
	bob := w.node(t, "bob")
	pairUp(t, n, bob)
	if there, err := keep(t, w.presences["bob"].Node, n.ID(), make([]byte, 100)); err != nil || len(there) != 1 {
		t.Errorf("for a friend there are %d, %v", len(there), err)
	}
	if s := bob.Status().Mailbox; s != nil {
		t.Errorf("who was not told to keep anything has a mailbox: %+v", s)
	}
	if _, err := keep(t, w.presences["keeper"].Node, bob.ID(), make([]byte, 100)); !errors.Is(err, peer.ErrNoProtocol) {
		t.Errorf("without a mailbox: %v", err)
	}
}

// Two who are never there together talk by a mailbox that neither knows but by its ticket.
func TestRoomMailbox(t *testing.T) {
	w := new(world)
	keeper := start(t, w.keeper(t, "anyone"))
	ticket, err := keeper.Client().Ticket(within(t), api.TicketRequest{Expires: -1})
	if err != nil {
		t.Fatal(err)
	}
	a, b := w.config(stateDir(t), "alice"), w.config(stateDir(t), "bob")
	alice, bob := start(t, a), start(t, b)
	if _, err := alice.Client().CreateRoom(within(t), api.NewRoom{Name: "letters"}); err != nil {
		t.Fatal(err)
	}
	in, err := alice.Client().InviteToRoom(within(t), "letters", api.RoomInvite{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Client().JoinRoom(within(t), in.Ticket); err != nil {
		t.Fatal(err)
	}
	roomChanges(t, alice, "letters", "bob is there", func(r api.Room) bool { return r.Members == 2 })
	set := func(n *node.Node, names ...string) (api.Room, error) {
		names = append([]string{}, names...) // none is not nothing
		return n.Client().ChangeRoom(within(t), "letters", api.RoomChange{Mailboxes: &names})
	}
	if _, err := set(bob, ticket.Text); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("who is no owner sets mailboxes: %v", err)
	}
	for _, wrong := range [][]string{{"nobody"}, {"tenon1xyz"}, {ticket.Text, keeper.ID().String()}, {"a", "b", "c", "d", "e"}} {
		if _, err := set(alice, wrong...); err == nil {
			t.Errorf("mailboxes are %q", wrong)
		}
	}
	r, err := set(alice, ticket.Text)
	if err != nil || len(r.Mailboxes) != 1 || r.Mailboxes[0].Peer != keeper.ID().String() {
		t.Fatalf("%+v, %v", r, err)
	}
	say(t, alice, "letters", "with a mailbox")
	hear(t, bob, "letters", "with a mailbox")
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "letters", "by letter")
	roomChanges(t, alice, "letters", "the mailbox has it", func(r api.Room) bool { return r.Last.Delivery.State == "sent" })
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	bob = start(t, b)
	hear(t, bob, "letters", "by letter")
	alice = start(t, a)
	if r, err := set(alice); err != nil || len(r.Mailboxes) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// roomChanges waits until a room is as it should be.
func roomChanges(t *testing.T, n *node.Node, name, what string, is func(api.Room) bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for _, err := range n.Client().RoomEvents(ctx, 0) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r, err := n.Client().Room(ctx, name)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if is(r) {
			return
		}
	}
	t.Fatalf("%s: the events have ended", what)
}
