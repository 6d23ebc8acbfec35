package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// udpEcho answers every datagram with the same, at an address of this machine.
func udpEcho(t *testing.T) (address string) {
	t.Helper()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := make([]byte, 64<<10)
		for {
			n, from, err := u.ReadFrom(p)
			if err != nil {
				return
			}
			u.WriteTo(p[:n], from)
		}
	}()
	t.Cleanup(func() {
		u.Close()
		<-done
	})
	return "udp:" + u.LocalAddr().String()
}

// dialMsgs uses a service that carries messages.
func dialMsgs(t *testing.T, n *node.Node, to string) transport.MsgConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := n.Client().Dial(ctx, api.DialRequest{To: to})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(transport.MsgConn)
}

// answers sends a message and reads what comes back.
func answers(t *testing.T, c transport.MsgConn, text string) {
	t.Helper()
	if err := c.WriteMsg([]byte(text), transport.Meta{}); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 64<<10)
	if n, _, err := c.ReadMsg(p); err != nil || string(p[:n]) != text {
		t.Fatalf("%q, %v; want %q", p[:n], err, text)
	}
}

// asDatagrams waits until the only joint of each node carries datagrams.
func asDatagrams(t *testing.T, nodes ...*node.Node) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, func() bool {
			all := n.Joints()
			return len(all) == 1 && all[0].Datagrams
		})
	}
}

// The messages of a service that is UDP go on while all that streams carry is stuck behind
// something that was lost. They count, as all bytes do.
func TestDatagrams(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "dns", Address: udpEcho(t), To: []string{"bob"}})
	c := dialMsgs(t, bob, "alice/dns")
	answers(t, c, "before")
	asDatagrams(t, alice, bob)
	a, b := w.presences["alice"].Node, w.presences["bob"].Node
	w.Stick(a, b)
	for i := range 20 {
		answers(t, c, fmt.Sprint("message ", i))
	}
	answers(t, c, "")
	w.Heal(a, b)
	answers(t, c, strings.Repeat("too long for a datagram", 1000))
	sent, got := bob.Joints()[0].Sent, bob.Joints()[0].Got
	if want := int64(len("before") + 20*len("message 0") + 10 + 1000*len("too long for a datagram")); sent != want || got != want {
		t.Errorf("%d bytes were sent and %d have come, want %d", sent, got, want)
	}
	c.Close()
	waitAudit(t, alice, "use", func(e api.AuditEntry) bool { return e.End == "ended" && e.Got == sent && e.Sent == got })
}

// Who offers a service for as long as it is open says itself whether its messages may be lost.
func TestDatagramsOfAnOffer(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	for _, lossy := range []bool{true, false} {
		name := fmt.Sprintf("chat-%t", lossy) // alice may learn later that the first is closed
		acc, err := (&ends.Listen{Via: alice.Client(), Service: name, To: []string{"bob"}, Messages: !lossy, Datagrams: lossy}).Listen(within(t))
		if err != nil {
			t.Fatal(err)
		}
		c := dialMsgs(t, bob, "alice/"+name)
		far, err := acc.Accept()
		if err != nil {
			t.Fatal(err)
		}
		passes(t, c, far, "one", "")
		passes(t, far, c, "two", "")
		if lossy {
			asDatagrams(t, alice, bob)
			w.Stick(w.presences["alice"].Node, w.presences["bob"].Node)
		}
		passes(t, c, far, "three", "")
		passes(t, far, c, "four", "")
		if all := bob.Joints(); len(all) != 1 || all[0].Datagrams != lossy {
			t.Errorf("%+v", all)
		}
		w.Heal(w.presences["alice"].Node, w.presences["bob"].Node)
		c.Close()
		far.Close()
		acc.Close()
		eventually(t, func() bool { return len(alice.Joints())+len(bob.Joints()) == 0 })
	}
}

// When a right is taken back, its datagrams end with it, at once: what still comes reaches
// nobody.
func TestDatagramsRevoked(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	serve(t, alice, api.ServeRequest{Name: "dns", Address: "udp:" + u.LocalAddr().String(), To: []string{"bob"}})
	c := dialMsgs(t, bob, "alice/dns")
	c.WriteMsg([]byte("hello"), transport.Meta{})
	p := make([]byte, 100)
	u.SetDeadline(time.Now().Add(20 * time.Second))
	if n, _, err := u.ReadFrom(p); err != nil || string(p[:n]) != "hello" {
		t.Fatalf("%q, %v", p[:n], err)
	}
	asDatagrams(t, alice, bob)
	if _, err := alice.Client().Revoke(within(t), api.GrantRequest{Service: "dns", To: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return len(alice.Joints()) == 0 })
	for label := range uint32(20) { // whatever it had
		w.presences["bob"].SendDatagram(alice.ID(), label, []byte("sneaked in"))
	}
	if _, _, err := c.ReadMsg(p); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("bob reads %v", err)
	}
	// Somebody who still may is heard, and nothing was before him.
	serve(t, alice, api.ServeRequest{Name: "dns", Address: "udp:" + u.LocalAddr().String(), To: []string{"bob"}})
	dialMsgs(t, bob, "alice/dns").WriteMsg([]byte("granted again"), transport.Meta{})
	if n, _, err := u.ReadFrom(p); err != nil || string(p[:n]) != "granted again" {
		t.Errorf("%q, %v", p[:n], err)
	}
}

// What a peer may send a second holds for datagrams, too. What is more is dropped, not kept.
func TestDatagramsArePaced(t *testing.T) {
	w := new(world)
	file := filepath.Join(t.TempDir(), "tenon.toml")
	if err := os.WriteFile(file, []byte("peer-rate = \"64k\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := w.config(stateDir(t), "alice")
	config.ConfigFile = file
	alice, bob := start(t, config), w.node(t, "bob")
	pairUp(t, alice, bob)
	acc, err := (&ends.Listen{Via: alice, Service: "sink", To: []string{"bob"}, Datagrams: true}).Listen(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer acc.Close()
	c := dialMsgs(t, bob, "alice/sink")
	conn, err := acc.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	far := conn.(transport.MsgConn)
	passes(t, c, far, "hello")
	asDatagrams(t, alice, bob)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		p := make([]byte, 2000)
		for {
			if _, _, err := far.ReadMsg(p); err != nil {
				return
			}
		}
	}()
	began := time.Now()
	for i := 0; alice.Joints()[0].Dropped == 0; i++ {
		if err := c.WriteMsg(make([]byte, 1000), transport.Meta{}); err != nil {
			t.Fatal(err)
		}
		if i > 100_000 {
			t.Fatal("nothing is dropped")
		}
	}
	took := time.Since(began)
	if got, may := alice.Joints()[0].Got, 256<<10+int64(64<<10*(took.Seconds()+1)); got > may {
		t.Errorf("%d bytes have come within %v, and %d may", got, took, may)
	}
	far.Close()
	<-reading
}

// An oldPresence is one as it was before there were datagrams.
type oldPresence struct {
	node.Presence
	meeter
}

type meeter interface {
	OfferMeeting(ctx context.Context) (node.Meeting, error)
	JoinMeeting(ctx context.Context, channel int) (transport.Stream, error)
}

// Peers of which one knows no datagrams use each other's services as ever.
func TestDatagramsWithAnOldPeer(t *testing.T) {
	w := new(world)
	c := w.config(stateDir(t), "old")
	connect := c.Network
	c.Network = func(ctx context.Context, e node.Env) (node.Presence, error) {
		p, err := connect(ctx, e)
		p.(*presence).Old()
		return oldPresence{p, p.(*presence)}, err
	}
	old, alice := start(t, c), w.node(t, "alice")
	pairUp(t, alice, old)
	for _, n := range []*node.Node{alice, old} {
		serve(t, n, api.ServeRequest{Name: "dns", Address: udpEcho(t), To: []string{"paired"}})
	}
	for of, by := range map[string]*node.Node{"alice": old, "old": alice} {
		c := dialMsgs(t, by, of+"/dns")
		for i := range 20 {
			answers(t, c, fmt.Sprint(i))
		}
		for _, j := range by.Joints() {
			if j.Datagrams {
				t.Errorf("datagrams, with a peer that knows none: %+v", j)
			}
		}
	}
}

// Two nodes over libp2p: whoever sends to a UDP port at one reaches one at the other, by
// datagrams of QUIC, though the best connection for streams is of TCP.
func TestDatagramsOverLibp2p(t *testing.T) {
	_, contact := relayNode(t, "none")
	alice, bob := real(t, "alice", contact), real(t, "bob", contact)
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "dns", Address: udpEcho(t), To: []string{"bob"}})
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(bob)...), NoJoints: true}
	ctx, cancel := context.WithCancel(t.Context())
	acc, err := o.Listen(ctx, "udp-listen:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		_, err := o.Serve(ctx, acc, "peer:alice/dns", join.Options{})
		served <- err
	}()
	defer func() {
		cancel()
		<-served
	}()
	u, err := net.Dial("udp", acc.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	p := make([]byte, 64<<10)
	lost := 0
	talk := func(text string) {
		t.Helper()
		for range 20 {
			if _, err := u.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			for {
				u.SetReadDeadline(time.Now().Add(time.Second))
				n, err := u.Read(p)
				if err == nil && string(p[:n]) == text {
					return
				}
				if err != nil {
					break
				}
			}
			lost++
		}
		t.Fatalf("%d bytes never come back", len(text))
	}
	talk("the first")
	asDatagrams(t, alice, bob)
	for i := range 100 {
		talk(fmt.Sprint("message ", i))
	}
	for _, size := range []int{0, 1, 1100, 1400, 9000, 60_000} {
		talk(strings.Repeat("x", size))
	}
	t.Logf("%d of some hundred were lost on the way", lost)
}
