package node_test

import (
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A state directory that was copied makes two nodes of one. Both say so, once in the log,
// and in status and doctor for as long as they run; and both work.
func TestOneKeyOnTwoMachines(t *testing.T) {
	relay := start(t, node.Config{Dir: stateDir(t), Name: "relay", Network: node.Connect, Flags: node.Settings{Network: node.Network{
		Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"none"}, Relay: "anyone",
	}}})
	contact, err := relay.Client().Ticket(within(t), api.TicketRequest{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(dir string) *node.Node {
		t.Helper()
		return start(t, node.Config{Dir: dir, Name: "alice", Network: node.Connect, Flags: node.Settings{Network: node.Network{
			Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"none"}, Relays: []string{contact.Text},
		}}})
	}
	dir, copied := stateDir(t), stateDir(t)
	alice, bob := at(dir), real(t, "bob", contact.Text)
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for range 2 { // the copy, when it is restarted, notices again
		both := []*node.Node{at(dir), at(copied)}
		for i, n := range both {
			eventually(t, func() bool { return len(n.Status().Warnings) > 0 })
			if w := n.Status().Warnings; len(w) != 1 || !warns(w[0]) || !strings.Contains(w[0], "last seen") {
				t.Errorf("status of number %d: %q", i, w)
			}
			told := 0
			for e, err := range n.Client().Events(within(t), 0, false) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Type == "warning" && warns(e.Text) {
					told++
				}
			}
			if told != 1 {
				t.Errorf("number %d tells it %d times in the log", i, told)
			}
			found := false
			for step, err := range n.Client().Doctor(within(t), "") {
				if err != nil {
					t.Fatal(err)
				}
				found = found || !step.OK && strings.Contains(step.Error, "another machine has it") && strings.Contains(step.Advice, "pair")
			}
			if !found {
				t.Errorf("the doctor does not tell number %d", i)
			}
		}
		if w := bob.Status().Warnings; len(w) > 0 {
			t.Errorf("bob has his key alone: %q", w)
		}
		usable(t, bob)
		for _, n := range both {
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// usable has bob use alice, whichever that is. What moves from a way to the one to a better
// way that is to the other is lost, and says so.
func usable(t *testing.T, bob *node.Node) {
	t.Helper()
	eventually(t, func() bool {
		c, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/echo"})
		if err != nil {
			return false
		}
		defer c.Close()
		s := c.(transport.Stream)
		s.SetDeadline(time.Now().Add(20 * time.Second))
		s.Write([]byte("hello"))
		b := make([]byte, 5)
		n, err := io.ReadFull(s, b)
		if !strings.HasPrefix("HELLO", string(b[:n])) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("bob reads %q, %v", b[:n], err)
		}
		return err == nil
	})
}

func warns(text string) bool {
	return strings.Contains(text, "another machine has the key of this node") && strings.Contains(text, "tenon id --rotate")
}
