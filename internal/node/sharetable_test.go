package node_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
)

// inTable starts a node that finds others in a private table alone.
func inTable(t *testing.T, bootstrap ...string) *node.Node {
	t.Helper()
	s := node.Settings{Network: node.Network{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Discovery: []string{"dht"}, Bootstrap: bootstrap}}
	if len(bootstrap) == 0 {
		s.Relay = "anyone" // which keeps the table
	}
	return start(t, node.Config{Dir: stateDir(t), Flags: s, Network: node.Connect})
}

// fetches has a node fetch a share, and returns when all is there; with stay, it hands it on until stop is called.
func fetches(t *testing.T, n *node.Node, ticket, target string, stay bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range n.Client().Fetch(ctx, api.FetchRequest{Ticket: ticket, Target: target, Stay: stay}) {
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			if e.Type == api.FetchDone {
				close(done)
			}
		}
	}()
	select {
	case <-done:
	case <-ended:
	}
	return func() {
		cancel()
		<-ended
	}
}

// A public share whose sharer is off comes from who has fetched it, whom a private table knows: one keeps it, one has the share, and
// one looks for it. One that is not public is not in the table.
func TestShareFoundInTheTable(t *testing.T) {
	relay := inTable(t)
	contact, err := relay.Client().Ticket(within(t), api.TicketRequest{})
	if err != nil {
		t.Fatal(err)
	}
	alice, bob, carol := inTable(t, contact.Text), inTable(t, contact.Text), inTable(t, contact.Text)
	data := bytes.Repeat([]byte("0123456789"), 50_000)
	file := write(t, string(data), t.TempDir(), "file")
	if _, err := alice.Client().Share(within(t), api.ShareRequest{Paths: []string{file}, Name: "private"}); err != nil {
		t.Fatal(err)
	}
	shared, err := alice.Client().Share(within(t), api.ShareRequest{Paths: []string{file}, Public: true})
	if err != nil {
		t.Fatal(err)
	}
	stop := fetches(t, bob, shared.Ticket, t.TempDir(), true)
	defer stop()
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	defer fetches(t, carol, shared.Ticket, target, false)()
	if got, err := os.ReadFile(filepath.Join(target, "file")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes have come, %v", len(got), err)
	}
}
