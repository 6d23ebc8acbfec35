package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A service that is UDP keeps the boundaries of messages, empty ones too.
func TestUDPService(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	serve(t, alice, api.ServeRequest{Name: "dns", Address: "udp:" + u.LocalAddr().String(), To: []string{"bob"}})
	if list, err := bob.Client().PeerServices(within(t), "alice"); err != nil || len(list) != 1 || list[0].Carries != api.Messages {
		t.Errorf("%+v, %v", list, err)
	}
	c, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/dns"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := c.(transport.MsgConn)
	p := make([]byte, 64<<10)
	for _, size := range []int{1, 0, 9000, 2} {
		if err := m.WriteMsg(bytes.Repeat([]byte("x"), size), transport.Meta{}); err != nil {
			t.Fatal(err)
		}
		u.SetDeadline(time.Now().Add(20 * time.Second))
		n, from, err := u.ReadFrom(p)
		if err != nil || n != size {
			t.Fatalf("%d bytes of %d, %v", n, size, err)
		}
		if _, err := u.WriteTo(p[:n], from); err != nil {
			t.Fatal(err)
		}
		if n, _, err := m.ReadMsg(p); err != nil || n != size {
			t.Fatalf("back: %d bytes of %d, %v", n, size, err)
		}
	}
}

// A program is started for each peer that comes, and a half-close reaches it.
func TestExecService(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "sort", Address: "exec:sort", To: []string{"bob"}})
	s := dial(t, bob, "alice/sort")
	if _, err := io.WriteString(s, "b\na\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s); string(got) != "a\nb\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// The size of the window here becomes that of the terminal there.
func TestTerminalService(t *testing.T) {
	if _, err := exec.LookPath("stty"); err != nil {
		t.Skip("no stty")
	}
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "sh", Address: "exec:sh,pty", To: []string{"bob"}})
	if list, err := bob.Client().PeerServices(within(t), "alice"); err != nil || len(list) != 1 || list[0].Carries != api.Terminal {
		t.Errorf("%+v, %v", list, err)
	}
	s := dial(t, bob, "alice/sh")
	s.SetDeadline(time.Now().Add(20 * time.Second))
	var all strings.Builder
	p := make([]byte, 4096)
	for _, size := range [][2]int{{33, 77}, {44, 88}} {
		if err := s.(transport.Resizer).Resize(size[0], size[1]); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(all.String(), fmt.Sprint(size[0], size[1])) {
			// The size goes its own way: asked again until it is there.
			if _, err := io.WriteString(s, "stty size\n"); err != nil {
				t.Fatal(err)
			}
			n, err := s.Read(p)
			if err != nil {
				t.Fatalf("%v, after %q", err, all.String())
			}
			all.Write(p[:n])
		}
	}
}

// What is on the machine of the one who serves can be a service: a unix socket, shared memory
// with bytes and with messages.
func TestLocalServices(t *testing.T) {
	dir, err := os.MkdirTemp("", "node") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	for kind, carries := range map[string]api.Carries{"unix": api.Bytes, "shm": api.Bytes, "shm-msg": api.Messages} {
		t.Run(kind, func(t *testing.T) {
			at := filepath.Join(dir, kind)
			acc, err := tenon.Listen(within(t), kind+"-listen:"+at)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			defer acc.Close()
			serve(t, alice, api.ServeRequest{Name: kind, Address: kind + ":" + at, To: []string{"bob"}})
			accepted := make(chan transport.Conn, 1)
			go func() {
				far, err := acc.Accept()
				if err != nil {
					t.Error(err)
				}
				accepted <- far
			}()
			near, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/" + kind})
			if err != nil {
				acc.Close()
				<-accepted
				t.Fatal(err)
			}
			defer near.Close()
			far := <-accepted
			if far == nil {
				t.FailNow()
			}
			defer far.Close()
			if carries == api.Messages {
				passes(t, near, far, "", "one", "another")
				passes(t, far, near, "back", "")
				return
			}
			says(t, echoes(near.(transport.Stream), far.(transport.Stream)), "bytes", "bytes")
			if err := near.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(near.(transport.Stream)); err != nil || len(rest) != 0 {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}

// echoes has far give back what comes to it, to its end, and returns near.
func echoes(near, far transport.Stream) transport.Stream {
	go func() {
		io.Copy(far, far) //nolint:errcheck // near sees it
		far.CloseWrite()  //nolint:errcheck // near sees it
	}()
	return near
}

// passes sends messages from one end to the other, which gets them as they are.
func passes(t *testing.T, from, to transport.Conn, messages ...string) {
	t.Helper()
	p := make([]byte, 4096)
	for _, text := range messages {
		if err := from.(transport.MsgConn).WriteMsg([]byte(text), transport.Meta{}); err != nil {
			t.Fatal(err)
		}
		to.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // it is for a test that fails
		if n, _, err := to.(transport.MsgConn).ReadMsg(p); err != nil || string(p[:n]) != text {
			t.Fatalf("%q, %v; want %q", p[:n], err, text)
		}
	}
}

// A bus of the machine that serves has members elsewhere.
func TestBusService(t *testing.T) {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	member, err := tenon.Dial(within(t), "bus:alerts")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	serve(t, alice, api.ServeRequest{Name: "alerts", Address: "bus:alerts", To: []string{"bob"}})
	far, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/alerts"})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	passes(t, far, member, "disk full", "disk empty")
	passes(t, member, far, "heard")
}

// A target that is not there is said to be so to both sides, and to nobody else.
func TestTargetIsDown(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "db", Address: "tcp:127.0.0.1:1", To: []string{"bob"}})
	_, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/db"})
	if !errors.Is(err, api.ErrUnreachable) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("bob is told %v", err)
	}
	services, err := alice.Client().Services(within(t))
	if err != nil || !strings.Contains(services[0].Error, "refused") {
		t.Errorf("alice sees %+v, %v", services, err)
	}
	waitAudit(t, alice, "refuse", func(e api.AuditEntry) bool { return strings.Contains(e.End, "cannot be opened") })
}

// What makes no sense as a service is refused when it is served.
func TestServeRefuses(t *testing.T) {
	w := new(world)
	alice := w.node(t, "alice")
	for _, r := range []api.ServeRequest{
		{Name: "a b", Address: "tcp:h:1"},
		{Name: "x\x1b[2J", Address: "tcp:h:1"},
		{Name: "x", Address: ""},
		{Name: "x", Address: "tpc:h:1"},
		{Name: "x", Address: "tcp-listen:1"},
		{Name: "x", Address: "tcp:h:1", To: []string{"nobody-i-know"}},
		{Name: "x", Address: "tcp:h:1", To: []string{"anyone"}},
	} {
		if s, err := alice.Client().Serve(within(t), r); err == nil || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%+v: %+v, %v", r, s, err)
		}
	}
	if all := alice.Services(); len(all) != 0 {
		t.Errorf("there are services: %+v", all)
	}
}

// A peer gets no more than the configuration says, however many joints it has.
func TestPeerLimits(t *testing.T) {
	w := new(world)
	file := filepath.Join(t.TempDir(), "tenon.toml")
	if err := os.WriteFile(file, []byte("peer-rate = \"256k\"\npeer-joints = 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := w.config(stateDir(t), "alice")
	config.ConfigFile = file
	alice, bob := start(t, config), w.node(t, "bob")
	pairUp(t, alice, bob)
	serve(t, alice, api.ServeRequest{Name: "echo", Address: echo(t), To: []string{"bob"}})
	a, b := dial(t, bob, "alice/echo"), dial(t, bob, "alice/echo")
	if _, err := bob.Client().Dial(within(t), api.DialRequest{To: "alice/echo"}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("a third joint: %v", err)
	}
	// The first 256 KiB are free; the next take a second and a half.
	began := time.Now()
	var all sync.WaitGroup
	for _, s := range []transport.Stream{a, b} {
		all.Go(func() {
			go s.Write(make([]byte, 320<<10))
			io.CopyN(io.Discard, s, 320<<10)
		})
	}
	all.Wait()
	if took := time.Since(began); took < 1400*time.Millisecond {
		t.Errorf("640 KiB at 256 KiB a second, of which 256 are free, took %v", took)
	}
}

// A service may be served again, for others, too. It leads elsewhere only when that is
// said: those whom it is granted to were let in to the address that it has.
func TestServeAgain(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	alice, err := node.New(t.Context(), w.config(dir, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	serve(t, alice, api.ServeRequest{Name: "web", Address: "tcp:127.0.0.1:1", To: []string{"paired"}})
	serve(t, alice, api.ServeRequest{Name: "web", Address: "tcp:127.0.0.1:1", Anyone: true})
	if _, err := alice.Client().Serve(ctx, api.ServeRequest{Name: "web", Address: "tcp:127.0.0.1:2"}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another address: %v", err)
	}
	serve(t, alice, api.ServeRequest{Name: "web", Address: "tcp:127.0.0.1:2", Replace: true})
	if all := alice.Services(); len(all) != 1 || all[0].Address != "tcp:127.0.0.1:2" || !all[0].Anyone || len(all[0].To) != 0 {
		t.Errorf("%+v", all)
	}
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	c := w.config(dir, "alice")
	c.Passing = true
	alice = start(t, c)
	if s := alice.Status(); !s.Passing {
		t.Error("it does not say that it is there for one program only")
	}
	for _, r := range []struct {
		address string
		replace bool
		want    error
	}{{"tcp:127.0.0.1:2", false, nil}, {"tcp:127.0.0.1:3", false, api.ErrConflict}, {"tcp:127.0.0.1:3", true, nil}, {"", false, nil}} {
		o, err := alice.Client().Offer(ctx, api.OfferRequest{Service: "web", Address: r.address, Replace: r.replace})
		if !errors.Is(err, r.want) {
			t.Errorf("%q: %v", r.address, err)
		}
		if err == nil {
			o.Close()
		}
		eventually(t, func() bool { return alice.Services()[0].From != "live" })
	}
}
