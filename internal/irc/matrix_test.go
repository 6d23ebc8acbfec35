package irc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// everything is what a client can say, and happens is what the node can tell, so that all that can be written is.
var everything = strings.Split(`@label=a PING x
@label=b PRIVMSG #dev :hello
@label=c;+draft/reply=msg0001 PRIVMSG #dev,bob :an answer
NOTICE bob :psst
PRIVMSG dave :new
PRIVMSG nobody :x
PRIVMSG #dev :`+"\x01ACTION waves\x01"+`
@label=d BATCH +x draft/multiline #dev
@batch=x PRIVMSG #dev :one
@batch=x;draft/multiline-concat PRIVMSG #dev :two
BATCH -x
BATCH +y nonsense
@+typing=active TAGMSG #dev
@label=e;+draft/react=x;+draft/reply=msg0001 TAGMSG #dev
@+draft/unreact=x;+draft/reply=msg0001 TAGMSG #dev
@+draft/react=x;+draft/reply=none TAGMSG #dev
@label=f CHATHISTORY LATEST #dev * 10
CHATHISTORY TARGETS timestamp=2000-01-01T00:00:00.000Z timestamp=2030-01-01T00:00:00.000Z 10
CHATHISTORY LATEST #none * 10
MARKREAD #dev timestamp=2030-01-01T00:00:00.000Z
MARKREAD bob
MARKREAD #none
REDACT #dev msg0001
REDACT #dev msg0002 :why
WHO #dev %tcuihsnfdlaor,152
@label=g WHO #dev
WHO
WHOIS bob
WHOWAS bob
ISON bob
USERHOST bob
MONITOR + bob,carol,dave
MONITOR L
LIST
NAMES #dev
MODE #dev
MODE #dev +o bob
MODE #dev b
MODE alice
TOPIC #dev :new
TOPIC #dev
INVITE dave #dev
INVITE
KICK #dev dave
JOIN #offered
JOIN #none
PART #dev
JOIN #dev
AWAY :x
AWAY
SETNAME :x
MOTD
LUSERS
VERSION
TIME
INFO
HELP
HELP JOIN
NICK other
NONSENSE
CAP LIST
CAP LS
CAP REQ :none
PONG x`, "\n")

// prepareAll has a fake have one of everything.
func prepareAll(f *fake) {
	r := f.room("dev", "bob", "carol!:reader")
	r.Topic = "it"
	f.say(r, "bob", "one\ntwo\n"+strings.Repeat("long ", 200))
	f.say(r, "alice", "mine")
	f.add(r, "bob", api.RoomMessage{Text: "x", Reply: &api.RoomQuote{ID: "msg0001", From: "alice", Text: "y"}})
	f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "join", Text: "bob joined"})
	f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "remove", Whom: "erin", Text: "bob removed erin"})
	f.add(r, "gone", api.RoomMessage{Kind: "file", File: &api.RoomFile{Name: "f", Ticket: "t"}})
	d := f.direct("bob")
	f.say(d, "bob", "unread")
	d.Unread = 1
	f.peers = []api.Peer{{ID: peerID("bob"), Name: "bob", State: api.Direct}, {ID: peerID("dave"), Name: "dave", State: api.Direct}}
	f.offers = []api.RoomOffer{{ID: "offer1", Name: "offered", From: "bob", Peer: peerID("bob")}}
}

// happens has everything happen; settle waits until it is told.
func (f *fake) happens(settle func()) {
	r := f.rooms[0]
	m := f.say(r, "bob", "live\nin lines")
	f.change(r, m.ID, func(m *api.RoomMessage) { m.Text, m.Edited = "edited", time.Now() })
	f.react(r, m.ID, "carol", "x", false)
	settle()
	f.react(r, m.ID, "carol", "x", true)
	f.change(r, m.ID, func(m *api.RoomMessage) { m.Deleted = true })
	f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "vanish", Text: "bob does"})
	f.say(r, "alice", "elsewhere")
	settle()
	f.alter(r, "bob", "add", "erin", func() { r.members = append(r.members, f.member("erin!", "reader")) })
	settle()
	f.alter(r, "bob", "role", "erin", func() { r.members[len(r.members)-1].Role = "owner" })
	f.tell(api.RoomEvent{Type: api.RoomTyping, Room: r.ID, Who: "bob"})
	f.tell(api.RoomEvent{Type: api.RoomMarks, Room: r.ID, Who: "bob"})
	settle()
	f.mu.Lock()
	r.members[1].Online = !r.members[1].Online
	r.Read = "msg0001"
	f.mu.Unlock()
	f.tell(api.RoomEvent{Type: api.RoomPresence, Room: r.ID, Who: "bob"})
	f.tell(api.RoomEvent{Type: api.RoomRead, Room: r.ID})
	settle()
	f.alter(r, "bob", "remove", "erin", func() { r.drop("erin") })
	f.alter(r, "bob", "topic", "", func() { r.Topic = "other" })
	settle()
	f.alter(r, "bob", "name", "", func() { r.Name = "renamed" })
	settle()
	f.alter(r, "bob", "name", "", func() { r.Name = "dev" })
	f.mu.Lock()
	f.offers = append(f.offers, api.RoomOffer{ID: fmt.Sprint("offer", f.seq), Name: "more", From: "bob"})
	f.mu.Unlock()
	f.tell(api.RoomEvent{Type: api.RoomOffered})
	f.tell(api.RoomEvent{Type: api.RoomsLost})
}

// Nothing is ever sent that was not negotiated, whatever happens: every line that a client gets is looked at by [onlyNegotiated].
func TestOnlyWhatWasNegotiated(t *testing.T) {
	sets := []caps{0, allCaps}
	for i := range capabilities {
		sets = append(sets, 1<<i, allCaps&^(1<<i))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		sets = append(sets, caps(random.Uint64())&allCaps)
	}
	for _, set := range sets {
		request := strings.Join(set.words(false), " ")
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			prepareAll(f)
			s := newTestServer(t, f, nil)
			c := s.register("alice@x", request)
			settle := func() { time.Sleep(2 * presenceTime); synctest.Wait() }
			f.happens(settle)
			for _, line := range everything {
				c.say(line)
			}
			f.happens(settle)
			if c.isOver() {
				t.Error("the connection is over")
			}
			if n := len(c.got()); n < 150 {
				t.Errorf("there are %d lines only", n)
			}
		})
		if t.Failed() {
			t.Fatalf("with %q", request)
		}
	}
}

// A client that says whatever it likes breaks nothing, and is told nothing that it has not negotiated.
func FuzzSession(f *testing.F) {
	for i, line := range everything { // short ones: what is long takes long to make shorter
		f.Add(uint64(allCaps), true, line)
		f.Add(uint64(1)<<(i%len(capabilities)), true, line)
	}
	f.Add(uint64(allCaps), true, "BATCH")
	f.Add(uint64(0), false, "CAP LS 302\nJOIN :\nNICK a\nUSER a 0 * :b\nCAP REQ :sasl batch\nAUTHENTICATE PLAIN\nAUTHENTICATE "+plainOf("a@b", testPassword)+"\nCAP END\nJOIN #dev")
	f.Add(uint64(capSASL), false, "PASS :correct-horse\nAUTHENTICATE *\nCAP END\nUSER a b c d\nNICK \xff\nNICK a")
	f.Fuzz(func(t *testing.T, set uint64, registered bool, text string) {
		node := newFake()
		prepareAll(node)
		life, cancel := context.WithCancelCause(context.Background())
		cancel(errClosing) // who waits, does not
		srv := &Server{config: Config{Node: node, Password: testPassword, Seen: new(Seen), Tell: func(string) {}}, world: newWorld(node), life: life, clients: map[*session]struct{}{}}
		if err := srv.world.load(context.Background()); err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		s := newSession(srv, a)
		s.caps = caps(set) & allCaps
		if registered {
			s.trusted, s.nick, s.user = true, "x", "x"
			s.welcome() //nolint:errcheck // it cannot fail
		}
		seq, presence := node.seq, &stale{kick: make(chan struct{}, 1)}
		was := s.caps // what a CAP REQ changes counts from then on
		settle := func() {
			s.do(life, s.enterNew) //nolint:errcheck // what it writes is looked at
			for _, e := range node.events {
				if e.Seq > seq {
					seq = e.Seq
					srv.happens(&e, presence) //nolint:errcheck // what it writes is looked at
				}
			}
			s.out.mu.Lock()
			lines := string(s.out.data)
			s.out.data = nil
			s.out.mu.Unlock()
			for line := range strings.SplitAfterSeq(lines, "\r\n") {
				if line != "" {
					onlyNegotiated(t, was|s.caps, strings.TrimSuffix(line, "\r\n"))
				}
			}
		}
		settle()
		for i, line := range strings.Split(text, "\n") {
			was = s.caps
			if i > 200 || s.handle(life, line) != nil {
				break
			}
			settle()
		}
		if s.registered {
			node.happens(settle)
			settle()
		}
	})
}
