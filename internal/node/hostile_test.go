package node_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// mallory is a peer that alice has paired with, and that says what it wants.
func mallory(t *testing.T, w *world, alice *node.Node) *peertest.Node {
	t.Helper()
	m := w.Node("mallory", nil)
	// A grant to a key is enough to be let in.
	serve(t, alice, api.ServeRequest{Name: "lure", Address: echo(t), To: []string{m.Self().String()}})
	return m
}

// ask opens a stream to alice, sends what is given and returns what comes back.
func ask(t *testing.T, m *peertest.Node, alice *node.Node, send []byte) ([]byte, error) {
	t.Helper()
	s, err := m.Open(within(t), alice.ID(), node.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := s.Write(send); err != nil {
		return nil, err
	}
	s.CloseWrite()
	return io.ReadAll(s)
}

func block(b ...byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func TestHostileRequests(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	m := mallory(t, w, alice)
	refused := []byte{0, 2, 1, byte(peer.NotGranted)}
	bad := []byte{0, 1, 4}
	for name, c := range map[string]struct {
		send, want []byte
	}{
		"nothing":            {nil, nil},
		"half a length":      {[]byte{0}, nil},
		"half a request":     {[]byte{0, 9, 1}, nil},
		"too long":           {[]byte{0xff, 0xff, 1, 1}, bad},
		"no request":         {block(), bad},
		"unknown sort":       {block(9, 0, 0, 0), bad},
		"sort 0":             {block(0, 0, 0, 0), bad},
		"service too long":   {block(1, 200, 'x', 0, 0), bad},
		"ticket too long":    {block(1, 1, 'x', 9, 9, 'y'), bad},
		"more behind it":     {block(1, 1, 'x', 0, 0, 'y'), bad},
		"no such service":    {block(1, 1, 'x', 0, 0), refused},
		"no name":            {block(1, 0, 0, 0), refused},
		"control characters": {block(1, 5, 0x1b, '[', '2', 'J', '\n', 0, 0), refused},
		"not UTF-8":          {block(1, 2, 0xff, 0xfe, 0, 0), refused},
		"capitals":           {block(1, 1, 'X', 0, 0), refused},
		"no ticket":          {append([]byte{0, 9, 1, 0, 0, 5}, "hello"...), []byte{0, 2, 1, byte(peer.TicketForged)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, m, alice, c.send)
			if c.want == nil && err == nil || c.want != nil && (err != nil || string(got) != string(c.want)) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
	// Nothing of it reaches a terminal as it was.
	entries, err := alice.Client().Audit(within(t), api.AuditQuery{})
	if err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !harmless(e.Service + e.End + e.Name) {
			t.Errorf("on record: %+v", e)
		}
	}
	for e, err := range alice.Client().Events(within(t), 0, false) {
		if err != nil {
			t.Fatal(err)
		}
		if !harmless(e.Text) {
			t.Errorf("told: %+v", e)
		}
	}
	if got, err := ask(t, m, alice, block(1, 4, 'l', 'u', 'r', 'e', 0, 0)); err != nil || string(got) != "\x00\x02\x00\x01" {
		t.Errorf("what is granted, after all that: %v, %v", got, err)
	}
}

// An older peer does not know the request of one who knows close statuses: it is asked again
// as it understands, and hears of no status.
func TestOlderPeer(t *testing.T) {
	w := new(world)
	alice, m := w.node(t, "alice"), w.Node("mallory", nil)
	text, _, err := peer.Issue(within(t), m.Key(), new(peertest.Tickets), peer.Invite{Service: "x", Called: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan []byte, 1)
	m.Serve(node.Protocol, func(s transport.Stream) {
		p := make([]byte, 4096)
		if n, _ := s.Read(p); n < 3 || p[2] != 1 {
			s.Write(block(4))
			s.CloseWrite()
			io.Copy(io.Discard, s)
			return
		}
		s.Write(block(0, 2))
		b, _ := io.ReadAll(s)
		heard <- b
		s.Close()
	})
	c, err := alice.Dial(within(t), api.DialRequest{To: text})
	if err != nil {
		t.Fatal(err)
	}
	if carrier, ok := transport.About[transport.StatusCarrier](c); ok {
		carrier.CarryStatus("websocket", transport.CloseStatus{Code: 4001})
	}
	c.Close()
	// The label of datagrams comes before the end of the stream, or no more.
	b := <-heard
	if after, ok := bytes.CutPrefix(b, []byte{6, 0, 0, 4}); ok && len(after) >= 4 {
		b = after[4:]
	}
	if string(b) != "\x02\x00\x00\x00" {
		t.Errorf("an older peer is sent %q", b)
	}
}

// A forgetful presence opens streams of which the other side never hears.
type forgetful struct {
	*presence
	left atomic.Int32
}

func (p *forgetful) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	s, err := p.presence.Open(ctx, to, proto)
	if err == nil && proto == node.Protocol && p.left.Add(-1) >= 0 {
		transport.Abort(s, nil)
		return forgotten{s}, nil
	}
	return s, err
}

type forgotten struct{ transport.Stream }

func (forgotten) Write(p []byte) (int, error) { return len(p), nil }
func (forgotten) Read([]byte) (int, error)    { return 0, link.ErrForgotten }
func (s forgotten) Unwrap() transport.Conn    { return s.Stream }

// Who has asked on a way that was lost before the other side heard of it asks once more, and then says so.
func TestForgotten(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	c := w.config(stateDir(t), "bob")
	var p *forgetful
	connect := c.Network
	c.Network = func(ctx context.Context, e node.Env) (node.Presence, error) {
		below, err := connect(ctx, e)
		p = &forgetful{presence: below.(*presence)}
		return p, err
	}
	bob := start(t, c)
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	for _, times := range []int32{0, 1} {
		p.left.Store(times)
		says(t, dial(t, bob, "alice/echo"), "hello", "HELLO")
	}
	p.left.Store(2)
	if _, err := bob.Dial(within(t), api.DialRequest{To: "alice/echo"}); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

// Guests who send nothing hold so many places, and the next ones are sent away at once.
func TestHalfOpenFlood(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	m := w.Node("mallory", nil)
	serve(t, alice, api.ServeRequest{Name: "lure", Address: echo(t), Anyone: true}) // so that mallory is a guest
	const streams, places = 100, 64
	away := make(chan struct{}, streams)
	var all sync.WaitGroup
	var open []transport.Stream
	for range streams {
		s, err := m.Open(within(t), alice.ID(), node.Protocol)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
		all.Go(func() {
			if got, err := io.ReadAll(s); err == nil && string(got) == "\x00\x01\x03" {
				away <- struct{}{}
			}
		})
	}
	for range streams - places {
		select {
		case <-away:
		case <-time.After(20 * time.Second):
			t.Fatal("not enough of them are sent away")
		}
	}
	for _, s := range open {
		s.Close()
	}
	all.Wait()
	if n := len(away); n > 0 {
		t.Errorf("%d too many were sent away", n)
	}
}

// A peer that says what it must not in an answer is an error, and no more.
func TestHostileAnswers(t *testing.T) {
	w := new(world)
	m := w.Node("mallory", nil)
	alice := w.node(t, "alice")
	// Alice is given a ticket of mallory's, so that she may turn to it.
	text, _, err := peer.Issue(within(t), m.Key(), new(peertest.Tickets), peer.Invite{Service: "x", Called: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan []byte, 1)
	m.Serve(node.Protocol, func(s transport.Stream) {
		s.Read(make([]byte, 4096))
		s.Write(<-answers)
		s.CloseWrite()
		io.Copy(io.Discard, s)
	})
	for name, answer := range map[string][]byte{
		"nothing":             nil,
		"empty":               block(),
		"unknown status":      block(99),
		"unknown sort":        block(0, 77),
		"no sort":             block(0),
		"refusal without why": block(1),
		"unknown refusal":     block(1, 200),
		"long":                block(make([]byte, 60000)...),
		"hostile text":        block(append([]byte{2}, "\x1b[2J\nforged"...)...),
	} {
		answers <- answer
		c, err := alice.Client().Dial(within(t), api.DialRequest{To: text})
		if err == nil {
			t.Errorf("%s: a connection", name)
			c.Close()
		} else if !harmless(err.Error()) || strings.Contains(err.Error(), "forged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	const named = "\x1b[2Jforged"
	answers <- block(append([]byte{0, 1, byte(len(named))}, named...)...)
	if list, err := alice.Client().PeerServices(within(t), m.Self().String()); err == nil || !harmless(err.Error()) || strings.Contains(err.Error(), "forged") {
		t.Errorf("a service with control characters in its name: %+v, %v", list, err)
	}
	answers <- append(block(0, 2), 0xee, 0xff, 0xff, 0xff) // messages, and then no frame
	c, err := alice.Dial(within(t), api.DialRequest{To: text})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := c.(transport.MsgConn).ReadMsg(make([]byte, 10)); err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that is none: %v", err)
	}
}

// The ticket of one service does not open another, and that of another peer none.
func TestForeignTickets(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	m := mallory(t, w, alice)
	serve(t, alice, api.ServeRequest{Name: "other", Address: echo(t)})
	made, err := alice.Client().Ticket(within(t), api.TicketRequest{Service: "lure"})
	if err != nil {
		t.Fatal(err)
	}
	forBob, err := alice.Client().Ticket(within(t), api.TicketRequest{Service: "other", For: bob.ID().String()})
	if err != nil {
		t.Fatal(err)
	}
	forged, _, err := peer.Issue(within(t), m.Key(), new(peertest.Tickets), peer.Invite{Service: "other"})
	if err != nil {
		t.Fatal(err)
	}
	open := func(service, ticket string) []byte {
		b := append([]byte{1, byte(len(service))}, service...)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(ticket))), ticket...)
		got, err := ask(t, m, alice, block(b...))
		if err != nil {
			t.Error(err)
		}
		return got
	}
	for _, c := range []struct {
		service, ticket string
		want            peer.Refusal
	}{
		{"other", made.Text, peer.TicketForged},
		{"other", forBob.Text, peer.TicketOthers},
		{"", forBob.Text, peer.TicketOthers},
		{"other", forged, peer.TicketUnknown},
	} {
		if got := open(c.service, c.ticket); string(got) != string([]byte{0, 2, 1, byte(c.want)}) {
			t.Errorf("%s: %v, want %v", c.service, got, c.want)
		}
	}
}

// What a peer that is paired says of itself, its name and where it is, reaches nobody as
// it was; and it is not what the peer is called.
func TestHostileHello(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	config := w.config(stateDir(t), "bob")
	var key *peer.Key
	connect := config.Network
	config.Network = func(ctx context.Context, e node.Env) (node.Presence, error) {
		key = e.Key
		return connect(ctx, e)
	}
	bob, err := node.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	pairUp(t, alice, bob)
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	m := w.NodeWith(key, "bob", func(peer.ID) bool { return true })
	const text = `x\u001b[2J\nforged\u202e` // as JSON has it
	for _, hello := range []string{
		`{"name":"` + text + `","addrs":["` + text + `","/ip4/` + text + `"],"relays":["` + text + `"],"rotations":["AAAA"]}`,
		`{"name":"` + strings.Repeat("x", 4000) + `"}`, `{"name":7}`, `[]`, text,
	} {
		s, err := m.Open(within(t), alice.ID(), "/tenon/hello/1")
		if err != nil {
			t.Fatal(err)
		}
		s.Write(block([]byte(hello)...))
		io.Copy(io.Discard, s) // until it has been taken in, or not
		s.Close()
	}
	eventually(t, func() bool { return strings.Contains(alice.Peers()[0].Said, "forged") })
	p := alice.Peers()[0]
	if all := fmt.Sprintf("%+v", p); p.Name != "bob" || !harmless(all) || strings.ContainsRune(all, '\u202e') {
		t.Errorf("%q", all)
	}
	for e, err := range alice.Client().Events(within(t), 0, false) {
		if err != nil {
			t.Fatal(err)
		}
		if !harmless(e.Text) || strings.HasPrefix(e.Text, "forged") {
			t.Errorf("told: %+v", e)
		}
	}
}

func harmless(s string) bool { return utf8.ValidString(s) && !strings.ContainsAny(s, "\x1b\n") }

// A peer hangs up in the moment in which the caller gives up.
func TestGiveUpAtTheEnd(t *testing.T) {
	w := new(world)
	m := w.Node("mallory", nil)
	alice := w.node(t, "alice")
	text, _, err := peer.Issue(within(t), m.Key(), new(peertest.Tickets), peer.Invite{Service: "x", Called: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	m.Serve(node.Protocol, func(s transport.Stream) {
		s.Read(make([]byte, 4096))
		asked <- struct{}{}
	})
	for range 100 {
		ctx, cancel := context.WithCancel(within(t))
		go func() {
			<-asked
			cancel()
		}()
		if _, err := alice.Dial(ctx, api.DialRequest{To: text}); err == nil {
			t.Error("there is a connection")
		}
	}
}
