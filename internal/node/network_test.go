package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// real is a node over libp2p, on loopback.
func real(t *testing.T, name string, relays ...string) *node.Node {
	t.Helper()
	return start(t, node.Config{Dir: stateDir(t), Name: name, Network: node.Connect, Flags: node.Settings{Network: node.Network{
		Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, Discovery: []string{"none"}, Relays: relays,
	}}})
}

// relayNode is a relay for anyone on loopback, and the ticket that says where it is.
func relayNode(t *testing.T, discovery string) (relay *node.Node, contact string) {
	t.Helper()
	relay = start(t, node.Config{Dir: stateDir(t), Name: "relay", Network: node.Connect, Flags: node.Settings{Network: node.Network{
		Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{discovery}, Relay: "anyone",
	}}})
	ticket, err := relay.Client().Ticket(within(t), api.TicketRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return relay, ticket.Text
}

// A relay that listens at two addresses is one relay: who shows a code takes the shortest number there, and does
// not find that somebody else, who is itself, has it already.
func TestRelayAtTwoAddresses(t *testing.T) {
	relay := start(t, node.Config{Dir: stateDir(t), Name: "relay", Network: node.Connect, Flags: node.Settings{Network: node.Network{
		Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, Discovery: []string{"none"}, Relay: "anyone",
	}}})
	ticket, err := relay.Client().Ticket(within(t), api.TicketRequest{})
	if err != nil {
		t.Fatal(err)
	}
	alice := real(t, "alice", ticket.Text)
	for e, err := range alice.Client().PairOffer(within(t), api.PairRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != api.PairCode {
			t.Errorf("before the code: %+v", e)
			continue
		}
		if number, _, _ := strings.Cut(e.Code, "-"); len(number) > 1 {
			t.Errorf("a relay that nobody else uses has number %s free", number)
		}
		break
	}
	relays := 0
	for step, err := range alice.Client().Doctor(within(t), "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(step.What, "relay ") {
			relays++
		}
	}
	if relays != 1 {
		t.Errorf("doctor looks at %d relays", relays)
	}
}

// Two nodes over libp2p meet at a relay that knows neither, and one uses a service of
// the other.
func TestOverLibp2p(t *testing.T) {
	ctx := within(t)
	relay, contact := relayNode(t, "none")
	if s := relay.Status(); s.Relaying != "anyone" || len(s.Ports) != 5 { // one that it listens at, and two for each of TCP and UDP where it observes
		t.Errorf("a relay for %q with ports %q", s.Relaying, s.Ports)
	}
	began := time.Now()
	alice, bob := real(t, "alice", contact), real(t, "bob", contact)
	pairUp(t, alice, bob)
	t.Logf("started and paired in %v", time.Since(began))
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	began = time.Now()
	s := dial(t, bob, "alice/echo")
	says(t, s, "hello", "HELLO")
	t.Logf("first byte after %v", time.Since(began))
	var steps []string
	for step, err := range bob.Client().Doctor(ctx, "alice") {
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step.What)
		if !step.OK && !strings.Contains(step.What, "local network") && !strings.Contains(step.What, "router") {
			t.Errorf("%+v", step)
		}
	}
	if !slices.Contains(steps, "the database") || len(steps) < 4 {
		t.Errorf("doctor: %q", steps)
	}
	if alice.Admit(relay.ID()) != peer.Refused {
		t.Error("a relay is let in")
	}
}

// Two that are paired and have both moved find each other in the table that a relay
// keeps, and not without it.
func TestDiscoveryByTable(t *testing.T) {
	ctx := within(t)
	_, contact := relayNode(t, "dht")
	dirs := []string{stateDir(t), stateDir(t)}
	both := func(network node.Network) (two [2]*node.Node) {
		for i, name := range []string{"alice", "bob"} {
			network.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
			n, err := node.New(t.Context(), node.Config{Dir: dirs[i], Name: name, Network: node.Connect, Flags: node.Settings{Network: network}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Close() })
			two[i] = n
		}
		return two
	}
	two := both(node.Network{Discovery: []string{"none"}, Relays: []string{contact}})
	pairUp(t, two[0], two[1])
	for _, way := range []string{"none", "dht"} {
		for _, n := range two {
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
		two = both(node.Network{Discovery: []string{way}, Bootstrap: []string{contact}})
		if way == "none" {
			if _, err := two[1].Client().PeerServices(ctx, "alice"); !errors.Is(err, api.ErrUnreachable) {
				t.Errorf("without the table: %v", err)
			}
			continue
		}
		eventually(t, func() bool {
			_, err := two[1].Client().PeerServices(ctx, "alice")
			return err == nil
		})
	}
}

// What keeps a node from a service is one line, in which the peer has its name and no
// protocol has one.
func TestErrorsOverLibp2p(t *testing.T) {
	ctx := within(t)
	relay, contact := relayNode(t, "none")
	alice, bob := real(t, "alice", contact), real(t, "bob", contact)
	pairUp(t, alice, bob)
	check := func(is error, begins string) {
		t.Helper()
		_, err := bob.Client().Dial(ctx, api.DialRequest{To: "alice/secret"})
		if !errors.Is(err, is) || !strings.HasPrefix(err.Error(), begins) || strings.Contains(err.Error(), "/tenon/") || strings.Contains(err.Error(), "the peer") {
			t.Errorf("%v\nwant %s", err, begins)
		}
	}
	check(transport.ErrDenied, "alice says: no right to use this service")
	if err := alice.Client().Block(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	check(transport.ErrDenied, "alice does not know this node, or has blocked it")
	if err := alice.Client().Unblock(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(alice.Close(), relay.Close()); err != nil {
		t.Fatal(err)
	}
	check(api.ErrUnreachable, "alice cannot be reached: ")
}

// For how long a use is to survive, as the user says, is what the network is asked for:
// 0 is off there too, which its own 0 is not.
func TestSurviveIsPassedOn(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	asked := make(chan time.Duration, 1)
	c := w.config(stateDir(t), "bob")
	connect := c.Network
	c.Network = func(ctx context.Context, e node.Env) (node.Presence, error) {
		p, err := connect(ctx, e)
		return &survivor{p.(*presence), asked}, err
	}
	bob := start(t, c)
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	for survive, want := range map[time.Duration]time.Duration{0: -1, 5 * time.Second: 5 * time.Second} {
		s, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/echo", Survive: (*api.Duration)(&survive)})
		if err != nil {
			t.Fatal(err)
		}
		s.Close() //nolint:errcheck // nothing was said
		if got := <-asked; got != want {
			t.Errorf("survive=%v asks the network for %v", survive, got)
		}
	}
}

// A survivor is a presence that notes what it is asked for.
type survivor struct {
	*presence
	asked chan time.Duration
}

func (s *survivor) OpenSurviving(ctx context.Context, to peer.ID, proto string, survive time.Duration) (transport.Stream, error) {
	s.asked <- survive
	return s.Open(ctx, to, proto)
}
