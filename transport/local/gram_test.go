//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

func checkOwner(t *testing.T, p string, uid, gid int) {
	t.Helper()
	st, err := os.Stat(p)
	if err != nil {
		t.Fatal(err)
	}
	if sys := st.Sys().(*syscall.Stat_t); int(sys.Uid) != uid || int(sys.Gid) != gid {
		t.Errorf("owner is %d:%d, want %d:%d", sys.Uid, sys.Gid, uid, gid)
	}
}

func testGramBind(t *testing.T) {
	p, me := path(t), path(t)
	a := listening(t, &UnixgramListen{Path: p})
	c := dialed(t, &Unixgram{Path: p, LocalPath: me}).(transport.MsgConn)
	send(t, c, "who am I")
	s := accepted(t, a).(transport.MsgConn)
	if got := s.RemoteAddr().String(); got != me {
		t.Errorf("the sender is %q, want %q", got, me)
	}
	send(t, s, "you")
	receive(t, c, "you")
	c.Close()
	if _, err := os.Stat(me); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is left after Close: %v", err)
	}
}

func send(t testing.TB, c transport.MsgConn, text string) {
	t.Helper()
	if err := c.WriteMsg([]byte(text), transport.Meta{}); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func receive(t testing.TB, c transport.MsgConn, want string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	p := make([]byte, MaxMessage)
	n, _, err := c.ReadMsg(p)
	if err != nil || string(p[:n]) != want {
		t.Fatalf("read %.40q, error %v; want %.40q", p[:n], err, want)
	}
}

func wantDropped(t *testing.T, a transport.Acceptor, want int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); a.(transport.DropCounter).Dropped() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d dropped, want %d", a.(transport.DropCounter).Dropped(), want)
		}
	}
}

func gramOptions() map[string]func(*testing.T) {
	// Who is refused does not get an error, for there is no connection: what it
	// sends is dropped.
	m := accessOptions(func(n string, a Access) transport.Listener { return &UnixgramListen{Path: n, Access: a} }, nil)
	deny := func(a Access, want string) func(t *testing.T) {
		return func(t *testing.T) {
			p := path(t)
			acc := listening(t, &UnixgramListen{Path: p, Access: a})
			send(t, dialed(t, &Unixgram{Path: p}).(transport.MsgConn), "x")
			wantDropped(t, acc, 1)
		}
	}
	m["allow-uid"] = deny(Access{AllowUID: []string{"77777"}}, "")
	m["allow-gid"] = deny(Access{AllowGID: []string{"77777"}}, "")
	m["session-idle"] = func(t *testing.T) {
		p := path(t)
		_, s := pair(t, &UnixgramListen{Path: p, SessionIdle: 20 * time.Millisecond}, &Unixgram{Path: p})
		if _, _, err := s.(transport.MsgConn).ReadMsg(make([]byte, 1)); err != io.EOF {
			t.Errorf("read of a silent session: error %v, want io.EOF", err)
		}
	}
	m["sessions"] = func(t *testing.T) {
		p := path(t)
		a := listening(t, &UnixgramListen{Path: p, Sessions: 1})
		send(t, dialed(t, &Unixgram{Path: p}).(transport.MsgConn), "in")
		accepted(t, a)
		send(t, dialed(t, &Unixgram{Path: p}).(transport.MsgConn), "out")
		wantDropped(t, a, 1)
	}
	return m
}

func recvOptions() map[string]func(*testing.T) {
	open := func(t *testing.T, a Access) (string, transport.MsgConn) {
		p := path(t)
		return p, dialed(t, &UnixgramRecv{Path: p, Access: a}).(transport.MsgConn)
	}
	refused := func(a Access) func(t *testing.T) {
		return func(t *testing.T) {
			p, c := open(t, a)
			send(t, dialed(t, &Unixgram{Path: p}).(transport.MsgConn), "x")
			c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, _, err := c.ReadMsg(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read of what was refused: error %v", err)
			}
		}
	}
	owner := func(a Access, uid, gid int) func(t *testing.T) {
		return func(t *testing.T) {
			if os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			p, _ := open(t, a)
			checkOwner(t, p, uid, gid)
		}
	}
	return map[string]func(*testing.T){
		"mode": func(t *testing.T) {
			p, _ := open(t, Access{Mode: 0o622})
			if st, err := os.Stat(p); err != nil || st.Mode().Perm() != 0o622 {
				t.Errorf("mode %v, error %v", st.Mode(), err)
			}
		},
		"user":  owner(Access{User: "1"}, 1, os.Getgid()),
		"group": owner(Access{Group: "1"}, os.Getuid(), 1),
		"unlink-close": func(t *testing.T) {
			p, c := open(t, Access{Unlink: 2})
			c.Close()
			if _, err := os.Stat(p); err != nil {
				t.Error(err)
			}
		},
		"allow-uid": refused(Access{AllowUID: []string{"77777"}}),
		"allow-gid": refused(Access{AllowGID: []string{"77777"}}),
	}
}

func TestGramManySenders(t *testing.T) {
	const senders, each = 50, 20
	p := path(t)
	a := listening(t, &UnixgramListen{Path: p})
	errs := make(chan error, 2*senders)
	for i := range senders {
		go func() {
			c, err := (&Unixgram{Path: p}).Dial(context.Background())
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			for j := range each {
				if err := c.(transport.MsgConn).WriteMsg(fmt.Appendf(nil, "%d %d", i, j), transport.Meta{}); err != nil {
					errs <- err
					return
				}
			}
			buf := make([]byte, 16)
			n, _, err := c.(transport.MsgConn).ReadMsg(buf)
			if err == nil && string(buf[:n]) != fmt.Sprint(i) {
				err = fmt.Errorf("sender %d is answered %q", i, buf[:n])
			}
			errs <- err
		}()
	}
	time.AfterFunc(20*time.Second, func() { a.Close() }) // a test that waits for what does not come
	for n := range senders {
		s, err := a.Accept()
		if err != nil {
			close(errs)
			for err := range errs {
				t.Log(err)
			}
			t.Fatalf("session %d: %v", n, err)
		}
		go func() {
			defer s.Close()
			m, buf, sender := s.(transport.MsgConn), make([]byte, 16), -1
			for j := range each {
				n, _, err := m.ReadMsg(buf)
				var i, k int
				if _, serr := fmt.Sscanf(string(buf[:n]), "%d %d", &i, &k); err == nil {
					err = serr
				}
				if err == nil && (k != j || sender >= 0 && sender != i) {
					err = fmt.Errorf("session of %d: got %q as message %d", sender, buf[:n], j)
				}
				if err != nil {
					errs <- err
					return
				}
				sender = i
			}
			errs <- m.WriteMsg(fmt.Append(nil, sender), transport.Meta{})
		}()
	}
	timeout := time.AfterFunc(20*time.Second, func() { panic("no answer") })
	defer timeout.Stop()
	for range 2 * senders {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
