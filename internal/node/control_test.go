package node_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// running is a node with a control socket.
func running(t *testing.T, w *world, name string) (n *node.Node, dir string) {
	t.Helper()
	dir = stateDir(t)
	n = start(t, w.config(dir, name))
	if err := n.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n, dir
}

func TestControlSocket(t *testing.T) {
	w := new(world)
	if _, err := api.Dial(t.TempDir()); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("where no node is: %v", err)
	}
	n, dir := running(t, w, "alice")
	fi, err := os.Stat(api.SocketPath(dir))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	c, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if id, err := c.ID(within(t)); err != nil || id.ID != n.ID().String() || id.Name != "alice" {
		t.Errorf("%+v, %v", id, err)
	}
	if s, err := c.Status(within(t)); err != nil || s.PID != os.Getpid() || s.Dir != dir {
		t.Errorf("%+v, %v", s, err)
	}
	for what, want := range map[string]error{"peers/nobody/rename": transport.ErrUsage, "grant": transport.ErrUsage} {
		_, err := c.Rename(within(t), "nobody-at-all", "x")
		if what == "grant" {
			_, err = c.Grant(within(t), api.GrantRequest{Service: "\x1b", To: []string{"paired"}})
		} else {
			want = api.ErrNotFound
		}
		if !errors.Is(err, want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", what, err)
		}
	}
	m, err := c.Metrics(within(t))
	if err != nil || !strings.Contains(m, "# TYPE tenon_joints gauge\ntenon_joints 0\n") {
		t.Errorf("%s, %v", m, err)
	}
	if err := c.Down(within(t)); err == nil || !strings.Contains(transport.Hint(err), fmt.Sprint(os.Getpid())) {
		t.Errorf("nobody ends the node when it is asked to: %v", err)
	}
	asked := n.Asked()
	go func() {
		<-asked
		n.Close()
	}()
	if err := c.Down(within(t)); err != nil {
		t.Error(err)
	}
	if _, err := api.Dial(dir); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("after Down: %v", err)
	}
}

// A socket that a process has left behind that was killed is taken over.
func TestStaleSocket(t *testing.T) {
	w := new(world)
	dir := stateDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: api.SocketPath(dir)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := api.Dial(dir); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("a stale socket: %v", err)
	}
	n := start(t, w.config(dir, "alice"))
	if err := n.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A page in a browser gets nothing, if somebody joins the socket to a port.
func TestBrowser(t *testing.T) {
	_, dir := running(t, new(world), "alice")
	for name, header := range map[string]http.Header{"origin": {"Origin": {"http://evil.example"}}, "rebound": nil} {
		r, err := http.NewRequest("GET", "http://tenon/v1/id", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		if header == nil {
			r.Host = "evil.example"
		}
		c, err := net.Dial("unix", api.SocketPath(dir))
		if err != nil {
			t.Fatal(err)
		}
		r.Write(c)
		b := make([]byte, 12)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "HTTP/1.1 403" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		c.Close()
	}
}

// Who follows the events sees all of them, and goes on where it was.
func TestEvents(t *testing.T) {
	n := new(world).node(t, "alice")
	c := n.Client()
	serve(t, n, api.ServeRequest{Name: "one", Address: "tcp:127.0.0.1:1"})
	var last uint64
	for e, err := range c.Events(within(t), 0, false) {
		if err != nil {
			t.Fatal(err)
		}
		if last != 0 && e.Seq != last+1 {
			t.Errorf("%d follows %d", e.Seq, last)
		}
		last = e.Seq
	}
	serve(t, n, api.ServeRequest{Name: "two", Address: "tcp:127.0.0.1:1"})
	for e, err := range c.Events(within(t), last, true) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != last+1 || e.Service != "two" {
			t.Errorf("%+v behind %d", e, last)
		}
		break
	}
	var types []string
	for e, err := range c.Events(within(t), 5, false) { // a number of another life
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Type)
	}
	if len(types) < 3 || types[0] != api.Gap {
		t.Errorf("%q", types)
	}
}

// A reload changes what the file says, cuts what it takes away, and with a mistake in the
// file nothing.
func TestReload(t *testing.T) {
	w := new(world)
	file := filepath.Join(t.TempDir(), "tenon.toml")
	address := echo(t)
	write := func(format string, args ...any) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, format, args...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[services.echo]\naddress = %q\nto = [\"bob\"]\n", address)
	config := w.config(stateDir(t), "alice")
	config.ConfigFile = file
	alice, bob := start(t, config), w.node(t, "bob")
	c := alice.Client()
	if s, err := c.Status(within(t)); err != nil || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "bob") {
		t.Errorf("bob is not known yet: %q, %v", s.Warnings, err)
	}
	// The file in use is told, and none that is not there.
	missing := w.config(stateDir(t), "carol")
	missing.ConfigFile = filepath.Join(t.TempDir(), "tenon.toml")
	if is, none := alice.Status().Config, start(t, missing).Status().Config; is != file || none != "" {
		t.Errorf("the configurations in use are %q and %q", is, none)
	}
	pairUp(t, alice, bob)
	// Pairing is no right, though the file grants something to the name that bob suggests.
	if all := alice.Services(); len(all) != 1 || len(all[0].To) != 0 || all[0].From != "config" {
		t.Fatalf("%+v", all)
	}
	if _, err := c.Rename(within(t), alice.Peers()[0].ID, "bob"); err != nil {
		t.Fatal(err)
	}
	s := dial(t, bob, "alice/echo")
	says(t, s, "x", "X")
	if _, err := c.Revoke(within(t), api.GrantRequest{Service: "echo", To: []string{"bob"}}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("what the file grants is revoked: %v", err)
	}

	write("[services.echo]\naddress = \"nonsense:\"\n")
	if _, err := c.Reload(within(t)); !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), "tenon.toml:2: ") {
		t.Errorf("a mistake: %v", err)
	}
	says(t, s, "y", "Y")
	// An address that no network can be is found before anybody is cut off.
	write("announce = [\"smoke\"]\n[services.echo]\naddress = %q\nto = [\"bob\"]\n", address)
	if _, err := c.Reload(within(t)); !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), "tenon.toml:1: ") {
		t.Errorf("an address that is none: %v", err)
	}
	says(t, s, "y", "Y")
	// So is a file that is not there any more, while an editor replaces it, say.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(within(t)); !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), "it is gone") {
		t.Errorf("without the file: %v", err)
	}
	says(t, s, "y", "Y")

	port := freeport.Get(t)
	write("[services.echo]\naddress = %q\n[links.up]\nfrom = \"tcp-listen:%s\"\nto = %q\n", address, port, address)
	r, err := c.Reload(within(t))
	if err != nil || !slices.Equal(r.Changes, []string{"service echo: changed", "link up: new", "1 joints were cut"}) {
		t.Errorf("%q, %v", r.Changes, err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("bob reads %d, %v", n, err)
	}
	eventually(t, func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%s", port))
		if err != nil {
			return false
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprint(conn, "link")
		p := make([]byte, 4)
		_, err = io.ReadFull(conn, p)
		return err == nil && string(p) == "LINK"
	})
	write("")
	if r, err := c.Reload(within(t)); err != nil || len(r.Changes) != 2 {
		t.Errorf("%q, %v", r.Changes, err)
	}
	if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%s", port)); err == nil {
		t.Error("the link is still there")
	}
}
