package swarm

import (
	"errors"
	"testing"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	lrecord "github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
)

// tableOf makes a server of a table, and the address by which others begin.
func tableOf(t *testing.T) (*Network, []string) { return serverOf(t, PrivateDiscovery) }

// serverOf makes one that may begin at others.
func serverOf(t *testing.T, d Discovery, others ...string) (*Network, []string) {
	t.Helper()
	s := newNet(t, func(c *Config) {
		c.Discovery, c.DiscoveryServer, c.Admit, c.Bootstrap, c.localTable = d, true, nil, others, true
	}, loopback)
	var at []string
	for _, a := range s.Addrs() {
		at = append(at, a+"/p2p/"+LibID(s.Self()))
	}
	return s, at
}

// awaitPublished waits until a server knows where somebody is.
func awaitPublished(t *testing.T, server *Network, who *Network) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if server.lookUp(t.Context(), who.lib()) == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// Two that know each other's ID and nothing else find each other in the table.
func TestDiscovery(t *testing.T) {
	server, at := tableOf(t)
	find := func(c *Config) { c.Discovery, c.Bootstrap = PrivateDiscovery, at }
	a, b := newNet(t, find, loopback), newNet(t, find, loopback)
	b.Serve("echo", echo)
	awaitPublished(t, server, b)
	finish(t, say(t, a, b, "hello"))
	// Who keeps the table is let in for that alone, and lets in for that alone.
	for name, x := range map[string]*Network{"the server": server, "us": a} {
		other := map[string]*Network{"the server": a, "us": server}[name]
		x.Serve("secret", echo)
		if name == "us" {
			setAdmit(x, only(b.Self()))
		}
		if _, err := other.Open(t.Context(), x.Self(), "secret"); !errors.Is(err, peer.ErrNoProtocol) && !errors.Is(err, peer.ErrNotAdmitted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// provided has somebody tell the table of IPFS where it is, and somebody else find that there.
func provided(t *testing.T, finder, who *Network) {
	t.Helper()
	if err := who.publish(); err != nil {
		t.Fatal(err)
	}
	all, err := finder.table.FindProviders(t.Context(), publicName(who.lib()))
	if err != nil || len(all) != 1 || len(all[0].Addrs) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
}

// In the table of IPFS a peer that keeps no part of it is found by what it provides, also when the servers that know
// it are connected to it no more.
func TestPublicDiscovery(t *testing.T) {
	first, at := serverOf(t, PublicDiscovery)
	for range 7 {
		serverOf(t, PublicDiscovery, at...)
	}
	find := func(c *Config) { c.Discovery, c.Bootstrap, c.localTable = PublicDiscovery, at, true }
	a, b := newNet(t, find, loopback), newNet(t, find, loopback)
	b.Serve("echo", echo)
	provided(t, first, b)
	finish(t, say(t, a, b, "hello"))
	b.Close() //nolint:errcheck // it returns nil
	later := newNet(t, find, loopback)
	if err := later.lookUp(t.Context(), b.lib()); err != nil || len(later.host.Peerstore().Addrs(b.lib())) == 0 {
		t.Errorf("%v, and no address", err)
	}
}

// Strangers of the public table do not send anybody into his local network, and hear nothing of ours.
func TestPublicAddrs(t *testing.T) {
	var all []ma.Multiaddr
	for _, text := range []string{"/ip4/192.168.1.1/tcp/80", "/ip4/127.0.0.1/tcp/80", "/ip6/fe80::1/tcp/80", "/ip6/fd00::1/udp/80/quic-v1", "/ip4/8.8.8.8/tcp/4001"} {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if got := publicAddrs(all); len(got) != 1 || !got[0].Equal(all[4]) {
		t.Errorf("%v", got)
	}
}

// Nobody says where somebody else is.
func TestRecords(t *testing.T) {
	key, other := peer.NewKey(), peer.NewKey()
	sealed := func(by, about *peer.Key, seq uint64) []byte {
		priv, _ := newPrivKey(by)
		id, _ := lib(about.ID())
		e, err := lrecord.Seal(&lpeer.PeerRecord{PeerID: id, Seq: seq}, priv)
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	id, _ := lib(key.ID())
	for name, b := range map[string][]byte{
		"another's":      sealed(other, other, 1),
		"by another":     sealed(other, key, 1),
		"nothing":        nil,
		"rubbish":        []byte("rubbish"),
		"a long one":     make([]byte, maxRecord+1),
		"about another":  sealed(key, other, 1),
		"cut at the end": sealed(key, key, 1)[:40],
	} {
		if err := (addrsValidator{}).Validate(dhtKey(id), b); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	old, recent := sealed(key, key, 1), sealed(key, key, 2)
	if err := (addrsValidator{}).Validate(dhtKey(id), old); err != nil {
		t.Error(err)
	}
	if i, err := (addrsValidator{}).Select(dhtKey(id), [][]byte{sealed(other, other, 9), old, recent, old}); err != nil || i != 2 {
		t.Errorf("%d, %v", i, err)
	}
	if err := (addrsValidator{}).Validate("/pk/x", old); err == nil {
		t.Error("a key of others is accepted")
	}
}

// What was tried, and how it went, in an order that people can follow.
func TestExplain(t *testing.T) {
	a, b := relayedPair(t, nil, loopback)
	seen := map[string]int{}
	for s := range a.Explain(t.Context(), b.Self()) {
		t.Logf("%-22s %-60s %v %v", s.What, s.Detail, s.Took, s.Err)
		seen[s.What]++
		if s.Err != nil {
			seen[s.What+" failed"]++
		}
	}
	if seen["relay"] == 0 || seen["through a relay"] == 0 || seen["link"] == 0 || seen["link failed"] > 0 || seen["relay failed"] > 0 {
		t.Errorf("%v", seen)
	}
	for s := range a.Explain(t.Context(), peer.NewKey().ID()) {
		if s.What != "admission" || !errors.Is(s.Err, peer.ErrNotAdmitted) {
			t.Errorf("%+v", s)
		}
	}
}
