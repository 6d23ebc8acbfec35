package lan

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
)

// The vectors of docs/protocol/lan.md, chapter "Shares".
func TestShareVectors(t *testing.T) {
	key, id := peer.FindKey{1}, peer.KeyFromSeed([32]byte{1}).ID()
	question, name, ports := "abcdefghijkl2345", "2345abcdefghijkl", "/tcp/4001 /udp/4001/quic-v1"
	q := sought{day: 20_000, name: question, tag: shareTag(key, 20_000, question)}
	sealed := sealID(key, id, question, name, ports)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# docs/protocol/lan.md, chapter \"Shares\". The find key is 01 and 31 zeros; who answers has the key whose seed is 01 and 31 zeros.\n\n")
	fmt.Fprintf(&b, "question %s.%s.%d.%s\nanswer   %s.%s v=1 to=%s id=%s at=%s\n", q.name, q.tag, q.day, shareType, name, shareType, question, sealed, ports)
	golden.Check(t, "testdata/shares.txt", b.String())

	p, err := q.question()
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := parse(p); !ok || m.response || !slices.Equal(m.sought, []sought{q}) || len(m.asked) > 0 {
		t.Errorf("it is read as %+v", m)
	}
	if got, ok := openID(key, sealed, question, name, ports); !ok || got != id {
		t.Errorf("%v, %v", got, ok)
	}
	for what, wrong := range map[string][4]string{
		"another question": {sealed, name, name, ports},
		"another name":     {sealed, question, question, ports},
		"other ports":      {sealed, question, name, "/tcp/1"},
		"a changed letter": {"a" + sealed[1:], question, name, ports},
		"too short":        {sealed[:60], question, name, ports},
		"too long":         {sealed + "aaaaaaaa", question, name, ports},
		"nothing":          {"", question, name, ports},
		"in capitals":      {strings.ToUpper(sealed), question, name, ports},
	} {
		if got, ok := openID(key, wrong[0], wrong[1], wrong[2], wrong[3]); ok {
			t.Errorf("%s: %v", what, got)
		}
	}
	if got, ok := openID(peer.FindKey{2}, sealed, question, name, ports); ok {
		t.Errorf("another share: %v", got)
	}
}

func TestReadSought(t *testing.T) {
	good := "abcdefghijkl2345.2345abcdefghijkl.20000." + shareType
	if q, ok := readSought(good); !ok || q != (sought{20_000, "abcdefghijkl2345", "2345abcdefghijkl"}) {
		t.Errorf("%+v, %v", q, ok)
	}
	for _, name := range []string{"", shareType, "." + shareType, "x." + good, good[1:], strings.Replace(good, "20000", "020000", 1), strings.Replace(good, "20000", "-1", 1),
		strings.Replace(good, "20000", "4294967296", 1), strings.Replace(good, "20000", "", 1), strings.Replace(good, "local", "example", 1), strings.Replace(good, "share", "pair", 1)} {
		if q, ok := readSought(name); ok {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

// A neighbour is a LAN whose loop is the test.
type neighbour struct {
	*LAN
	link   *link
	looked int // how often it was looked which shares are here
	shares []peer.FindKey
}

func newNeighbour(name string, shares ...peer.FindKey) *neighbour {
	n := &neighbour{link: newRoom().link, shares: shares}
	n.LAN = newLAN(Config{Self: keyID(name), Ports: func() []string { return []string{"/tcp/1"} },
		Shares: func() []peer.FindKey { n.looked++; return n.shares }}, newSockets())
	n.links[n.link.Index] = n.link
	return n
}

func (n *neighbour) ask(key peer.FindKey, day uint32, from string) string {
	q := sought{day: day, name: newName()}
	q.tag = shareTag(key, day, q.name)
	n.asks(n.link, netip.MustParseAddr(from), []sought{q})
	return q.name
}

// Who has a share is about to answer who knows it, of about the same day, and nobody else; unless enough others have answered
// who know it, too.
func TestWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine := peer.FindKey{1}
		n := newNeighbour("alice", peer.FindKey{3}, mine)
		for what, c := range map[string]struct {
			key  peer.FindKey
			day  uint32
			want int
		}{
			"mine": {mine, today(), 1}, "mine, by a clock that is behind": {mine, today() - 1, 1}, "mine, by one that is ahead": {mine, today() + 1, 1},
			"overheard two days ago": {mine, today() - 2, 0}, "in two days": {mine, today() + 2, 0}, "another": {peer.FindKey{2}, today(), 0},
		} {
			if n.ask(c.key, c.day, "10.0.0.7"); len(n.pending) != c.want {
				t.Errorf("%s: %d answers are pending", what, len(n.pending))
			}
			time.Sleep(time.Second)
			if n.due(time.Now()); len(n.pending) != 0 {
				t.Errorf("%s: %d answers are pending after a second", what, len(n.pending))
			}
		}
		question := n.ask(mine, today(), "10.0.0.7")
		heard := func(key peer.FindKey) {
			name := newName()
			text := []string{"v=1", "to=" + question, "id=" + sealID(key, keyID("bob"), question, name, "/tcp/1"), "at=/tcp/1"}
			n.hearShare(n.link, netip.MustParseAddr("10.0.0.9"), service{typ: shareType, name: name, port: 1, ttl: shareTTL, text: text})
		}
		p := n.pending[pendingKey{n.link.Index, question}]
		for range 100 {
			heard(peer.FindKey{2}) // a liar
		}
		if len(p.heard) != 0 {
			t.Error("who does not know the share keeps others silent")
		}
		for range 2 * shareEnough { // or a replay
			heard(mine)
		}
		if len(p.heard) != 1 {
			t.Errorf("the answers of another count for %d", len(p.heard))
		}
	})
}

// Whoever asks without end is not looked at without end, and others are answered soon.
func TestFloodOfQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine := peer.FindKey{1}
		n := newNeighbour("alice", mine)
		for range 6_000 { // a minute
			n.ask(mine, today(), "10.0.0.8")
			time.Sleep(10 * time.Millisecond)
			n.due(time.Now())
			if len(n.pending) > maxPending {
				t.Fatalf("%d answers are pending", len(n.pending))
			}
		}
		if n.looked > 64+60*4+1 {
			t.Errorf("it was looked %d times", n.looked)
		}
		question := n.ask(mine, today(), "10.0.0.7")
		if n.pending[pendingKey{n.link.Index, question}] == nil {
			t.Error("another is not answered")
		}
		n.looked = 0
		for i := range 6_000 {
			n.ask(mine, today(), fmt.Sprintf("10.1.%d.%d", i/250%250, i%250))
			time.Sleep(10 * time.Millisecond)
			n.due(time.Now())
		}
		if n.looked > 256+60*20+1 {
			t.Errorf("it was looked %d times, for many", n.looked)
		}
	})
}

// One who looks for a share hears of those who know it and answer his question, and of a bounded number. What was said to
// another question, or by who does not know the share, is nothing.
func TestWhoIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine := peer.FindKey{1}
		n := newNeighbour("alice")
		found, heard := map[peer.ID][]string{}, 0
		s := newShareSeeker(mine, func(id peer.ID, addrs []string) { heard++; found[id] = addrs })
		n.shareSeekers = append(n.shareSeekers, s)
		n.askForShare(s, n.links)
		old := s.asked[n.link.Index]
		n.askForShare(s, n.links)
		var liars []string
		for i := range 100 {
			liars = append(liars, fmt.Sprint("liar ", i))
		}
		ids := map[string]peer.ID{}
		for _, who := range append(liars, "replay", "other", "gone", "nowhere", "alice", "bob") {
			ids[who] = keyID(who)
		}
		say := func(who, from, question string, key peer.FindKey, ports string, ttl uint32) {
			name := newName()
			text := []string{"v=1", "to=" + question, "id=" + sealID(key, ids[who], question, name, ports), "at=" + ports}
			n.hearShare(n.link, netip.MustParseAddr(from), service{typ: shareType, name: name, port: 1, ttl: ttl, text: text})
		}
		now := s.asked[n.link.Index]
		say("replay", "10.0.0.9", old, mine, "/tcp/1", shareTTL)
		say("other", "10.0.0.9", now, peer.FindKey{2}, "/tcp/1", shareTTL)
		say("gone", "10.0.0.9", now, mine, "/tcp/1", 0)
		say("nowhere", "10.0.0.9", now, mine, "", shareTTL)
		say("alice", "10.0.0.9", now, mine, "/tcp/1", shareTTL)
		if len(found) > 0 {
			t.Errorf("it hears of %v", found)
		}
		for _, liar := range liars {
			say(liar, "10.0.0.9", now, mine, "/tcp/1", shareTTL)
		}
		if len(found) != 8 {
			t.Errorf("of one address it hears of %d", len(found))
		}
		say("bob", "10.0.0.8", now, mine, "/tcp/4001", shareTTL)
		if at := found[keyID("bob")]; !slices.Equal(at, []string{"/ip4/10.0.0.8/tcp/4001"}) {
			t.Errorf("bob is at %v", at)
		}
		for i := range 5_000 {
			say(liars[i%100], fmt.Sprintf("10.1.%d.%d", i/250%250, i%250), now, mine, "/tcp/1", shareTTL)
			time.Sleep(20 * time.Millisecond)
		}
		if heard > 32+10+1 {
			t.Errorf("it hears of %d in 100 s", heard)
		}
	})
}
