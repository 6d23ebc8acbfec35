package node_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	public "github.com/tenon-net/tenon/node"
	"github.com/tenon-net/tenon/transport"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// run starts a node as tenon up does, and returns its directory.
func run(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	n, err := node.New(t.Context(), node.Config{Dir: dir, Name: name, Network: node.Connect, Flags: node.Settings{
		Network: node.Network{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"none"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Listen(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ticket makes a ticket at the node in dir.
func ticket(t *testing.T, dir, service string) string {
	t.Helper()
	c, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	made, err := c.Ticket(within(t), api.TicketRequest{Service: service, Uses: 10})
	if err != nil {
		t.Fatal(err)
	}
	return made.Text
}

// http.Serve and http.Get work between two programs, of which one goes through a node
// that runs, and the other starts one of its own.
func TestHTTP(t *testing.T) {
	dir := run(t, "alice")
	alice := &public.Node{Dir: dir}
	defer alice.Close()
	l, err := alice.Listen("web")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.URL.Path) }))
	}()
	bob := &public.Node{Dir: filepath.Join(t.TempDir(), "state"), Name: "bob", ListenOn: []string{"/ip4/127.0.0.1/tcp/0"}}
	defer bob.Close()
	text := ticket(t, dir, "web")
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return bob.Dial(ctx, text) }}}
	resp, err := client.Get("http://alice/there")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "hello /there" {
		t.Errorf("%q, %v", body, err)
	}
	client.CloseIdleConnections()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err == nil {
		t.Error("Serve ends without an error")
	}
}

func TestListenPacket(t *testing.T) {
	dir := run(t, "alice")
	alice := &public.Node{Dir: dir}
	defer alice.Close()
	p, err := alice.ListenPacket(within(t), "dns", public.Offer{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	bob := &public.Node{Dir: filepath.Join(t.TempDir(), "state"), Name: "bob", ListenOn: []string{"/ip4/127.0.0.1/tcp/0"}}
	defer bob.Close()
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), bob.Kinds()...)}
	c, err := o.Dial(within(t), "peer:"+ticket(t, dir, "dns"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := c.(interface {
		ReadMsg([]byte) (int, transport.Meta, error)
		WriteMsg([]byte, transport.Meta) error
	})
	b := make([]byte, 100)
	for _, q := range []string{"one", "", "three"} {
		if err := m.WriteMsg([]byte(q), transport.Meta{}); err != nil {
			t.Fatal(err)
		}
		n, from, err := p.ReadFrom(b)
		if err != nil || string(b[:n]) != q {
			t.Fatalf("it came %q, %v", b[:n], err)
		}
		if _, err := p.WriteTo([]byte("re: "+q), from); err != nil {
			t.Fatal(err)
		}
		if n, _, err := m.ReadMsg(b); err != nil || string(b[:n]) != "re: "+q {
			t.Fatalf("back came %q, %v", b[:n], err)
		}
	}
	p.SetReadDeadline(time.Now())
	if _, _, err := p.ReadFrom(b); err == nil || !err.(net.Error).Timeout() {
		t.Errorf("behind the deadline: %v", err)
	}
}
