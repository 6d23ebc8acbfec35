package lan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// A room is a table with a link and peers that are known.
type room struct {
	table
	link  *link
	known []peer.ID
	asked int // how often the known were looked at
}

func newRoom(known ...string) *room {
	r := &room{link: &link{prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8"), netip.MustParsePrefix("fd07::1/64")}}}
	r.link.Name, r.link.Index = "e0", 1
	r.init()
	for _, name := range known {
		r.known = append(r.known, keyID(name))
	}
	return r
}

// announce has somebody announce himself at an address and under a name.
func (r *room) announce(who, at, name string, more ...string) []peer.ID {
	s := service{typ: nodeType, name: name, port: 1, ttl: ttl, text: []string{"v=1", "id=" + tag(keyID(who), name), "at=/tcp/1"}}
	for _, a := range more {
		s.addrs = append(s.addrs, netip.MustParseAddr(a))
	}
	return r.hear(r.link, netip.MustParseAddr(at), s, func() []peer.ID { r.asked++; return r.known })
}

func TestHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom("alice", "bob")
		name := newName()
		if got := r.announce("alice", "10.0.0.7", name, "fd07::7", "10.0.0.8", "8.8.8.8", "2001:db8::1", "fe80::7", "127.0.0.1"); len(got) != 1 || got[0] != keyID("alice") {
			t.Errorf("%v", got)
		}
		want := "/ip4/10.0.0.7/tcp/1 /ip4/10.0.0.8/tcp/1 /ip6/fd07::7/tcp/1 /ip6zone/e0/ip6/fe80::7/tcp/1"
		if got := strings.Join(r.addrs(keyID("alice")), " "); got != want {
			t.Errorf("alice is at %s, want %s", got, want)
		}
		if got := r.announce("alice", "10.0.0.7", name, "fd07::7", "10.0.0.8", "fe80::7"); got != nil {
			t.Errorf("nothing has changed, but %v", got)
		}
		if got := r.announce("alice", "10.0.0.7", name); len(got) != 1 || len(r.addrs(keyID("alice"))) != 1 {
			t.Errorf("%v, %v", got, r.addrs(keyID("alice")))
		}
		if got := r.announce("carol", "10.0.0.9", newName()); got != nil {
			t.Errorf("carol is not known, but %v", got)
		}
		if r.asked != 2 {
			t.Errorf("the known were looked at %d times for two names", r.asked)
		}
		time.Sleep(ttl*time.Second + time.Second)
		if got := r.expire(time.Now()); len(got) != 1 || len(r.entries) != 0 || len(r.addrs(keyID("alice"))) != 0 {
			t.Errorf("after the time: %v, %d entries", got, len(r.entries))
		}
	})
}

// Somebody who fills the table with names keeps nobody out who is known, and costs
// little.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom("alice")
		for i := range 2_000 {
			r.announce(fmt.Sprint("bot", i), fmt.Sprintf("10.1.%d.%d", i/16%256, i/4096), newName())
			time.Sleep(time.Millisecond)
		}
		if len(r.entries) > maxHeard || r.asked > maxHeard+2*50+1 {
			t.Errorf("%d entries; the known were looked at %d times in 2 s", len(r.entries), r.asked)
		}
		time.Sleep(time.Second)
		if got := r.announce("alice", "10.0.0.7", newName()); len(got) != 1 {
			t.Error("alice is not heard")
		}
		for i := range 2_000 {
			r.announce(fmt.Sprint("bot", i), fmt.Sprintf("10.1.%d.%d", i/16%256, i/4096), newName())
			time.Sleep(5 * time.Millisecond)
		}
		if len(r.addrs(keyID("alice"))) == 0 && len(r.entries) >= maxHeard {
			t.Error("alice was forgotten for bots")
		}
	})
}

// One who knows alice's ID can say that she is anywhere on the network, but not in any
// number of places.
func TestOnePeerManyPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom("alice")
		for i := range 1000 {
			r.announce("alice", fmt.Sprintf("10.1.0.%d", i%200), newName(), "10.2.0.1", "10.2.0.2", "10.2.0.3")
			time.Sleep(50 * time.Millisecond)
		}
		if n := len(r.entries); n > maxOfPeer {
			t.Errorf("%d entries", n)
		}
		if n := len(r.addrs(keyID("alice"))); n > maxAddrsPeer {
			t.Errorf("%d addresses", n)
		}
	})
}

// A peer that becomes known is recognised then, and one that is forgotten is not any
// more.
func TestTheKnownChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom("bob")
		alice, bob := newName(), newName()
		r.announce("alice", "10.0.0.7", alice)
		r.announce("bob", "10.0.0.8", bob)
		r.known = []peer.ID{keyID("alice")}
		if got := r.doubt(r.known); !slices.Equal(got, []peer.ID{keyID("bob")}) || len(r.addrs(keyID("bob"))) != 0 {
			t.Errorf("%v", got)
		}
		if got := r.announce("alice", "10.0.0.7", alice); len(got) != 1 {
			t.Error("alice is not recognised")
		}
		if got := r.announce("bob", "10.0.0.8", bob); got != nil {
			t.Error("bob is")
		}
	})
}
