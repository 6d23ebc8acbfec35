package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A world is a network in memory and a place where those who want to pair meet.
type world struct {
	peertest.World
	mu       sync.Mutex // guards what follows
	meetings map[int]*meeting
	lose     int // so many who join lose their connection at once

	presences map[string]*presence // the last of each name
}

// A presence is a node of a world.
type presence struct {
	*peertest.Node
	world *world
}

type meeting struct {
	world   *world
	channel int
	came    chan transport.Stream
}

func (p *presence) OfferMeeting(context.Context) (node.Meeting, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.world.meetings == nil {
		p.world.meetings = map[int]*meeting{}
	}
	m := &meeting{p.world, len(p.world.meetings) + 1, make(chan transport.Stream)}
	p.world.meetings[m.channel] = m
	return m, nil
}

func (p *presence) JoinMeeting(ctx context.Context, channel int) (transport.Stream, error) {
	p.world.mu.Lock()
	m, lose := p.world.meetings[channel], p.world.lose > 0
	p.world.lose--
	p.world.mu.Unlock()
	if m == nil {
		return nil, peer.ErrUnreachable
	}
	a, b := mem.Pair()
	if lose {
		return a, b.Close()
	}
	select {
	case m.came <- b:
		return a, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (m *meeting) Channel() int     { return m.channel }
func (m *meeting) Missing() []error { return nil }
func (m *meeting) Close() error     { return nil }
func (m *meeting) Accept(ctx context.Context) (transport.Stream, error) {
	select {
	case s := <-m.came:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// config is that of a node of the world.
func (w *world) config(dir, name string) node.Config {
	return node.Config{Dir: dir, Name: name, Network: func(_ context.Context, e node.Env) (node.Presence, error) {
		n := w.NodeWith(e.Key, name, func(id peer.ID) bool { return e.Admit(id) != peer.Refused })
		n.Rotated(e.Rotations, e.Succeeds)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.presences == nil {
			w.presences = map[string]*presence{}
		}
		w.presences[name] = &presence{n, w}
		return w.presences[name], nil
	}}
}

func (w *world) node(t *testing.T, name string) *node.Node {
	t.Helper()
	return start(t, w.config(stateDir(t), name))
}

// A linked presence has streams that survive.
type linked struct {
	*presence
	link *link.Network
}

func (l linked) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	return l.link.OpenEarly(ctx, to, proto, 0)
}

func (l linked) OpenSurviving(ctx context.Context, to peer.ID, proto string, survive time.Duration) (transport.Stream, error) {
	return l.link.OpenSurviving(ctx, to, proto, survive)
}

func (l linked) Serve(proto string, h func(transport.Stream)) func() { return l.link.Serve(proto, h) }

func (l linked) Close() error { return errors.Join(l.link.Close(), l.presence.Close()) }

// linkedConfig is that of a node whose streams survive.
func (w *world) linkedConfig(dir, name string) node.Config {
	c := w.config(dir, name)
	open := c.Network
	c.Network = func(ctx context.Context, e node.Env) (node.Presence, error) {
		p, err := open(ctx, e)
		if err != nil {
			return nil, err
		}
		return linked{p.(*presence), link.New(p, link.Options{})}, nil
	}
	return c
}

func start(t *testing.T, c node.Config) *node.Node {
	t.Helper()
	n, err := node.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// pairUp pairs a and b as users do, by their control APIs.
func pairUp(t *testing.T, a, b *node.Node) {
	t.Helper()
	pairAs(t, a, b, api.PairRequest{}, api.PairRequest{})
}

// pairAs pairs a and b, and returns the last that each is told.
func pairAs(t *testing.T, a, b *node.Node, ofA, ofB api.PairRequest) (atA, atB api.PairEvent) {
	t.Helper()
	ctx := within(t)
	codes, offered := make(chan string, 1), make(chan api.PairEvent, 1)
	go func() {
		var last api.PairEvent
		for e, err := range a.Client().PairOffer(ctx, ofA) {
			if err != nil {
				t.Error(err)
			}
			if e.Type == api.PairCode {
				codes <- e.Code
			}
			last = e
		}
		offered <- last
	}()
	ofB.Code = <-codes
	for e, err := range b.Client().PairJoin(ctx, ofB) {
		if err != nil {
			t.Fatal(err)
		}
		atB = e
	}
	if atA = <-offered; len(atB.Words) != 4 || !slices.Equal(atB.Words, atA.Words) {
		t.Fatalf("the words are %q and %q", atB.Words, atA.Words)
	}
	return atA, atB
}

// Who joins and loses the connection before the code was tried goes on by himself.
func TestPairGoesOn(t *testing.T) {
	w := &world{lose: 2}
	a, b := w.node(t, "a"), w.node(t, "b")
	pairUp(t, a, b)
	if w.lose >= 0 {
		t.Errorf("%d connections were not lost", w.lose)
	}
}

// Each side may say what it is to be called at the other, and what it calls the other.
// A name that is taken gets a number, and that is told.
func TestPairNames(t *testing.T) {
	w := new(world)
	a, b, c := w.node(t, "host-a"), w.node(t, "host-b"), w.node(t, "host-c")
	atA, atB := pairAs(t, a, b, api.PairRequest{Self: "alice"}, api.PairRequest{Self: "bob", As: "boss"})
	if atA.Peer.Name != "bob" || atB.Peer.Name != "boss" || atA.Text != "" || atB.Text != "" {
		t.Errorf("%+v and %+v", atA, atB)
	}
	if atA, _ := pairAs(t, a, c, api.PairRequest{}, api.PairRequest{Self: "Bob"}); atA.Peer.Name != "Bob-2" || atA.Text == "" {
		t.Errorf("%+v, %s", *atA.Peer, atA.Text)
	}
	for e, err := range a.Client().PairOffer(within(t), api.PairRequest{Self: "no name"}) {
		if !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

// echo listens at an address of this machine and says everything again, in capitals.
func echo(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				p := make([]byte, 4096)
				for {
					n, err := c.Read(p)
					if err != nil {
						return
					}
					c.Write(bytes.ToUpper(p[:n]))
				}
			}()
		}
	}()
	return "tcp:" + l.Addr().String()
}

func serve(t *testing.T, n *node.Node, r api.ServeRequest) {
	t.Helper()
	if _, err := n.Client().Serve(within(t), r); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, n *node.Node, to string) transport.Stream {
	t.Helper()
	c, err := n.Client().Dial(within(t), api.DialRequest{To: to})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.Stream)
}

func says(t *testing.T, s transport.Stream, text, want string) {
	t.Helper()
	if err := s.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, len(want))
	if _, err := io.ReadFull(s, p); err != nil || string(p) != want {
		t.Fatalf("it says %q, %v; want %q", p, err, want)
	}
}

func TestPairServeDial(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	serve(t, alice, api.ServeRequest{Name: "secret", Address: echo(t)})

	ctx := within(t)
	if list, err := bob.Client().PeerServices(ctx, "alice"); err != nil || len(list) != 1 || list[0].Name != "echo" || list[0].Carries != api.Bytes {
		t.Errorf("bob sees %+v, %v", list, err)
	}
	s := dial(t, bob, "alice/echo")
	says(t, s, "hello", "HELLO")
	var joints []api.Joint
	eventually(t, func() bool { // what was written is counted behind the write
		var err error
		if joints, err = alice.Client().Joints(ctx); err != nil {
			t.Fatal(err)
		}
		return len(joints) == 1 && joints[0].Got == 5
	})
	if j := joints[0]; j.Name != "bob" || j.Out || j.Right == "" || j.Path != api.Direct {
		t.Errorf("alice sees %+v", j)
	}
	if joints, err := bob.Client().Joints(ctx); err != nil || len(joints) != 1 || !joints[0].Out || joints[0].Sent != 5 {
		t.Errorf("bob sees %+v, %v", joints, err)
	}
	if peers, err := bob.Client().Peers(ctx); err != nil || len(peers) != 1 || peers[0].State != api.Direct || peers[0].Joints != 1 {
		t.Errorf("bob knows %+v, %v", peers, err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(s); len(rest) != 0 || err != nil {
		t.Errorf("after the end: %q, %v", rest, err)
	}

	// What was not granted looks like what is not there.
	_, hidden := bob.Client().Dial(ctx, api.DialRequest{To: "alice/secret"})
	_, missing := bob.Client().Dial(ctx, api.DialRequest{To: "alice/nothing"})
	if !errors.Is(hidden, transport.ErrDenied) || missing == nil || hidden.Error() != missing.Error() {
		t.Errorf("not granted: %v; not there: %v", hidden, missing)
	}

	entries := waitAudit(t, alice, "use", func(e api.AuditEntry) bool { return e.End != "" })
	if e := entries; e.Peer != bob.ID().String() || e.Right != "grant to "+bob.ID().String() || e.Got != 5 || e.Sent != 5 || e.End != "ended" || e.Path != "direct" {
		t.Errorf("on record: %+v", e)
	}
}

// waitAudit waits for an entry.
func waitAudit(t *testing.T, n *node.Node, event string, good func(api.AuditEntry) bool) api.AuditEntry {
	t.Helper()
	ctx := within(t)
	var all []api.AuditEntry
	events := n.Client().Events(ctx, 0, true)
	for _, err := range events {
		if err != nil {
			break
		}
		if all, err = n.Client().Audit(ctx, api.AuditQuery{}); err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Event == event && good(e) {
				return e
			}
		}
	}
	t.Fatalf("no such entry among %+v", all)
	return api.AuditEntry{}
}

func TestRevokeCuts(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	ctx := within(t)
	for name, take := range map[string]func() (int, error){
		"revoke": func() (int, error) {
			g, err := alice.Client().Revoke(ctx, api.GrantRequest{Service: "echo", To: []string{"bob"}})
			return g.Cut, err
		},
		"unserve": func() (int, error) { return alice.Client().Unserve(ctx, "echo") },
		"block":   func() (int, error) { return 1, alice.Client().Block(ctx, "bob") },
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}, Replace: true})
			s := dial(t, bob, "alice/echo")
			says(t, s, "x", "X")
			if cut, err := take(); err != nil || cut != 1 {
				t.Fatalf("cut %d, %v", cut, err)
			}
			if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("bob reads %d, %v: that is no abort", n, err)
			}
			if _, err := bob.Client().Dial(ctx, api.DialRequest{To: "alice/echo"}); !errors.Is(err, transport.ErrDenied) {
				t.Errorf("and again: %v", err)
			}
			if err := alice.Client().Unblock(ctx, "bob"); err != nil {
				t.Fatal(err)
			}
		})
	}
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"paired"}, Replace: true})
	s := dial(t, bob, "alice/echo")
	says(t, s, "x", "X")
	if err := alice.Client().Forget(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("who is forgotten reads %d, %v: that is no abort", n, err)
	}
	if _, err := bob.Client().Dial(ctx, api.DialRequest{To: "alice/echo"}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("and again: %v", err)
	}
}

func TestStrangerIsRefused(t *testing.T) {
	w := new(world)
	alice, mallory := w.node(t, "alice"), w.node(t, "mallory")
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"paired"}})
	ctx := within(t)
	if _, err := mallory.Client().Dial(ctx, api.DialRequest{To: alice.ID().String() + "/echo"}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("mallory turns to somebody she is not paired with: %v", err)
	}
	if alice.Admit(mallory.ID()) != peer.Refused {
		t.Error("alice admits mallory")
	}
	if _, err := alice.Client().Grant(ctx, api.GrantRequest{Service: "echo", To: []string{"anyone"}}); err != nil {
		t.Fatal(err)
	}
	if alice.Admit(mallory.ID()) != peer.Guest {
		t.Error("alice does not admit mallory, though anyone may")
	}
	if s, err := alice.Client().Status(ctx); err != nil || !slices.Equal(s.Anyone, []string{"echo"}) {
		t.Errorf("status says %q, %v", s.Anyone, err)
	}
}

func TestTickets(t *testing.T) {
	w := new(world)
	alice, bob, carol := w.node(t, "alice"), w.node(t, "bob"), w.node(t, "carol")
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t)})
	ctx := within(t)
	a, b, c := alice.Client(), bob.Client(), carol.Client()

	ticket, err := a.Ticket(ctx, api.TicketRequest{Service: "echo"})
	if err != nil || ticket.Text == "" || ticket.State != "good" || ticket.NotAfter.IsZero() {
		t.Fatalf("%+v, %v", ticket, err)
	}
	added, err := b.AddTicket(ctx, ticket.Text, "")
	if err != nil || !added.Redeemed || added.Address != "peer:alice/echo" || !added.Peer.Held {
		t.Fatalf("%+v, %v", added, err)
	}
	s := dial(t, bob, "alice/echo")
	says(t, s, "by ticket", "BY TICKET")

	if _, err := c.Dial(ctx, api.DialRequest{To: ticket.Text}); err == nil || !strings.Contains(err.Error(), peer.TicketUsedUp.Error()) {
		t.Errorf("carol, who comes second: %v", err)
	}
	waitAudit(t, alice, "refuse", func(e api.AuditEntry) bool {
		return e.Peer == carol.ID().String() && strings.Contains(e.End, peer.TicketUsedUp.Error())
	})
	if _, err := c.AddTicket(ctx, ticket.Text, ""); err == nil || !strings.Contains(err.Error(), peer.TicketUsedUp.Error()) {
		t.Errorf("carol adds it: %v", err)
	}
	if all, err := a.Tickets(ctx); err != nil || len(all) != 1 || all[0].State != "used up" || len(all[0].Redeemed) != 1 || all[0].Text != "" {
		t.Errorf("%+v, %v", all, err)
	}
	if cut, err := a.RevokeTicket(ctx, ticket.Text); err != nil || cut != 1 {
		t.Errorf("cut %d, %v", cut, err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("bob reads %d, %v after the ticket is revoked", n, err)
	}
	if _, err := b.Dial(ctx, api.DialRequest{To: "alice/echo"}); err == nil || !strings.Contains(err.Error(), peer.TicketRevoked.Error()) {
		t.Errorf("and again: %v", err)
	}

	var short api.Ticket
	for life := time.Second; ; life *= 2 { // on a busy machine it may be over before it is used
		if short, err = a.Ticket(ctx, api.TicketRequest{Service: "echo", Expires: api.Duration(life), Uses: 5}); err != nil {
			t.Fatal(err)
		}
		c, err := carol.Client().Dial(ctx, api.DialRequest{To: short.Text})
		if err == nil {
			s = c.(transport.Stream)
			defer s.Close()
			break
		}
		if life > 10*time.Second {
			t.Fatal(err)
		}
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF { // it is cut when the ticket runs out
		t.Errorf("carol reads %d, %v", n, err)
	}
	if _, err := c.Dial(ctx, api.DialRequest{To: short.Text}); err == nil || !strings.Contains(err.Error(), peer.TicketExpired.Error()) {
		t.Errorf("a ticket that has run out: %v", err)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	w := new(world)
	dir, address := stateDir(t), echo(t)
	bob := w.node(t, "bob")
	alice, err := node.New(t.Context(), w.config(dir, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: address, To: []string{"bob"}})
	if _, err := alice.Client().Rename(within(t), "bob", "robert"); err != nil {
		t.Fatal(err)
	}
	was := alice.Services()
	if _, err := node.New(t.Context(), w.config(dir, "alice")); !errors.As(err, new(*peer.LockedError)) {
		t.Errorf("a second node in the directory: %v", err)
	}
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	alice = start(t, w.config(dir, "alice"))
	if is := alice.Services(); len(is) != 1 || is[0].Name != was[0].Name || is[0].To[0] != "robert" {
		t.Errorf("%+v, and before %+v", is, was)
	}
	says(t, dial(t, bob, "alice/echo"), "again", "AGAIN")
}

func TestOffer(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	for name, offer := range map[string]func(context.Context, api.OfferRequest) (transport.Acceptor, error){
		"inside": alice.Offer, "client": alice.Client().Offer,
	} {
		t.Run(name, func(t *testing.T) {
			acc, err := offer(within(t), api.OfferRequest{Service: "live", To: []string{"bob"}})
			if err != nil {
				t.Fatal(err)
			}
			defer acc.Close()
			s := dial(t, bob, "alice/live")
			c, err := acc.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Info().Peer != bob.ID().String() {
				t.Errorf("it is %q", c.Info().Peer)
			}
			go io.Copy(c.(transport.Stream), c.(transport.Stream))
			says(t, s, "live", "live")
			if err := acc.Close(); err != nil {
				t.Fatal(err)
			}
			says(t, s, "still", "still") // who was accepted stays
			if _, err := acc.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept after Close: %v", err)
			}
			eventually(t, func() bool {
				_, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/live"})
				return errors.Is(err, transport.ErrDenied)
			})
		})
	}
}

// eventually waits for what happens soon after something else.
func eventually(t *testing.T, good func() bool) {
	t.Helper()
	ctx := within(t)
	for !good() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not come true")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func stateDir(t *testing.T) string { return filepath.Join(t.TempDir(), "state") }

// A thousand uses of one service at once, and nothing is left of them.
func TestThousandJoints(t *testing.T) {
	w := new(world)
	before := runtime.NumGoroutine()
	t.Run("joints", func(t *testing.T) {
		alice, bob := w.node(t, "alice"), w.node(t, "bob")
		pairUp(t, alice, bob)
		serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
		const many = 1000
		long, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the last one waits for all others
		defer cancel()
		conns := make([]transport.Stream, many)
		var all sync.WaitGroup
		for i := range conns {
			all.Go(func() {
				c, err := bob.Dial(long, api.DialRequest{To: "alice/echo"})
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = c.(transport.Stream)
				text := fmt.Sprintf("n%06d", i)
				p := make([]byte, len(text))
				if _, err := conns[i].Write([]byte(text)); err != nil {
					t.Error(err)
				}
				if _, err := io.ReadFull(conns[i], p); err != nil || string(p) != strings.ToUpper(text) {
					t.Errorf("%q, %v", p, err)
				}
			})
		}
		all.Wait()
		if n := len(alice.Joints()); n != many && !t.Failed() {
			t.Errorf("%d joints", n)
		}
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
		eventually(t, func() bool { return len(alice.Joints()) == 0 })
		entries, err := alice.Audit(within(t), api.AuditQuery{Limit: 5000})
		if err != nil {
			t.Fatal(err)
		}
		from := entries[len(entries)-2].Number
		page, err := alice.Client().Audit(within(t), api.AuditQuery{From: from, Limit: 3})
		slices.Reverse(entries)
		if err != nil || !slices.Equal(page, entries[1:4]) {
			t.Errorf("from number %d on, three are %+v, %v", from, page, err)
		}
		used := 0
		for _, e := range entries {
			if e.Event == "use" && e.Sent == 7 && e.Got == 7 && e.End == "ended" {
				used++
			}
		}
		if used != many {
			t.Errorf("%d are on record", used)
		}
	})
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 64<<10)
			t.Fatalf("%d goroutines, and before %d\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
