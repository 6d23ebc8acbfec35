package swarm

import (
	"context"
	"fmt"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
)

// finds waits until one has found another in the table.
func finds(t *testing.T, n *Network, k peer.FindKey, who peer.ID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for found := false; !found; {
		n.findProviders(ctx, shareName(k), func(id peer.ID) { found = found || id == who })
		if !found && !pause(ctx) {
			t.Fatal("it is not found")
		}
	}
}

// The name of a share in the table: docs/protocol/share.md, chapter "Finding".
func TestShareName(t *testing.T) {
	const want = "bafkreigwbzxq6qd45vtvafrdtkzdbqzqmyxy2bjll75rax4ol6pjtqs7ce"
	if name := shareName(peer.FindKey{1}).String(); name != want {
		t.Errorf("%s, want %s", name, want)
	}
}

// Who has a share is found in the table by who knows it, also when it has got it later, though the two know nothing of each other; and can be
// reached then.
func TestProviders(t *testing.T) {
	for _, d := range []Discovery{PrivateDiscovery, PublicDiscovery} {
		t.Run(string(d), func(t *testing.T) { testProviders(t, d) })
	}
}

func testProviders(t *testing.T, d Discovery) {
	_, at := serverOf(t, d)
	first, second := peer.FindKey{1}, peer.FindKey{2}
	given := make(chan []peer.FindKey, 1)
	given <- []peer.FindKey{first}
	find := func(c *Config) { c.Discovery, c.Bootstrap, c.localTable = d, at, true }
	a := newNet(t, func(c *Config) {
		find(c)
		c.Provided = func() []peer.FindKey {
			all := <-given
			given <- all
			return all
		}
	}, loopback)
	a.Serve("echo", echo)
	b := newNet(t, find, loopback)
	finds(t, b, first, a.Self())
	<-given
	given <- []peer.FindKey{first, second}
	a.ProvidedChanged()
	finds(t, b, second, a.Self())
	finish(t, say(t, b, a, "hello"))
	b.findProviders(t.Context(), shareName(peer.FindKey{3}), func(id peer.ID) { t.Errorf("%s has what nobody has", id) })
}

// Nobody is told of everybody who says to have a share, nor are addresses of theirs taken that they have not signed.
func TestFloodOfProviders(t *testing.T) {
	server, at := serverOf(t, PrivateDiscovery)
	b := newNet(t, func(c *Config) { c.Discovery, c.Bootstrap = PrivateDiscovery, at }, loopback)
	name := shareName(peer.FindKey{1})
	for range 1000 {
		id, err := lib(peer.NewKey().ID())
		if err != nil {
			t.Fatal(err)
		}
		info := lpeer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/22")}}
		if err := server.table.ProviderStore().AddProvider(t.Context(), name.Hash(), info); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := server.table.ProviderStore().GetProviders(t.Context(), name.Hash())
	if err != nil || len(kept) != maxTableShare {
		t.Errorf("%d are kept, %v", len(kept), err)
	}
	var found []peer.ID
	b.findProviders(t.Context(), name, func(id peer.ID) { found = append(found, id) })
	if len(found) != maxFound {
		t.Errorf("%d were found", len(found))
	}
	for _, id := range found {
		to, err := lib(id)
		if err != nil {
			t.Fatal(err)
		}
		if all := b.host.Peerstore().Addrs(to); len(all) > 0 {
			t.Errorf("it is believed that one is at %v", all)
		}
	}
}

// Whatever is put into a table, it does not grow without end, and what is in it can be found.
func TestTableStoreIsBounded(t *testing.T) {
	s := new(tableStore)
	ctx := t.Context()
	check := func() {
		t.Helper()
		records, bytes := 0, 0
		for group, all := range s.groups {
			if len(all) == 0 {
				t.Fatalf("%s is empty", group)
			}
			for _, v := range all {
				records++
				bytes += len(v)
			}
		}
		if records != s.records || bytes != s.bytes || records > maxTableRecords || bytes > maxTableBytes {
			t.Fatalf("%d records of %d bytes, counted %d and %d", records, bytes, s.records, s.bytes)
		}
	}
	put := func(key string, size int) {
		t.Helper()
		if err := s.Put(ctx, ds.NewKey(key), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Has(ctx, ds.NewKey(key)); !ok || err != nil {
			t.Fatalf("%s is not there: %v", key, err)
		}
	}
	entries := func(prefix string) int {
		t.Helper()
		r, err := s.Query(ctx, query.Query{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.Rest()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if ok, err := s.Has(ctx, ds.RawKey(e.Key)); !ok || err != nil {
				t.Fatalf("%s is told of, and not there: %v", e.Key, err)
			}
		}
		return len(all)
	}
	for i := range 3 * maxTableShare {
		put(fmt.Sprint("/providers/ONE/", i), 10)
	}
	put("/providers/OTHER/A", 10)
	put("/tenon/A", maxRecord)
	put("/tenon/A", 100) // again
	check()
	for prefix, want := range map[string]int{"/providers/ONE": maxTableShare, "/providers/OTHER/": 1, "/providers/": maxTableShare + 1, "/providers/NONE": 0, "/tenon/": 1, "/": maxTableShare + 2, "/te": 0} {
		if n := entries(prefix); n != want {
			t.Errorf("%s has %d, want %d", prefix, n, want)
		}
	}
	if err := s.Delete(ctx, ds.NewKey("/providers/OTHER/A")); err != nil || entries("/providers/") != maxTableShare {
		t.Error("it is not deleted: ", err)
	}
	for i := range maxTableRecords + 1000 {
		put(fmt.Sprint("/providers/", i, "/A"), 10)
	}
	check()
	for i := range 2 * maxTableBytes / maxRecord {
		put(fmt.Sprint("/tenon/", i), maxRecord)
	}
	check()
}
