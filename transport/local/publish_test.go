//go:build linux

package local

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mdlayher/vsock"

	"github.com/tenon-net/tenon/transport"
)

// leftover makes a socket file whose program is gone.
func leftover(t *testing.T, p string) {
	t.Helper()
	l, err := net.ListenUnix("unix", unixAddr("unix", p))
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestTakesOverDeadSocket(t *testing.T) {
	for name, l := range map[string]func(p string) transport.Listener{
		"unix":       func(p string) transport.Listener { return &UnixListen{Path: p} },
		"unixpacket": func(p string) transport.Listener { return &UnixPacketListen{Path: p} },
		"unixgram":   func(p string) transport.Listener { return &UnixgramListen{Path: p} },
	} {
		p := path(t)
		leftover(t, p)
		a, err := l(p).Listen(context.Background())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if files, _ := os.ReadDir(filepath.Dir(p)); len(files) != 1 {
			t.Errorf("%s: the directory has %v, want the socket only", name, files)
		}
		a.Close()
		if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: after Close: %v, want that there is no file", name, err)
		}
	}
}

func TestLeavesLiveSocketAndFilesAlone(t *testing.T) {
	live, file, dir := path(t), path(t), t.TempDir()
	a := listening(t, &UnixListen{Path: live})
	go func() {
		for {
			if _, err := a.Accept(); err != nil {
				return
			}
		}
	}()
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]error{live: syscall.EADDRINUSE, file: syscall.EEXIST, dir: syscall.EEXIST} {
		for _, l := range []transport.Listener{&UnixListen{Path: p}, &UnixPacketListen{Path: p}} {
			_, err := l.Listen(context.Background())
			if !errors.Is(err, want) || transport.Hint(err) == "" {
				t.Errorf("%s: error %v, hint %q; want %v and a hint", p, err, transport.Hint(err), want)
			}
			if err != nil && strings.Contains(err.Error(), ".tenon-") {
				t.Errorf("the error shows the name aside: %v", err)
			}
		}
		if _, err := (&UnixgramListen{Path: p}).Listen(context.Background()); err == nil {
			t.Errorf("unixgram takes %s over", p)
		}
	}
	if data, err := os.ReadFile(file); string(data) != "precious" {
		t.Errorf("the file has %q, error %v", data, err)
	}
	if files, _ := os.ReadDir(filepath.Dir(live)); len(files) != 1 {
		t.Errorf("the directory has %v, want the socket only", files)
	}
	dialed(t, &Unix{Path: live})
}

// TestOneOfManyWins starts listeners at the same time, with and without a dead
// socket in their way: one gets the path and keeps it.
func TestOneOfManyWins(t *testing.T) {
	for round := range 20 {
		p := path(t)
		if round%2 == 1 {
			leftover(t, p)
		}
		const rivals = 8
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			wins []transport.Acceptor
		)
		for range rivals {
			wg.Go(func() {
				a, err := (&UnixListen{Path: p}).Listen(context.Background())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					wins = append(wins, a)
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("a loser's error is %v, want EADDRINUSE", err)
				}
			})
		}
		wg.Wait()
		if len(wins) != 1 {
			t.Fatalf("round %d: %d listeners got the path", round, len(wins))
		}
		// The losers have looked whether it is alive; those connections come first.
		c := dialed(t, &Unix{Path: p}).(transport.Stream)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		for found := false; !found; {
			s := accepted(t, wins[0]).(transport.Stream)
			n, _ := s.Read(make([]byte, 1))
			found = n == 1
			s.Close()
		}
		c.Close()
		wins[0].Close()
	}
}

// TestCloseLeavesSuccessor checks that a listener does not remove the file of
// another one that has its name by now.
func TestCloseLeavesSuccessor(t *testing.T) {
	p := path(t)
	a := listening(t, &UnixListen{Path: p})
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	listening(t, &UnixListen{Path: p})
	a.Close()
	dialed(t, &Unix{Path: p})
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, "s")
	c, s := pair(t, &UnixListen{Path: p}, &Unix{Path: p})
	if c.RemoteAddr().String() != p || s.LocalAddr().String() != p {
		t.Errorf("addresses are %s and %s, want %s", c.RemoteAddr(), s.LocalAddr(), p)
	}
	pair(t, &UnixgramListen{Path: p + "g"}, &Unixgram{Path: p + "g"})
	_, err := (&Unix{Path: filepath.Join(dir, strings.Repeat("x", 120))}).Dial(context.Background())
	if !errors.Is(err, transport.ErrUsage) {
		t.Errorf("a last part of 120 bytes: error %v, want transport.ErrUsage", err)
	}
}

func TestAbstractLetsOnlyOwnUserIn(t *testing.T) {
	l := &UnixListen{Path: abstract(t)}
	if !l.Authenticates() {
		t.Error("an abstract listener without a list does not authenticate")
	}
	if g, err := l.guard(l.Path); err != nil || g.admit(&transport.Cred{PID: 1, UID: 77777}, nil) == nil {
		t.Errorf("another user is let in; error %v", err)
	}
	pair(t, l, &Unix{Path: l.Path})
	for _, open := range []*UnixListen{{Path: "/x", Access: Access{Mode: 0o666}}, {Path: "@x", Access: Access{AllowUID: []string{"*"}}}} {
		if open.Authenticates() {
			t.Errorf("%+v says that it authenticates", open)
		}
	}
}

func TestDialHints(t *testing.T) {
	p := path(t)
	leftover(t, p)
	for name, want := range map[string]error{p: syscall.ECONNREFUSED, p + "x": os.ErrNotExist, abstract(t): syscall.ECONNREFUSED} {
		_, err := (&Unix{Path: name}).Dial(context.Background())
		if !errors.Is(err, want) || transport.Hint(err) == "" {
			t.Errorf("%s: error %v, hint %q; want %v and a hint", name, err, transport.Hint(err), want)
		}
	}
}

func TestVsock(t *testing.T) {
	a, err := (&VsockListen{Port: 0}).Listen(context.Background())
	if err != nil {
		t.Skipf("this machine has no VM sockets to listen on, so nothing was opened: %v (hint: %s)", err, transport.Hint(err))
	}
	defer a.Close()
	c, err := (&Vsock{CID: vsock.Local, Port: a.Addr().(*vsock.Addr).Port}).Dial(context.Background())
	if err != nil {
		t.Skipf("listening on %v works, but nothing was sent, for this machine does not reach itself (vsock_loopback): %v", a.Addr(), err)
	}
	defer c.Close()
	s := accepted(t, a)
	for _, way := range [][2]transport.Conn{{c, s}, {s, c}} {
		if _, err := way[0].(transport.Stream).Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 5)
		if _, err := io.ReadFull(way[1].(transport.Stream), p); err != nil || string(p) != "hello" {
			t.Fatalf("read %q, error %v", p, err)
		}
	}
}
