package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// hear follows what happens in rooms, until a message with that text is there.
func hear(t *testing.T, n *node.Node, room, text string) api.RoomMessage {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for e, err := range n.Client().RoomEvents(ctx, 0) {
		if err != nil {
			t.Fatalf("%q is not heard: %v", text, err)
		}
		if e.Type != api.RoomsReady && e.Message == nil && e.Type != api.RoomItself && e.Type != api.RoomsLost {
			continue
		}
		page, err := n.Client().RoomMessages(ctx, room, api.RoomQuery{})
		if errors.Is(err, api.ErrNotFound) {
			continue // it is not there yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			if m.Text == text {
				return m
			}
		}
	}
	t.Fatalf("%q is not heard", text)
	return api.RoomMessage{}
}

func say(t *testing.T, n *node.Node, room, text string) api.RoomMessage {
	t.Helper()
	m, err := n.Client().SayInRoom(within(t), room, api.RoomSay{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Who is paired talks at once, with the names that this user gives; and goes on when a node has ended, or has a new key.
func TestRoomOfTwo(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	alice, bob := w.node(t, "alice"), start(t, w.config(dir, "bob"))
	pairUp(t, alice, bob)
	r, err := alice.Client().DirectRoom(within(t), "bob")
	if err != nil || r.Name != "bob" || !r.Direct || r.State != api.RoomInside {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := bob.Client().Room(within(t), "nobody"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("who is not there: %v", err)
	}
	say(t, alice, "bob", "hello @bob")
	if m := hear(t, bob, "alice", "hello @bob"); m.From != "alice" || !m.MentionMe || m.Mine {
		t.Errorf("bob hears %+v", m)
	}
	if r, err := bob.Client().Room(within(t), "alice"); err != nil || r.Unread != 1 || r.Mentions != 1 || r.Last == nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := bob.Client().ReadRoom(within(t), "alice", ""); err != nil {
		t.Error(err)
	}
	if r, err := bob.Client().Room(within(t), "alice"); err != nil || r.Unread != 0 || r.Mentions != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "bob", "while you are away")
	bob = start(t, w.config(dir, "bob"))
	hear(t, bob, "alice", "while you are away")
	if _, err := alice.Rotate(within(t)); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "bob", "by a new key")
	hear(t, bob, "alice", "by a new key")
	say(t, bob, "alice", "heard")
	hear(t, alice, "bob", "heard")
}

// By a ticket strangers come into a room, and out of it again.
func TestRoomByTicket(t *testing.T) {
	w := new(world)
	alice, bob, carl := w.node(t, "alice"), w.node(t, "bob"), w.node(t, "carl")
	if _, err := alice.Client().CreateRoom(within(t), api.NewRoom{Name: "#plans", Topic: "what to do", History: true}); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "plans", "before")
	in, err := alice.Client().InviteToRoom(within(t), "plans", api.RoomInvite{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node.Node{bob, carl} {
		if _, err := n.Client().JoinRoom(within(t), in.Ticket); err != nil {
			t.Fatal(err)
		}
		say(t, n, "plans", "here is "+n.Identity().Name)
	}
	hear(t, bob, "#plans", "here is carl")
	hear(t, carl, "#plans", "before")
	if m := hear(t, alice, "#plans", "here is bob"); m.From != "bob" {
		t.Errorf("bob is called %s", m.From)
	}
	if err := alice.Client().RemoveFromRoom(within(t), "plans", "carl"); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "plans", "without carl")
	hear(t, bob, "plans", "without carl")
	if _, err := bob.Client().InviteToRoom(within(t), "plans", api.RoomInvite{}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("a member invites: %v", err)
	}
}

// What was written and not said stays at its node, over restarts and 0600: nobody is told, no export has it, and who forgets
// the room forgets it, too. The latest are kept.
func TestRoomDrafts(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	n := start(t, w.config(dir, "alice"))
	c := n.Client()
	r, err := c.CreateRoom(within(t), api.NewRoom{Name: "lobby"})
	if err != nil {
		t.Fatal(err)
	}
	said := say(t, n, "lobby", "said")
	draft := api.RoomDraft{Text: "half a thought", About: said.ID}
	if err := c.KeepRoomDraft(within(t), "lobby", api.RoomDraft{Text: "older"}); err != nil {
		t.Fatal(err)
	}
	if err := c.KeepRoomDraft(within(t), "lobby", draft); err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if err := c.ExportRoom(within(t), "lobby", &export); err != nil || strings.Contains(export.String(), draft.Text) {
		t.Errorf("%v, the export is %s", err, &export)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(filepath.Join(dir, "rooms.db")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("it is in a file of mode %v, %v", i.Mode(), err)
	}
	c = start(t, w.config(dir, "alice")).Client()
	draft.Room = r.ID
	if all, err := c.RoomDrafts(within(t)); err != nil || len(all) != 1 || all[0] != draft {
		t.Errorf("kept is %+v, %v", all, err)
	}
	for _, bad := range []api.RoomDraft{{Text: strings.Repeat("x", 60<<10+1)}, {Text: "x", About: strings.Repeat("x", 1000)}} {
		if err := c.KeepRoomDraft(within(t), "lobby", bad); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("too much: %v", err)
		}
	}
	if err := c.KeepRoomDraft(within(t), "nowhere", draft); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("in no room: %v", err)
	}
	if err := c.ForgetRoom(within(t), "lobby", false); err != nil {
		t.Fatal(err)
	}
	if all, err := c.RoomDrafts(within(t)); err != nil || len(all) != 0 {
		t.Errorf("of a room that is forgotten: %+v, %v", all, err)
	}
	for i := range 102 {
		r, err := c.CreateRoom(within(t), api.NewRoom{Name: fmt.Sprint("room", i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.KeepRoomDraft(within(t), r.ID, api.RoomDraft{Text: fmt.Sprint("in ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := c.RoomDrafts(within(t)); err != nil || len(all) != 100 || all[0].Text != "in 2" {
		t.Errorf("%d are kept: %+v, %v", len(all), all[:min(len(all), 1)], err)
	}
}

// Who was removed while he was away is told so by any member when he comes back, though nobody knows him otherwise; nobody else who has gone
// is let in for that.
func TestRemovedWhileAway(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	alice, bob, carl := w.node(t, "alice"), start(t, w.config(dir, "bob")), w.node(t, "carl")
	meetIn(t, "plans", alice, bob, carl)
	id := bob.ID()
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "plans", "he is away")
	if err := alice.Client().RemoveFromRoom(within(t), "plans", "bob"); err != nil {
		t.Fatal(err)
	}
	invites, err := alice.Client().RoomInvites(within(t), "plans") // by which anybody could come
	if err != nil || len(invites) != 1 || invites[0].Role != "member" || invites[0].By == "" || invites[0].Ticket != "" {
		t.Fatalf("%+v, %v", invites, err)
	}
	if err := alice.Client().RevokeRoomInvite(within(t), "plans", invites[0].ID); err != nil {
		t.Fatal(err)
	}
	say(t, alice, "plans", "without him")
	hear(t, carl, "plans", "without him")
	if alice.Admit(id) == peer.Refused || carl.Admit(id) == peer.Refused || carl.Admit(peer.KeyFromSeed([32]byte{1}).ID()) != peer.Refused {
		t.Errorf("let in is not who is to be told")
	}
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	bob = start(t, w.config(dir, "bob"))
	eventually(t, func() bool {
		r, err := bob.Client().Room(within(t), "plans")
		return err == nil && r.State == api.RoomLeft
	})
	page, err := bob.Client().RoomMessages(within(t), "plans", api.RoomQuery{})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, m := range page.Messages {
		texts[m.Text] = true
	}
	if !texts["he is away"] || !texts["alice removed you"] && !texts["alice removed bob"] || texts["without him"] {
		t.Errorf("bob sees %v", texts)
	}
}
