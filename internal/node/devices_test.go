package node_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/node"
)

// copyState puts a copy of a state directory in place of what is there, as cp -a would.
func copyState(t *testing.T, to, from string) {
	t.Helper()
	err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)), filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return errors.Join(err, os.Chmod(path, 0o700))
		}
		return os.Chmod(path, 0o600)
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// Who puts back an old copy of a node's state, and says something before anybody is met, gets a new key by himself and is told so
// once; what was said is there, and peers follow.
func TestRestoredState(t *testing.T) {
	w := new(world)
	dir, dirOfAlice := stateDir(t), stateDir(t)
	alice, bob := start(t, w.config(dirOfAlice, "alice")), start(t, w.config(dir, "bob"))
	pairUp(t, alice, bob)
	if _, err := bob.Client().DirectRoom(within(t), "alice"); err != nil {
		t.Fatal(err)
	}
	say(t, bob, "alice", "one")
	hear(t, alice, "bob", "one")
	end := func(n *node.Node) {
		t.Helper()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	end(bob)
	copied := filepath.Join(t.TempDir(), "copy")
	copyState(t, copied, dir)
	bob = start(t, w.config(dir, "bob"))
	say(t, bob, "alice", "two")
	hear(t, alice, "bob", "two")
	end(bob)
	end(alice) // nobody is there when the copy is put back
	copyState(t, dir, copied)
	bob = start(t, w.config(dir, "bob"))
	was := bob.ID()
	say(t, bob, "alice", "other two")
	alice = start(t, w.config(dirOfAlice, "alice"))
	renewed := func(n *node.Node, room string) func() bool {
		return func() bool {
			all, err := n.Client().RoomMembers(within(t), room)
			return err == nil && len(all) == 2 && !all[0].Forked && slices.Equal(all[0].Devices, []string{bob.ID().String()})
		}
	}
	eventually(t, func() bool { return bob.ID() != was && alice.Peers()[0].ID == bob.ID().String() })
	eventually(t, renewed(bob, "alice"))
	say(t, bob, "alice", "three")
	for _, text := range []string{"one", "two", "other two", "three"} {
		hear(t, alice, "bob", text)
		hear(t, bob, "alice", text)
	}
	eventually(t, renewed(alice, "bob"))
	told := 0
	for e, err := range bob.Client().Events(within(t), 0, false) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "warning" && strings.Contains(e.Text, "an old copy") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it is told %d times", told)
	}
}
