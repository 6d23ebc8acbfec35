//go:build linux

package tenon

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/join"
)

// quickServer joins clients of a listener to a server on this machine, and returns
// the way to become a client, with the server's end of the joint.
func quickServer(t *testing.T, ctx context.Context, o *Opener) (client func() (c, s *net.TCPConn), ended chan error) {
	t.Helper()
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	where := make(chan net.Addr, 1)
	tell := o.Events
	o.Events = func(e Event) {
		if e.Type == Listening {
			where <- e.Addr
		}
		tell(e)
	}
	ended = make(chan error, 1)
	go func() {
		_, err := o.Join(ctx, "tcp-listen:127.0.0.1:0", "tcp:"+far.Addr().String(), join.Options{})
		ended <- err
	}()
	addr := (<-where).String()
	return func() (c, s *net.TCPConn) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		peer, err := far.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { peer.Close() })
		return conn.(*net.TCPConn), peer.(*net.TCPConn)
	}, ended
}

// TestSilentJointsHaveNoGoroutine: what makes a thousand of them small. When the
// context ends they are cut, each is told of, and Join returns.
func TestSilentJointsHaveNoGoroutine(t *testing.T) {
	const joints = 200
	o, told := newOpener()
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	client, ended := quickServer(t, ctx, o)
	client() // what the first one starts is there for all
	before := runtime.NumGoroutine()
	var clients []*net.TCPConn
	for range joints - 1 {
		c, _ := client()
		clients = append(clients, c)
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d joints have %d goroutines", joints-1, more)
	}
	cancel(stop)
	for _, c := range clients {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("a client of a cut joint reads %v, want a reset", err)
		}
	}
	if err := <-ended; !errors.Is(err, stop) {
		t.Errorf("Join returned %v, want the cause", err)
	}
	if opened, closed := told.count(Opened), told.count(Closed); opened != joints || closed != joints {
		t.Errorf("told of %d joints opened and %d closed, want %d", opened, closed, joints)
	}
	for _, e := range told.events {
		if e.Type == Closed && !errors.Is(e.Err, stop) {
			t.Fatalf("joint %d ended with %v, want the cause", e.Joint, e.Err)
		}
	}
}

// TestQuickJoint: bytes both ways, half-close, and what is told of it.
func TestQuickJoint(t *testing.T) {
	for _, silent := range []bool{false, true} {
		o, told := newOpener()
		o.NoJoints = silent
		ctx, cancel := context.WithCancel(t.Context())
		client, ended := quickServer(t, ctx, o)
		c, s := client()
		io.WriteString(c, "question")
		c.CloseWrite()
		if got, err := io.ReadAll(s); string(got) != "question" || err != nil {
			t.Errorf("the server read %q, %v", got, err)
		}
		io.WriteString(s, "answer")
		s.Close()
		if got, err := io.ReadAll(c); string(got) != "answer" || err != nil {
			t.Errorf("the client read %q, %v", got, err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Join returned %v", err)
		}
		if silent {
			if n := told.count(Opened) + told.count(Closed); n != 0 {
				t.Errorf("with NoJoints, %d events of joints", n)
			}
			continue
		}
		last := told.events[len(told.events)-1]
		if r := last.Result; last.Type != Closed || last.Err != nil || r.AB.Bytes != 8 || r.BA.Bytes != 6 || !r.AB.First || r.BA.First {
			t.Errorf("the last event is %+v, %+v", last, last.Result)
		}
	}
}

// TestQuickRefusal: a target where nobody listens is told of, and the client reset.
func TestQuickRefusal(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	o, told := newOpener()
	where, refused := make(chan net.Addr, 1), make(chan Event, 1)
	o.Events = func(e Event) {
		told.event(e)
		switch e.Type {
		case Listening:
			where <- e.Addr
		case Refused:
			refused <- e
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go o.Join(ctx, "tcp-listen:127.0.0.1:0", "tcp:"+gone.Addr().String(), join.Options{})
	c, err := net.Dial("tcp", (<-where).String())
	if err == nil { // the reset may even be there before Dial returns
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client is told %v, want a reset", err)
	}
	if e := <-refused; !errors.Is(e.Err, syscall.ECONNREFUSED) {
		t.Errorf("refused with %v", e.Err)
	}
}
