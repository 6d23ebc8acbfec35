package irc

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

var firstTime = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// fill has a room with n messages, a second apart: msg0001 at firstTime.
func fill(f *fake, r *fakeRoom, n int) {
	for i := range n {
		f.add(r, "bob", api.RoomMessage{Text: fmt.Sprintf("text %d", i+1), Time: firstTime.Add(time.Duration(i) * time.Second)})
	}
}

func TestPlayed(t *testing.T) {
	bubble(t, func(f *fake) {
		r := f.room("dev", "bob")
		fill(f, r, 60)
		f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "join", Text: "bob joined", Time: firstTime.Add(100 * time.Second)})
		f.add(r, "bob", api.RoomMessage{Deleted: true, Time: firstTime.Add(101 * time.Second)})
	}, func(s *testServer) {
		c := s.connect()
		c.login("alice", "server-time")
		c.match("...", "* 366 *", "@time=2026-05-01T12:00:12.000Z :bob!* PRIVMSG #dev :text 13", "...", "@time=2026-05-01T12:00:59.000Z :bob!* PRIVMSG #dev :text 60")
		c = s.connect()
		c.login("alice", "")
		c.match("...", "* 366 *", ":bob!* PRIVMSG #dev :[2026-05-01 12:00] text 13", "...", ":bob!* PRIVMSG #dev :[2026-05-01 12:00] text 60")
		c = s.connect()
		c.login("alice", "server-time batch message-tags draft/event-playback")
		c.match("...", "* 366 *", "* BATCH +b1 chathistory #dev", "@batch=b1;msgid=msg0013;time=* :bob!* PRIVMSG #dev :text 13", "...", "* :text 60", "@batch=b1;msgid=msg0061;time=2026-05-01T12:01:40.000Z :bob!* JOIN #dev", "* BATCH -b1")
		c = s.connect()
		c.login("alice", "draft/chathistory batch server-time message-tags no-implicit-names")
		c.match("...", "* 376 *", "* JOIN #dev")
	})
}

// Conversations are played too: what was not read.
func TestPlayedDirect(t *testing.T) {
	bubble(t, func(f *fake) {
		r := f.direct("bob")
		fill(f, r, 5)
		r.Unread = 2
		f.add(r, "alice", api.RoomMessage{Text: "mine", Time: firstTime.Add(time.Minute)})
	}, func(s *testServer) {
		c := s.connect()
		c.login("alice", "server-time")
		c.match("...", "* 376 *", "@time=2026-05-01T12:00:04.000Z :bob!* PRIVMSG alice :text 5", "@time=2026-05-01T12:01:00.000Z :alice!* PRIVMSG bob :mine")
	})
}

// A client with a name gets what it has not got, also after the server has begun anew, and never twice.
func TestMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen.json")
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.room("dev", "bob")
		d := f.direct("carol")
		for i := range 3 {
			f.say(r, "bob", fmt.Sprintf("text %d", i+1))
		}
		seen, err := OpenSeen(path)
		if err != nil {
			t.Fatal(err)
		}
		s := newTestServer(t, f, seen)
		c := s.connect()
		c.login("alice@laptop", "server-time")
		c.match("...", "* 366 *", "*text 1", "*text 2", "*text 3", "PING got-1")
		c.say("PONG :got-1")
		f.say(r, "bob", "seen")
		synctest.Wait()
		f.say(d, "carol", "seen too")
		c.match("*:seen", "PING got-2", "*:carol!* PRIVMSG alice :seen too")
		c.conn.Close() // before it has answered: it gets both again
		synctest.Wait()
		f.say(r, "bob", "missed")
		c = s.connect()
		c.login("alice@laptop", "server-time")
		c.match("...", "* 366 *", "*:seen", "*:missed", "*:seen too", "PING got-1")
		c.say("PONG irc.tenon got-1")
		c.match()
		c.conn.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		f.say(r, "bob", "after that")
		seen, err = OpenSeen(path)
		if err != nil {
			t.Fatal(err)
		}
		s = newTestServer(t, f, seen)
		c = s.connect()
		c.login("alice@laptop", "server-time")
		c.match("...", "* 366 *", "*:after that", "PING got-1")
		c = s.connect()
		c.login("alice@phone", "server-time")
		c.match("...", "* 366 *", "*text 1", "*text 2", "*text 3", "*:seen", "*:missed", "*:after that", "PING got-1")
	})
}

func TestChathistory(t *testing.T) {
	bubble(t, func(f *fake) {
		r := f.room("dev", "bob")
		fill(f, r, 10)
		f.direct("bob")
		f.peers = []api.Peer{{ID: peerID("dave"), Name: "dave", State: api.Direct}}
	}, func(s *testServer) {
		c := s.register("alice", "draft/chathistory batch server-time message-tags")
		ask := func(what string, want ...int) {
			t.Helper()
			c.say("CHATHISTORY " + what)
			lines := []string{"* BATCH +b* chathistory *"}
			for _, n := range want {
				lines = append(lines, fmt.Sprintf("@batch=b*;msgid=msg%04d;time=* :bob!* PRIVMSG #dev :text %d", n, n))
			}
			t.Log(what)
			c.match(append(lines, "* BATCH -b*")...)
		}
		ask("LATEST #dev * 3", 8, 9, 10)
		ask("latest #DEV * 100", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		ask("LATEST #dev msgid=msg0008 5", 9, 10)
		ask("LATEST #dev timestamp=2026-05-01T12:00:07.000Z 5", 9, 10)
		ask("BEFORE #dev msgid=msg0003 5", 1, 2)
		ask("BEFORE #dev timestamp=2026-05-01T12:00:02.000Z 1", 2)
		ask("BEFORE #dev timestamp=2030-05-01T12:00:02.000Z 1", 10)
		ask("AFTER #dev msgid=msg0008 5", 9, 10)
		ask("AFTER #dev timestamp=2026-05-01T12:00:07.000Z 1", 9)
		ask("AFTER #dev msgid=msg0010 5")
		ask("AROUND #dev msgid=msg0005 5", 3, 4, 5, 6, 7)
		ask("AROUND #dev timestamp=2026-05-01T12:00:04.000Z 4", 3, 4, 5, 6)
		ask("BETWEEN #dev msgid=msg0002 msgid=msg0005 9", 3, 4)
		ask("BETWEEN #dev msgid=msg0005 msgid=msg0002 1", 4)
		ask("BETWEEN #dev timestamp=2026-05-01T12:00:01.000Z timestamp=2026-05-01T12:00:04.000Z 9", 3, 4)
		ask("LATEST bob * 5")
		ask("LATEST dave * 5")
		c.say("CHATHISTORY TARGETS timestamp=2026-01-01T00:00:00.000Z timestamp=2027-01-01T00:00:00.000Z 10")
		c.match("* BATCH +b* draft/chathistory-targets", "@batch=b* * CHATHISTORY TARGETS #dev 2026-05-01T12:00:09.000Z", "* BATCH -b*")
		c.say("CHATHISTORY LATEST #none * 5", "CHATHISTORY LATEST #dev x=y 5", "CHATHISTORY LATEST #dev * x", "CHATHISTORY LATEST #dev", "CHATHISTORY NEWEST #dev * 5", "CHATHISTORY BEFORE #dev msgid=none 5", "CHATHISTORY TARGETS * * 4")
		c.match("* FAIL CHATHISTORY INVALID_TARGET LATEST #none :*", "* FAIL CHATHISTORY INVALID_MSGREFTYPE LATEST :*", "* FAIL CHATHISTORY INVALID_PARAMS LATEST :*", "* FAIL CHATHISTORY INVALID_PARAMS LATEST :*",
			"* FAIL CHATHISTORY INVALID_PARAMS NEWEST :*", "* FAIL CHATHISTORY MESSAGE_ERROR BEFORE :*", "* FAIL CHATHISTORY INVALID_PARAMS TARGETS :*")
	})
}

// A room in which much has happened and little was said has a history all the same.
func TestChathistoryAmongControlEntries(t *testing.T) {
	bubble(t, func(f *fake) {
		r := f.room("dev", "bob")
		fill(f, r, 2)
		for range 20 {
			f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "join", Time: firstTime.Add(time.Minute)})
		}
	}, func(s *testServer) {
		c := s.register("alice", "draft/chathistory batch")
		c.say("CHATHISTORY LATEST #dev * 4")
		c.match("* BATCH *", "*text 1", "*text 2", "* BATCH *")
	})
}

func TestReadMarkers(t *testing.T) {
	bubble(t, func(f *fake) {
		fill(f, f.room("dev", "bob"), 3)
		f.direct("bob")
		f.peers = []api.Peer{{ID: peerID("dave"), Name: "dave", State: api.Direct}}
	}, func(s *testServer) {
		c := s.connect()
		c.login("alice", "draft/read-marker draft/chathistory batch")
		c.match("...", "* 376 *", "* JOIN #dev", "* MARKREAD #dev \\*", "* 353 *", "* 366 *")
		other, plain := s.register("alice", "draft/read-marker draft/chathistory"), s.register("alice", "")
		c.say("MARKREAD #dev timestamp=2026-05-01T12:00:01.500Z")
		c.match("* MARKREAD #dev timestamp=2026-05-01T12:00:01.000Z")
		other.match("* MARKREAD #dev timestamp=2026-05-01T12:00:01.000Z")
		plain.match()
		c.say("MARKREAD #dev timestamp=2026-05-01T12:00:00.000Z", "MARKREAD #dev", "MARKREAD bob", "MARKREAD dave", "MARKREAD #none", "MARKREAD #dev yesterday", "MARKREAD bob timestamp=2026-05-01T12:00:00.000Z")
		c.match("* MARKREAD #dev timestamp=2026-05-01T12:00:01.000Z", "* MARKREAD #dev timestamp=2026-05-01T12:00:01.000Z", "* MARKREAD bob \\*", "* MARKREAD dave \\*", "* FAIL MARKREAD INVALID_PARAMS #none :*", "* FAIL MARKREAD INVALID_PARAMS #dev :*", "* MARKREAD bob \\*")
		// Who writes has read what was there.
		plain.say("PRIVMSG #dev :x")
		c.match(":alice!* PRIVMSG #dev :x", "* MARKREAD #dev timestamp=*")
	})
}

// What was said while the node told of nothing is told when it does again.
func TestLostEvents(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		s.f.say(s.f.rooms[0], "bob", "one")
		c.match("*:one")
		s.f.mu.Lock()
		before := len(s.f.events)
		s.f.mu.Unlock()
		s.f.say(s.f.rooms[0], "bob", "two")
		s.f.mu.Lock()
		s.f.events = s.f.events[:before]
		s.f.mu.Unlock()
		s.f.tell(api.RoomEvent{Type: api.RoomsLost})
		c.match("*:two")
		s.f.tell(api.RoomEvent{Type: api.RoomsLost})
		c.match()
	})
}

// What comes late, dated before what a client has got, is played to it all the same, once.
func TestMissedLate(t *testing.T) {
	bubble(t, func(f *fake) { f.say(f.room("dev", "bob"), "bob", "first") }, func(s *testServer) {
		r := s.f.rooms[0]
		c := s.connect()
		c.login("alice@laptop", "server-time")
		c.match("...", "* 366 *", "*:first", "PING got-1")
		late := func(text string) {
			s.f.add(r, "bob", api.RoomMessage{Text: text, Late: true, Time: time.Now().Add(-time.Hour)})
		}
		c.say("PONG got-1")
		late("late one")
		c.match("*:late one", "PING got-2")
		c.say("PONG got-2", "QUIT")
		c.got()
		late("late two")
		s.f.react(r, "msg0001", "bob", "x", false)
		synctest.Wait()
		for _, want := range []string{"*:late two", ""} {
			c = s.connect()
			c.login("alice@laptop", "server-time")
			if lines := []string{"...", "* 366 *", want, "PING got-1"}; want != "" {
				c.match(lines...)
			} else {
				c.match("...", "* 366 *", "PING got-1")
			}
			c.say("PONG got-1", "QUIT")
			c.got()
		}
	})
}
