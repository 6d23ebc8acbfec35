package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// The kinds run the suite of all kinds: with a node in the process, and through the
// control API of one.
func TestConformance(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	for name, via := range map[string]func(*node.Node) ends.Via{
		"inside": func(n *node.Node) ends.Via { return n },
		"client": func(n *node.Node) ends.Via { return n.Client() },
	} {
		for _, kind := range ends.Kinds(via(bob)) {
			t.Run(name+"/"+kind.Name, func(t *testing.T) { transporttest.Run(t, harness(t, kind, via(alice), via(bob))) })
			kind.Traits.Messages = true
			t.Run(name+"/"+kind.Name+" with messages", func(t *testing.T) { transporttest.Run(t, harness(t, kind, via(alice), via(bob))) })
		}
	}
}

var names atomic.Int32

// harness is for a kind whose ends go through bob; alice is at the other side.
func harness(t *testing.T, kind transport.Kind, alice, bob ends.Via) transporttest.Harness {
	offer := func(t testing.TB, at ends.Via, to string) (transport.Acceptor, string) {
		name := fmt.Sprintf("service-%d", names.Add(1))
		acc, err := (&ends.Listen{Via: at, Service: name, To: []string{to}, Messages: kind.Traits.Messages}).Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { acc.Close() })
		return acc, name
	}
	h := transporttest.Harness{
		Kind: kind,
		Endpoint: func(t testing.TB) transport.Endpoint {
			if kind.Traits.Listens {
				return &ends.Listen{Via: bob, Service: fmt.Sprintf("other-%d", names.Add(1))}
			}
			_, name := offer(t, alice, "bob")
			return &ends.Dial{Via: bob, To: "alice/" + name}
		},
		Pair: func(t testing.TB) (a, b transport.Conn) {
			from, at, of, to := bob, alice, "alice/", "bob"
			if kind.Traits.Listens {
				from, at, of, to = alice, bob, "bob/", "alice"
			}
			acc, name := offer(t, at, to)
			defer acc.Close()
			dialed, err := (&ends.Dial{Via: from, To: of + name}).Dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := acc.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if kind.Traits.Listens {
				return accepted, dialed
			}
			return dialed, accepted
		},
	}
	if kind.Traits.Listens {
		h.Addresses = []string{"peer-listen:web", "peer-listen:Web.2,to=alice,to=paired", "peer-listen:dns,messages,anyone", "peer-listen:dns,datagrams,to=alice"}
		h.Bad = map[string]string{
			"peer-listen:":                     `"" is not the name of a service: up to 63 letters and digits, and - . _ between them`,
			"peer-listen:a b":                  `"a b" is not the name of a service: up to 63 letters and digits, and - . _ between them`,
			"peer-listen:x,nope":               `unknown option "nope"`,
			"peer-listen:x,messages,datagrams": "messages, none of which is lost, or datagrams",
		}
		h.Options = map[string]func(*testing.T){
			"to":     func(t *testing.T) { testTo(t, alice, bob) },
			"anyone": func(t *testing.T) { testAnyone(t, alice, bob) },
			"messages": func(t *testing.T) {
				testMessages(t, alice, &ends.Listen{Via: bob, To: []string{"alice"}, Messages: true})
			},
			"datagrams": func(t *testing.T) {
				testMessages(t, alice, &ends.Listen{Via: bob, To: []string{"alice"}, Datagrams: true})
			},
		}
		return h
	}
	h.Addresses = []string{"peer:alice/db", "peer:zoé/web-2"}
	h.Bad = map[string]string{
		"peer:":          "it is NAME/SERVICE, as in alice/db, or a ticket",
		"peer:alice":     "it is NAME/SERVICE, as in alice/db, or a ticket",
		"peer:alice/a/b": `"a/b" is not the name of a service: up to 63 letters and digits, and - . _ between them`,
	}
	h.Options = map[string]func(*testing.T){"survive": testSurvive}
	return h
}

func listenWith(t *testing.T, l *ends.Listen) transport.Acceptor {
	t.Helper()
	l.Service = fmt.Sprintf("option-%d", names.Add(1))
	acc, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { acc.Close() })
	return acc
}

func testTo(t *testing.T, alice, bob ends.Via) {
	for to, may := range map[string]bool{"alice": true, "": false} {
		l := &ends.Listen{Via: bob}
		if to != "" {
			l.To = []string{to}
		}
		listenWith(t, l)
		c, err := (&ends.Dial{Via: alice, To: "bob/" + l.Service}).Dial(within(t))
		if (err == nil) != may {
			t.Errorf("to=%s: %v", to, err)
		}
		if c != nil {
			c.Close()
		}
	}
}

func testAnyone(t *testing.T, alice, bob ends.Via) {
	l := &ends.Listen{Via: bob, Anyone: true}
	if l.Authenticates() {
		t.Error("with anyone, it authenticates")
	}
	listenWith(t, l)
	c, err := (&ends.Dial{Via: alice, To: "bob/" + l.Service}).Dial(within(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func testMessages(t *testing.T, alice ends.Via, l *ends.Listen) {
	acc := listenWith(t, l)
	c, err := (&ends.Dial{Via: alice, To: "bob/" + l.Service}).Dial(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far, err := acc.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	m, f := c.(transport.MsgConn), far.(transport.MsgConn)
	p := make([]byte, 100)
	for _, text := range []string{"one", "", "two"} {
		if err := m.WriteMsg([]byte(text), transport.Meta{}); err != nil {
			t.Fatal(err)
		}
		if n, _, err := f.ReadMsg(p); err != nil || string(p[:n]) != text {
			t.Errorf("%q, %v; want %q", p[:n], err, text)
		}
	}
}

// testSurvive looks at what is asked of the node.
func testSurvive(t *testing.T) {
	via := new(noted)
	for survive, want := range map[time.Duration]time.Duration{0: -1, -1: 0, time.Second: time.Second} {
		d := &ends.Dial{Via: via, To: "alice/db", Survive: survive}
		if _, err := d.Dial(t.Context()); err != errNoted {
			t.Fatal(err)
		}
		got := time.Duration(-1)
		if via.dial.Survive != nil {
			got = time.Duration(*via.dial.Survive)
		}
		if got != want {
			t.Errorf("survive %v asks for %v", survive, got)
		}
	}
}

type noted struct{ dial api.DialRequest }

var errNoted = errors.New("noted")

func (n *noted) Dial(_ context.Context, r api.DialRequest) (transport.Conn, error) {
	n.dial = r
	return nil, errNoted
}

func (n *noted) Offer(context.Context, api.OfferRequest) (transport.Acceptor, error) {
	return nil, errNoted
}
