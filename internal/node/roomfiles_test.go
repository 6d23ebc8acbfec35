package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// meetIn has nodes meet in a room, which the first one makes.
func meetIn(t *testing.T, name string, nodes ...*node.Node) {
	t.Helper()
	if _, err := nodes[0].Client().CreateRoom(within(t), api.NewRoom{Name: name, History: true}); err != nil {
		t.Fatal(err)
	}
	in, err := nodes[0].Client().InviteToRoom(within(t), name, api.RoomInvite{})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes[1:] {
		if _, err := n.Client().JoinRoom(within(t), in.Ticket); err != nil {
			t.Fatal(err)
		}
		text := n.Identity().Name + " is here"
		say(t, n, name, text)
		for _, o := range nodes[:i+2] {
			hear(t, o, name, text)
		}
	}
}

// write makes a file.
func write(t *testing.T, text string, at ...string) string {
	t.Helper()
	path := filepath.Join(at...)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sayFile shares a file with a room.
func sayFile(t *testing.T, n *node.Node, room, text string, paths ...string) api.RoomMessage {
	t.Helper()
	m, err := n.Client().SayInRoom(within(t), room, api.RoomSay{Text: text, Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// getFile fetches what a message has, and returns where it is.
func getFile(n *node.Node, ctx context.Context, room, message, target string) (paths []string, err error) {
	for e, err := range n.Client().Fetch(ctx, api.FetchRequest{Room: room, Message: message, Target: target}) {
		if err != nil {
			return nil, err
		}
		if e.Type == api.FetchDone {
			paths = e.Paths
		}
	}
	return paths, nil
}

// gets checks that a file comes, with its name and what is in it.
func gets(t *testing.T, n *node.Node, room, message, target, name, text string) {
	t.Helper()
	paths, err := getFile(n, within(t), room, message, target)
	if err != nil {
		t.Fatalf("%s does not get it: %v", n.Identity().Name, err)
	}
	if len(paths) != 1 || paths[0] != filepath.Join(target, name) {
		t.Fatalf("it is at %q", paths)
	}
	if got, err := os.ReadFile(paths[0]); err != nil || string(got) != text {
		t.Fatalf("it is %q, %v", got, err)
	}
}

// lists waits until a node tells of the only file of a room where it is here, and who else has it.
func lists(t *testing.T, n *node.Node, room, message string, paths []string, at ...string) {
	t.Helper()
	var all []api.RoomFileSaid
	var err error
	for ctx := within(t); ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		all, err = n.Client().RoomFiles(ctx, room)
		if err == nil && len(all) == 1 && all[0].Message.ID == message && all[0].Message.File != nil && slices.Equal(all[0].Paths, paths) && slices.Equal(all[0].At, at) {
			return
		}
	}
	t.Errorf("%s lists %+v, %v, not %q at %q", n.Identity().Name, all, err, paths, at)
}

// What is shared with a room is for who is in it, and for nobody else who has the ticket; who has got it hands it on.
func TestRoomFile(t *testing.T) {
	w := new(world)
	alice, bob, carl, dora := w.node(t, "alice"), w.node(t, "bob"), w.node(t, "carl"), w.node(t, "dora")
	meetIn(t, "plans", alice, bob, carl)
	dir, text := t.TempDir(), strings.Repeat("the plan\n", 20_000)
	said := sayFile(t, alice, "plans", "read this", write(t, text, dir, "plan.txt"))
	if f := said.File; said.Kind != "file" || f == nil || !f.Here || f.Name != "plan.txt" || f.Size != int64(len(text)) || f.Media != "text/plain" || said.Text != "read this" {
		t.Fatalf("said is %+v, %+v", said, said.File)
	}
	if m := hear(t, bob, "plans", "read this"); m.File == nil || m.File.Here || m.File.Ticket != said.File.Ticket || m.File.Size != said.File.Size {
		t.Fatalf("bob hears %+v", m)
	}
	if all, err := alice.Client().Shares(within(t)); err != nil || len(all) != 1 || len(all[0].To) != 1 || all[0].To[0] != "#plans" {
		t.Errorf("alice shares %+v, %v", all, err)
	}
	for e, err := range dora.Client().Fetch(within(t), api.FetchRequest{Ticket: said.File.Ticket, Target: t.TempDir()}) {
		if err == nil && e.Type == api.FetchDone {
			t.Fatal("who is not in the room gets it by the ticket")
		} else if err != nil && !errors.Is(err, transport.ErrDenied) {
			t.Errorf("who is not in the room: %v", err)
		}
	}
	to := t.TempDir()
	gets(t, bob, "plans", "", to, "plan.txt", text)
	gets(t, bob, "plans", said.ID[:10], to, "plan.txt", text) // it is there, and fetched again: the same
	write(t, "another", to, "plan.txt")
	gets(t, bob, "plans", said.ID, to, "plan (2).txt", text)
	if _, err := getFile(alice, within(t), "plans", said.ID, to); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("who has shared it: %v", err)
	}
	hear(t, carl, "plans", "read this")
	lists(t, alice, "plans", said.ID, []string{filepath.Join(dir, "plan.txt")}, "bob") // who has got it from there
	lists(t, bob, "plans", said.ID, []string{filepath.Join(to, "plan (2).txt")}, "alice")
	lists(t, carl, "plans", said.ID, nil, "alice")
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	lists(t, carl, "plans", said.ID, nil)
	gets(t, carl, "plans", said.ID, t.TempDir(), "plan.txt", text) // from bob
	if err := bob.Client().LeaveRoom(within(t), "plans", false); err != nil {
		t.Fatal(err)
	}
}

// handsOn waits until a node hands a share on.
func handsOn(t *testing.T, n *node.Node, size int64) {
	t.Helper()
	eventually(t, func() bool {
		all, err := n.Client().Shares(within(t))
		return err == nil && len(all) == 1 && all[0].Bytes == size && all[0].Have == size
	})
}

// Who has got a file hands it on also when his node was started anew, and the author has gone; by whatever name it is there.
func TestRoomFileHandedOn(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	alice, bob, carl := w.node(t, "alice"), start(t, w.config(dir, "bob")), w.node(t, "carl")
	meetIn(t, "plans", alice, bob, carl)
	from, to, text := t.TempDir(), t.TempDir(), strings.Repeat("the plan\n", 20_000)
	said := sayFile(t, alice, "plans", "read this", write(t, text, from, "plan.txt"), write(t, "more", from, "more.txt"))
	size := int64(len(text) + len("more"))
	hear(t, bob, "plans", "read this")
	hear(t, carl, "plans", "read this")
	write(t, "another", to, "plan.txt")
	if _, err := getFile(bob, within(t), "plans", said.ID, to); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(alice.Close(), bob.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // each next node goes on with it
		bob = start(t, w.config(dir, "bob"))
		handsOn(t, bob, size)
		hear(t, carl, "plans", "bob is here")
		if err := bob.Close(); err != nil {
			t.Fatal(err)
		}
	}
	bob = start(t, w.config(dir, "bob"))
	handsOn(t, bob, size)
	there := t.TempDir()
	if _, err := getFile(carl, within(t), "plans", said.ID, there); err != nil {
		t.Fatalf("from bob alone: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(there, "plan.txt")); err != nil || string(got) != text {
		t.Fatalf("carl has %d bytes, %v", len(got), err)
	}

	// It ends with the room.
	if err := bob.Client().LeaveRoom(within(t), "plans", false); err != nil {
		t.Fatal(err)
	}
	if all, err := bob.Client().Shares(within(t)); err != nil || len(all) != 0 {
		t.Errorf("who has left hands on %+v, %v", all, err)
	}
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	bob = start(t, w.config(dir, "bob"))
	if all, err := bob.Client().Shares(within(t)); err != nil || len(all) != 0 {
		t.Errorf("and so does the next node: %+v, %v", all, err)
	}
}

// What has changed on disk is not handed on, and named; and nothing is of which the message is gone.
func TestRoomFileHandedOnNot(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	alice, bob := w.node(t, "alice"), start(t, w.config(dir, "bob"))
	meetIn(t, "plans", alice, bob)
	from, to := t.TempDir(), t.TempDir()
	gone, changed := sayFile(t, alice, "plans", "first", write(t, "first", from, "gone.txt")), sayFile(t, alice, "plans", "second", write(t, "second", from, "plan.txt"))
	hear(t, bob, "plans", "first")
	hear(t, bob, "plans", "second")
	gets(t, bob, "plans", gone.ID, to, "gone.txt", "first")
	gets(t, bob, "plans", changed.ID, to, "plan.txt", "second")
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, "SECOND", to, "plan.txt")
	bob = start(t, w.config(dir, "bob"))
	eventually(t, func() bool {
		all, err := bob.Client().Shares(within(t))
		return err == nil && len(all) == 1 && strings.Contains(all[0].Name, "gone")
	})
	told := false
	for e, err := range bob.Client().Events(within(t), 0, true) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "warning" {
			told = strings.Contains(e.Text, "plan.txt") && strings.Contains(e.Text, "#plans") && strings.Contains(e.Text, "not handed on")
			break
		}
	}
	if !told {
		t.Error("it is not said which")
	}
	if err := alice.Client().DeleteRoomMessage(within(t), "plans", gone.ID); err != nil {
		t.Fatal(err)
	}
	goneFrom(t, bob, "plans", gone.ID)
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	bob = start(t, w.config(dir, "bob"))
	if all, err := bob.Client().Shares(within(t)); err != nil || len(all) != 0 {
		t.Errorf("what was taken back is handed on: %+v, %v", all, err)
	}
}

// Who is removed gets nothing any more, and nobody does of a message that is taken back.
func TestRoomFileTakenBack(t *testing.T) {
	w := new(world)
	alice, bob, carl := w.node(t, "alice"), w.node(t, "bob"), w.node(t, "carl")
	meetIn(t, "plans", alice, bob, carl)
	path := write(t, "secret", t.TempDir(), "secret")
	first, second := sayFile(t, alice, "plans", "first", path), sayFile(t, alice, "plans", "second", path)
	hear(t, bob, "plans", "second")
	hear(t, carl, "plans", "second")
	if err := alice.Client().RemoveFromRoom(within(t), "plans", "carl"); err != nil {
		t.Fatal(err)
	}
	if _, err := getFile(carl, within(t), "plans", first.ID, t.TempDir()); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("who was removed: %v", err)
	}
	if err := alice.Client().DeleteRoomMessage(within(t), "plans", first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := getFile(bob, within(t), "plans", first.ID, t.TempDir()); !errors.Is(err, transport.ErrDenied) && !errors.Is(err, api.ErrNotFound) {
		t.Errorf("what was taken back: %v", err)
	}
	gets(t, bob, "plans", second.ID, t.TempDir(), "secret", "secret")
	third := sayFile(t, bob, "plans", "third", path)
	hear(t, alice, "plans", "third")
	if err := alice.Client().DeleteRoomMessage(within(t), "plans", third.ID); err != nil { // by an owner
		t.Fatal(err)
	}
	goneFrom(t, bob, "plans", third.ID)
	for _, err := range alice.Client().Fetch(within(t), api.FetchRequest{Ticket: third.File.Ticket, Target: t.TempDir()}) {
		if err != nil && !errors.Is(err, transport.ErrDenied) {
			t.Errorf("what an owner has taken away: %v", err)
		} else if err == nil {
			t.Error("what an owner has taken away comes")
		}
	}
	if err := alice.Client().LeaveRoom(within(t), "plans", true); err != nil {
		t.Fatal(err)
	}
	if all, err := alice.Client().Shares(within(t)); err != nil || len(all) != 0 {
		t.Errorf("who has left shares %+v, %v", all, err)
	}
}

// goneFrom waits until a node knows that a message was taken away.
func goneFrom(t *testing.T, n *node.Node, room, message string) {
	t.Helper()
	for _, err := range n.Client().RoomEvents(within(t), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if m, err := n.Client().RoomMessage(within(t), room, message); err != nil || m.Deleted {
			return
		}
	}
}

// What the user has shared on one device comes to another one.
func TestRoomFileOfOwnDevice(t *testing.T) {
	w := new(world)
	first, second := stateDir(t), stateDir(t)
	alice := start(t, w.config(first, "alice"))
	meetIn(t, "plans", alice)
	key, err := os.ReadFile(filepath.Join(first, "person.key"))
	if err == nil {
		err = errors.Join(os.Mkdir(second, 0o700), os.WriteFile(filepath.Join(second, "person.key"), key, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	other := start(t, w.config(second, "other"))
	in, err := alice.Client().InviteToRoom(within(t), "plans", api.RoomInvite{})
	if err == nil {
		_, err = other.Client().JoinRoom(within(t), in.Ticket)
	}
	if err != nil {
		t.Fatal(err)
	}
	say(t, other, "plans", "other is here")
	hear(t, alice, "plans", "other is here")
	said := sayFile(t, alice, "plans", "mine", write(t, "my plan", t.TempDir(), "plan"))
	if m := hear(t, other, "plans", "mine"); !m.Mine || m.File == nil || m.File.Here || !said.File.Here {
		t.Errorf("the other device hears %+v", m)
	}
	gets(t, other, "plans", "", t.TempDir(), "plan", "my plan")
}

// What has changed since it was said is not given in place of it, by the same node or the next one, and who gets none is told why.
func TestRoomFileChanged(t *testing.T) {
	t.Parallel() // it waits twice until nobody can be asked
	w := new(world)
	dir := stateDir(t)
	alice, bob := start(t, w.config(dir, "alice")), w.node(t, "bob")
	meetIn(t, "plans", alice, bob)
	path := write(t, "as it was", t.TempDir(), "plan")
	said := sayFile(t, alice, "plans", "", path)
	hear(t, bob, "plans", "")
	write(t, "as it is now, which is longer", path)
	if _, err := getFile(bob, within(t), "plans", said.ID, t.TempDir()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("what has changed: %v", err)
	}
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	alice = start(t, w.config(dir, "alice"))
	hear(t, alice, "plans", "bob is here")
	if _, err := getFile(bob, within(t), "plans", said.ID, t.TempDir()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("what has changed, from the next node: %v", err)
	}
	write(t, "as it was", path)
	again := sayFile(t, alice, "plans", "again", path)
	hear(t, bob, "plans", "again")
	gets(t, bob, "plans", again.ID, t.TempDir(), "plan", "as it was")
}

// What cannot be shared is not said.
func TestRoomFileNot(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	if _, err := alice.Client().CreateRoom(within(t), api.NewRoom{Name: "plans"}); err != nil {
		t.Fatal(err)
	}
	here := write(t, "x", t.TempDir(), "x")
	for _, s := range []api.RoomSay{
		{Paths: []string{filepath.Join(t.TempDir(), "nowhere")}},
		{Paths: []string{"relative"}},
		{Paths: []string{here}, Reply: "0123456789"},
		{Paths: []string{here}, Edit: "0123456789"},
		{Paths: []string{here}, Text: strings.Repeat("x", 70_000)},
	} {
		if m, err := alice.Client().SayInRoom(within(t), "plans", s); err == nil {
			t.Errorf("%+v is said: %+v", s, m)
		}
	}
	if all, err := alice.Client().Shares(within(t)); err != nil || len(all) != 0 {
		t.Errorf("there are shares: %+v, %v", all, err)
	}
	if _, err := getFile(alice, within(t), "plans", "", t.TempDir()); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the file that nobody has said: %v", err)
	}
}
