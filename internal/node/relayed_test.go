package node

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/transport"
)

// What was relayed today counts after a restart, too; friends have no limit, and
// tomorrow is another day.
func TestAccounts(t *testing.T) {
	friend, stranger := peer.KeyFromSeed([32]byte{1}).ID(), peer.KeyFromSeed([32]byte{2}).ID()
	dir := t.TempDir()
	var n *Node
	begin := func() {
		n = &Node{facts: &facts{people: map[peer.ID]*person{}}}
		var err error
		if n.db, err = store.Open(t.Context(), dir); err == nil {
			err = n.db.Migrate(t.Context(), "node", tables...)
		}
		if err == nil {
			err = n.db.View(t.Context(), func(tx *sql.Tx) error { return n.loadAccounts(t.Context(), tx) })
		}
		if err != nil {
			t.Fatal(err)
		}
		n.accounts.set("1000")
	}
	begin()
	if err := errors.Join(n.relayed(stranger, false, 600), n.relayed(friend, true, 5000)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.saveAccounts(t.Context()), n.db.Close()); err != nil {
		t.Fatal(err)
	}
	begin()
	defer n.db.Close()
	if err := n.relayed(stranger, false, 600); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("more than the limit: %v", err)
	}
	if err := errors.Join(n.relayed(stranger, false, 400), n.relayed(friend, true, 5000)); err != nil {
		t.Error(err)
	}
	all, err := n.Relayed(t.Context())
	if err != nil || len(all) != 2 || all[1].Peer != stranger.String() || all[1].Today != 1000 || all[1].Month != 1000 || all[0].Peer != friend.String() {
		t.Errorf("%+v, %v", all, err)
	}
	if err := n.accounts.add(stranger, false, 600, time.Now().Add(24*time.Hour)); err != nil {
		t.Errorf("tomorrow: %v", err)
	}
}
