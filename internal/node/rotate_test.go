package node_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

func rotate(t *testing.T, n *node.Node, away ...string) api.Identity {
	t.Helper()
	old := n.ID()
	id, err := n.Client().Rotate(within(t))
	if err != nil || id.ID == old.String() || id.ID != n.ID().String() || !slices.Equal(id.Away, away) {
		t.Fatalf("%+v, %v", id, err)
	}
	return id
}

// Who is connected is told at once.
func TestRotate(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	serve(t, bob, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"alice"}})
	says(t, dial(t, bob, "alice/echo"), "x", "X")
	id := rotate(t, alice)
	eventually(t, func() bool { return bob.Peers()[0].ID == id.ID })
	says(t, dial(t, bob, "alice/echo"), "y", "Y")
	says(t, dial(t, alice, "bob/echo"), "z", "Z") // what was granted to the old key
}

// Who is away follows when the two meet again, whoever of them turns to the other, and
// whatever the key has become meanwhile: names, grants and tickets stay. That is so for
// keys on record, too, after a restart.
func TestRotateWhileAway(t *testing.T) {
	for name, meet := range map[string]func(*testing.T, *node.Node, *node.Node){
		"bob calls":   func(t *testing.T, alice, bob *node.Node) { says(t, dial(t, bob, "ally/echo"), "x", "X") },
		"alice calls": func(t *testing.T, alice, bob *node.Node) { says(t, dial(t, alice, "bob/echo"), "x", "X") },
		"bob looks": func(t *testing.T, alice, bob *node.Node) {
			if all, err := bob.Client().PeerServices(within(t), "ally"); err != nil || len(all) != 1 {
				t.Fatalf("%v, %v", all, err)
			}
		},
	} {
		for _, keys := range []int{1, 3} {
			t.Run(name, func(t *testing.T) {
				w := new(world)
				alice, dir := w.node(t, "alice"), stateDir(t)
				bob := start(t, w.config(dir, "bob"))
				pairUp(t, alice, bob)
				if _, err := bob.Client().Rename(within(t), "alice", "ally"); err != nil {
					t.Fatal(err)
				}
				serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
				serve(t, alice, api.ServeRequest{Name: "more", Address: echo(t)})
				serve(t, bob, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"ally"}})
				ours, err := alice.Client().Ticket(within(t), api.TicketRequest{Service: "more"})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := bob.Client().AddTicket(within(t), ours.Text, ""); err != nil {
					t.Fatal(err)
				}
				theirs, err := bob.Client().Ticket(within(t), api.TicketRequest{Service: "echo", For: "ally"})
				if err != nil {
					t.Fatal(err)
				}
				if err := bob.Close(); err != nil {
					t.Fatal(err)
				}
				first := alice.ID()
				for range keys {
					rotate(t, alice, "bob")
				}
				for range 2 { // the second time from what is on record
					bob = start(t, w.config(dir, "bob"))
					meet(t, alice, bob)
					if p := bob.Peers(); len(p) != 1 || p[0].Name != "ally" || p[0].ID != alice.ID().String() || p[0].Paired.IsZero() {
						t.Errorf("bob knows %+v", p)
					}
					says(t, dial(t, bob, "ally/more"), "y", "Y")
					says(t, dial(t, bob, first.String()+"/echo"), "y", "Y")
					says(t, dial(t, alice, "bob/echo"), "z", "Z")
					says(t, dial(t, alice, theirs.Text), "z", "Z")
					if bob.Admit(first) != peer.Refused {
						t.Error("bob still lets the old key in")
					}
					if err := bob.Close(); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// A ticket that was signed by an earlier key is good, for strangers too.
func TestRotateTicket(t *testing.T) {
	w := new(world)
	alice, bob, carol := w.node(t, "alice"), w.node(t, "bob"), w.node(t, "carol")
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t)})
	ticket, err := alice.Client().Ticket(within(t), api.TicketRequest{Service: "echo", Uses: 2})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, alice)
	says(t, dial(t, bob, ticket.Text), "x", "X")
	if added, err := carol.Client().AddTicket(within(t), ticket.Text, ""); err != nil || !added.Redeemed || added.Peer.ID != alice.ID().String() {
		t.Errorf("%+v, %v", added, err)
	}
	if cut, err := alice.Client().RevokeTicket(within(t), ticket.Text); err != nil || cut != 1 {
		t.Errorf("cut %d, %v", cut, err)
	}
}

// Somebody shows bob statements that are forged, or somebody else's, or late: what bob
// granted stays with who he granted it to, and nobody else gets in.
func TestRotateForged(t *testing.T) {
	w := new(world)
	bob := w.node(t, "bob")
	friend, heir, mallory := w.Node("friend", nil), w.Node("heir", nil), w.Node("mallory", nil)
	serve(t, bob, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{friend.Self().String()}})
	granted := func() string { return bob.Services()[0].To[0] }
	comes := func(n *peertest.Node, rotations []byte) error {
		n.Rotated(rotations, nil)
		s, err := n.Open(within(t), bob.ID(), node.Protocol)
		if err == nil {
			s.Close()
		}
		return err
	}
	statement := func(from, to *peer.Key) []byte {
		return peer.MarshalRotations([]peer.Rotation{peer.NewRotation(from, to, 1, time.Now())})
	}
	truth := statement(friend.Key(), heir.Key())
	stolen := statement(friend.Key(), mallory.Key())
	forged := slices.Clone(stolen)
	clear(forged[80:144]) // the signature of the old key
	other := slices.Clone(statement(mallory.Key(), heir.Key()))
	copy(other, friend.Self().Bytes())
	for name, shown := range map[string][]byte{"a forged signature": forged, "of another key": other, "cut short": stolen[:len(stolen)-1], "noise": make([]byte, 256)} {
		if err := comes(mallory, shown); !errors.Is(err, peer.ErrNotAdmitted) || granted() != friend.Self().Short() {
			t.Errorf("%s: %v, and it is granted to %s", name, err, granted())
		}
	}
	if err := comes(heir, truth); err != nil || granted() != heir.Self().Short() {
		t.Fatalf("%v, and it is granted to %s", err, granted())
	}
	for name, shown := range map[string][]byte{"replayed": truth, "by who has the old key, too late": stolen} {
		if err := comes(mallory, shown); !errors.Is(err, peer.ErrNotAdmitted) || granted() != heir.Self().Short() {
			t.Errorf("%s: %v, and it is granted to %s", name, err, granted())
		}
	}
	if err := comes(friend, nil); !errors.Is(err, peer.ErrNotAdmitted) {
		t.Errorf("the old key: %v", err)
	}
	if err := comes(heir, truth); err != nil {
		t.Error(err)
	}
}
