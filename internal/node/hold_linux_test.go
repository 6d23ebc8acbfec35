package node_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// A forwarder is a program that joins clients to alice/x by the node of bob, which is another
// process for all that it can tell.
type forwarder struct {
	bob    *node.Node
	client *api.Client
	talks  atomic.Int32      // connections to the control socket
	at     string            // where clients go
	target chan *net.TCPConn // who is reached through alice
	opened chan tenon.Event  // of its joints
	closed chan tenon.Event
	stop   func()       // as Ctrl-C
	result func() error // what serving said
}

func newForwarder(t *testing.T, tapped bool, options string) *forwarder {
	f := &forwarder{target: make(chan *net.TCPConn, 8), opened: make(chan tenon.Event, 100), closed: make(chan tenon.Event, 100)}
	w := new(world)
	alice := w.node(t, "alice")
	var dir string
	f.bob, dir = running(t, w, "bob")
	pairUp(t, alice, f.bob)
	serve(t, alice, api.ServeRequest{Name: "x", To: []string{"bob"}, Address: target(t, func(c net.Conn) {
		f.target <- c.(*net.TCPConn)
	})})
	f.client = api.NewClient(func(ctx context.Context) (net.Conn, error) {
		f.talks.Add(1)
		return new(net.Dialer).DialContext(ctx, "unix", api.SocketPath(dir))
	})
	t.Cleanup(func() { f.client.Close() })
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(f.client)...), Events: func(e tenon.Event) {
		switch e.Type {
		case tenon.Opened:
			f.opened <- e
		case tenon.Closed:
			f.closed <- e
		}
	}}
	if tapped {
		o.Taps = func(uint64, transport.Conn, transport.Conn) []join.Tap { return []join.Tap{noTap{}} }
	}
	acc, err := o.Listen(t.Context(), "tcp-listen:127.0.0.1:0"+options)
	if err != nil {
		t.Fatal(err)
	}
	f.at = acc.Addr().String()
	ctx, stop := context.WithCancelCause(context.Background())
	f.stop = func() { stop(errInterrupted) }
	over := make(chan error, 1)
	go func() {
		_, err := o.Serve(ctx, acc, "peer:alice/x", join.Options{})
		over <- err
	}()
	f.result = func() error { err := <-over; over <- err; return err }
	t.Cleanup(func() { f.stop(); f.result() })
	return f
}

var errInterrupted = errors.New("interrupted")

type noTap struct{}

func (noTap) Data(join.Direction, []byte, bool) {}
func (noTap) End(join.Direction, error)         {}

// meet returns a client and the target that it has reached.
func (f *forwarder) meet(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", f.at)
	if err != nil {
		t.Fatal(err)
	}
	near = c.(*net.TCPConn)
	t.Cleanup(func() { near.Close() })
	select {
	case far = <-f.target:
	case <-time.After(20 * time.Second):
		t.Fatal("the target is not reached")
	}
	t.Cleanup(func() { far.Close() })
	for _, c := range []net.Conn{near, far} {
		c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return near, far
}

// end returns the event that a joint has ended.
func (f *forwarder) end(t *testing.T) tenon.Event {
	t.Helper()
	select {
	case e := <-f.closed:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("the joint does not end")
		return tenon.Event{}
	}
}

// Whether the bytes of a joint pass through the program or the node has its socket, the
// same holds for both ends, and the program tells the same.
func TestForwarding(t *testing.T) {
	for name, tapped := range map[string]bool{"adopted": false, "through the program": true} {
		t.Run(name, func(t *testing.T) {
			t.Run("ends", func(t *testing.T) { forwardEnds(t, newForwarder(t, tapped, "")) })
			t.Run("client aborts", func(t *testing.T) { forwardClientAborts(t, newForwarder(t, tapped, "")) })
			t.Run("target aborts", func(t *testing.T) { forwardTargetAborts(t, newForwarder(t, tapped, "")) })
			t.Run("interrupted", func(t *testing.T) { forwardInterrupted(t, newForwarder(t, tapped, "")) })
			if !tapped { // what passes through a program ends with its sockets
				t.Run("program is gone", func(t *testing.T) { forwardProgramGone(t, newForwarder(t, tapped, "")) })
			}
			t.Run("node is gone", func(t *testing.T) { forwardNodeGone(t, newForwarder(t, tapped, "")) })
			t.Run("idle", func(t *testing.T) { forwardIdle(t, newForwarder(t, tapped, ",idle=200ms")) })
			t.Run("many", func(t *testing.T) { forwardMany(t, newForwarder(t, tapped, ""), tapped) })
		})
	}
}

// An end of file ends one direction, and all bytes are counted.
func forwardEnds(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	sent, back := strings.Repeat("there ", 100_000), strings.Repeat("and back ", 100_000)
	go func() {
		io.WriteString(near, sent)
		near.CloseWrite()
	}()
	if got, err := io.ReadAll(far); err != nil || string(got) != sent {
		t.Fatalf("%d bytes there, %v", len(got), err)
	}
	go func() {
		io.WriteString(far, back)
		far.Close()
	}()
	if got, err := io.ReadAll(near); err != nil || string(got) != back {
		t.Fatalf("%d bytes back, %v", len(got), err)
	}
	e := f.end(t)
	if r := e.Result; e.Err != nil || r.AB.Bytes != int64(len(sent)) || r.BA.Bytes != int64(len(back)) || !r.AB.Clean() || !r.BA.Clean() || !r.AB.First || r.BA.First {
		t.Errorf("%+v, %v", r, e.Err)
	}
	if e.Other != "peer:alice/x" {
		t.Errorf("the other end is %s", e.Other)
	}
}

// exchange shows that the joint is there.
func exchange(t *testing.T, near, far net.Conn) {
	t.Helper()
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		p := make([]byte, 5)
		if _, err := io.WriteString(way[0], "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way[1], p); err != nil || string(p) != "hello" {
			t.Fatalf("%q, %v", p, err)
		}
	}
}

// aborted tells whether the other side has ended c by an abort and not by an end of file.
func aborted(t *testing.T, what string, c net.Conn) {
	t.Helper()
	n, err := io.Copy(io.Discard, c)
	if netErr := net.Error(nil); err == nil || errors.As(err, &netErr) && netErr.Timeout() {
		t.Errorf("%s reads %d bytes and %v, want a reset", what, n, err)
	}
}

func forwardClientAborts(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	exchange(t, near, far)
	near.SetLinger(0)
	near.Close()
	aborted(t, "the target", far)
	if e := f.end(t); e.Err == nil || !strings.Contains(e.Err.Error(), "read tcp-listen") || !strings.Contains(e.Err.Error(), "connection reset by peer") {
		t.Errorf("the joint ends with %v", e.Err)
	}
}

func forwardTargetAborts(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	exchange(t, near, far)
	far.SetLinger(0)
	far.Close()
	aborted(t, "the client", near)
	if e := f.end(t); e.Err == nil || !strings.Contains(e.Err.Error(), "read peer:alice/x") {
		t.Errorf("the joint ends with %v", e.Err)
	}
}

func forwardInterrupted(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	exchange(t, near, far)
	f.stop()
	aborted(t, "the client", near)
	aborted(t, "the target", far)
	if e := f.end(t); !errors.Is(e.Err, errInterrupted) || e.Result.AB.Bytes != 5 || e.Result.BA.Bytes != 5 {
		t.Errorf("the joint ends with %v, %+v", e.Err, e.Result)
	}
	if err := f.result(); !errors.Is(err, errInterrupted) {
		t.Errorf("it ends with %v", err)
	}
	eventually(t, func() bool { return len(f.bob.Joints()) == 0 })
}

// All that the node has for a program ends with it.
func forwardProgramGone(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	exchange(t, near, far)
	f.client.Close()
	aborted(t, "the client", near)
	aborted(t, "the target", far)
}

func forwardNodeGone(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	exchange(t, near, far)
	f.bob.Close()
	aborted(t, "the client", near)
	aborted(t, "the target", far)
	if e := f.end(t); e.Err == nil {
		t.Error("the joint ends well")
	}
}

func forwardIdle(t *testing.T, f *forwarder) {
	near, far := f.meet(t)
	aborted(t, "the client", near)
	aborted(t, "the target", far)
	if e := f.end(t); !errors.Is(e.Err, join.ErrIdle) || !errors.Is(e.Err, transport.ErrTimeout) {
		t.Errorf("the joint ends with %v", e.Err)
	}
}

// All clients of a program need one connection to the node, if it has their sockets; and
// the program can count while they last.
func forwardMany(t *testing.T, f *forwarder, tapped bool) {
	const many = 20
	var all [many][2]*net.TCPConn
	for i := range all {
		all[i][0], all[i][1] = f.meet(t)
		exchange(t, all[i][0], all[i][1])
	}
	for range all {
		e := <-f.opened
		eventually(t, func() bool { return e.Count.AB.Load() == 5 && e.Count.BA.Load() == 5 })
	}
	if got := f.talks.Load(); (got == 1) == tapped {
		t.Errorf("%d connections to the node", got)
	}
	if got := len(f.bob.Joints()); got != many {
		t.Errorf("%d joints", got)
	}
	for _, c := range all {
		c[0].Close()
		c[1].Close()
	}
	for range all {
		if e := f.end(t); e.Err != nil {
			t.Error(e.Err)
		}
	}
	eventually(t, func() bool { return len(f.bob.Joints()) == 0 })
}

// What the node holds and nobody has a socket for is an end like any other.
func TestHeldConformance(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	bob, dir := running(t, w, "bob")
	pairUp(t, alice, bob)
	c, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	kind := ends.Kinds(held{c})[0]
	t.Run("bytes", func(t *testing.T) { transporttest.Run(t, harness(t, kind, alice, held{c})) })
	kind.Traits.Messages = true
	t.Run("messages", func(t *testing.T) { transporttest.Run(t, harness(t, kind, alice, held{c})) })
}

// held dials as for a socket.
type held struct{ *api.Client }

func (h held) Dial(ctx context.Context, r api.DialRequest) (transport.Conn, error) {
	return h.Hold(ctx, r)
}

// What is held and not used is given up when the program says so, or goes; and what cannot
// be opened is an error as ever.
func TestHeldIsGivenUp(t *testing.T) {
	f := newForwarder(t, false, "")
	hold := func() transport.Conn {
		t.Helper()
		c, err := f.client.Hold(within(t), api.DialRequest{To: "alice/x"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	none := func() bool { return len(f.bob.Joints()) == 0 }
	if err := hold().Close(); err != nil {
		t.Error(err)
	}
	eventually(t, none)
	transport.Abort(hold(), errInterrupted)
	eventually(t, none)
	if _, err := f.client.Hold(within(t), api.DialRequest{To: "alice/nothing"}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("what is not served: %v", err)
	}
	if _, err := f.client.Hold(within(t), api.DialRequest{To: "carol/x"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("of somebody who is not known: %v", err)
	}
	hold()
	f.client.Close()
	eventually(t, none)
	if err := hold().Close(); err != nil { // it begins anew
		t.Error(err)
	}
}
