package node_test

import (
	"errors"
	"io"
	"testing"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A node that is there for one program offers only what that offers, under names that
// are on record, too: whoever only dials does not open what was served before.
func TestPassing(t *testing.T) {
	w := new(world)
	dir, address := stateDir(t), echo(t)
	bob := w.node(t, "bob")
	alice, err := node.New(t.Context(), w.config(dir, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: address, To: []string{"bob"}})
	ticket, err := alice.Client().Ticket(within(t), api.TicketRequest{Service: "echo", Uses: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	config := w.config(dir, "alice")
	config.Passing = true
	alice = start(t, config)
	if list, err := bob.Client().PeerServices(within(t), "alice"); err != nil || len(list) != 0 {
		t.Errorf("bob sees %+v, %v", list, err)
	}
	if _, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/echo"}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("what was served before: %v", err)
	}
	if _, err := bob.Client().Dial(within(t), api.DialRequest{To: ticket.Text}); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("by a ticket: %v", err)
	}
	o, err := alice.Client().Offer(within(t), api.OfferRequest{Service: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	go func() {
		c, err := o.Accept()
		if err == nil {
			c.(transport.Stream).Write([]byte("live"))
			io.Copy(io.Discard, c.(transport.Stream))
			c.Close()
		}
	}()
	says(t, dial(t, bob, "alice/echo"), "x", "live")
}
