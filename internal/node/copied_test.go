package node_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
)

// A copy of a state directory runs beside the original, and both say something in one place of a room while nobody else is there: the user
// of each is told, each gets a key of its own, and nothing that either said is lost.
func TestCopyTalksBesideOriginal(t *testing.T) {
	_, contact := relayNode(t, "none")
	at := func(dir, name string) *node.Node {
		t.Helper()
		return start(t, node.Config{Dir: dir, Name: name, Network: node.Connect, Flags: node.Settings{Network: node.Network{
			Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"none"}, Relays: []string{contact},
		}}})
	}
	dir, copied, dirOfBob := stateDir(t), filepath.Join(t.TempDir(), "copy"), stateDir(t)
	alice, bob := at(dir, "alice"), at(dirOfBob, "bob")
	pairUp(t, alice, bob)
	meetIn(t, "plans", alice, bob)
	was := alice.ID()
	for _, n := range []*node.Node{alice, bob} {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	copyState(t, copied, dir)
	both := []*node.Node{at(dir, "alice"), at(copied, "alice")}
	say(t, both[0], "plans", "by the original")
	say(t, both[1], "plans", "by the copy")
	bob = at(dirOfBob, "bob")
	for i, n := range both {
		eventually(t, func() bool { return n.ID() != was })
		told := false
		for e, err := range n.Client().Events(within(t), 0, false) {
			if err != nil {
				t.Fatal(err)
			}
			told = told || e.Type == "warning" && strings.Contains(e.Text, "or it was copied")
		}
		if !told {
			t.Errorf("number %d is not told", i)
		}
	}
	if both[0].ID() == both[1].ID() {
		t.Error("they have one key still")
	}
	for _, n := range append(both, bob) {
		eventually(t, func() bool { // while a node changes its key it is not connected
			page, err := n.Client().RoomMessages(within(t), "plans", api.RoomQuery{})
			is := func(text string) bool {
				return slices.ContainsFunc(page.Messages, func(m api.RoomMessage) bool { return m.Text == text })
			}
			return err == nil && is("by the original") && is("by the copy")
		})
	}
}
