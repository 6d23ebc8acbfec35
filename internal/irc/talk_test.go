package irc

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

func TestSay(t *testing.T) {
	bubble(t, func(f *fake) {
		f.room("dev", "bob")
		f.room("silent", "bob:owner").Role = "reader"
		f.peers = []api.Peer{{ID: peerID("dave"), Name: "dave", State: api.Direct}, {ID: peerID("bob"), Name: "bob", State: api.Direct}}
	}, func(s *testServer) {
		c := s.register("alice", "")
		echo, other := s.register("alice", "echo-message message-tags server-time"), s.register("alice@laptop", "")
		other.say("PONG got-1")
		c.say("PRIVMSG #dev :hello there", "NOTICE #dev :a bot", "PRIVMSG #dev :\x01ACTION waves\x01", "PRIVMSG #dev :\x02bold\x0f \x0304,12red\x03 \x04ff0000hex \x16\x1d\x1f\x11", "PRIVMSG dev")
		c.match("* 412 *")
		other.match(":alice!* PRIVMSG #dev :hello there", "PING got-2", ":alice!* PRIVMSG #dev :a bot", ":alice!* PRIVMSG #dev :\x01ACTION waves\x01", ":alice!* PRIVMSG #dev :bold red hex ")
		echo.match("@msgid=msg0001;time=* :alice!* PRIVMSG #dev :hello there", "*", "*", "*")
		echo.say("PRIVMSG #dev :me too")
		echo.match("@msgid=msg0005;time=* :alice!* PRIVMSG #dev :me too")
		c.match(":alice!* PRIVMSG #dev :me too")
		other.got()
		c.say("PRIVMSG", "PRIVMSG #dev", "PRIVMSG #dev :", "PRIVMSG #none :x", "PRIVMSG nobody :x", "PRIVMSG alice :x", "PRIVMSG #silent :x", "PRIVMSG #dev :\x01DCC SEND x 1 2 3\x01", "PRIVMSG bob :\x01VERSION\x01", "NOTICE bob :\x01VERSION x\x01")
		c.match("* 411 *", "* 412 *", "* 412 *", "* 403 *", "* 401 *", "* 404 alice alice :*", "* 404 alice #silent :you may only read here", "* NOTICE alice :*tenon send FILE*", "* NOTICE alice :CTCP VERSION *")
		c.say("PRIVMSG dave :psst", "PRIVMSG dave,#dev :both")
		c.match()
		other.match(":alice!* PRIVMSG dave :psst", ":alice!* PRIVMSG dave :both", ":alice!* PRIVMSG #dev :both")
		s.f.say(s.f.rooms[2], "dave", "answer")
		c.match(":dave!* PRIVMSG alice :answer")
	})
}

// Who is not connected gets it later, and the user is told.
func TestSayToSomebodyAway(t *testing.T) {
	bubble(t, func(f *fake) { f.direct("bob!") }, func(s *testServer) {
		c := s.register("alice", "")
		c.say("PRIVMSG bob :hello")
		c.match("* 301 alice bob :not connected now*")
	})
}

// What the user says elsewhere is shown; what he says here is not, however late the node answers.
func TestOwnMessages(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		s.f.mu.Lock()
		s.f.said = make(chan struct{})
		s.f.mu.Unlock()
		c.say("PRIVMSG #dev :from here") // its event comes before the answer
		s.f.say(s.f.rooms[0], "alice", "from elsewhere")
		s.f.say(s.f.rooms[0], "bob", "meanwhile")
		c.match()
		close(s.f.said)
		c.match(":alice!* PRIVMSG #dev :from elsewhere", ":bob!* PRIVMSG #dev :meanwhile")
	})
}

func TestLabels(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		const all = "labeled-response batch echo-message message-tags server-time draft/chathistory standard-replies"
		c := s.register("alice", all)
		c.say("@label=1 PING x", "@label=2 PONG x", "@label=3 WHO bob", "@label=4 PRIVMSG #dev :hi", "@label=5 CHATHISTORY LATEST #dev * 10", "@label=6 NONSENSE", "@label="+strings.Repeat("x", 65)+" PING x")
		c.match("@label=1 :irc.tenon PONG *", "@label=2 :irc.tenon ACK", "@label=3 * BATCH +b* labeled-response", "@batch=b* * 352 *", "@batch=b* * 315 *", "* BATCH -b*",
			"@label=4;msgid=*;time=* :alice!* PRIVMSG #dev :hi", "@label=5 * BATCH +b* chathistory #dev", "@batch=b*;msgid=*;time=* :alice!* PRIVMSG #dev :hi", "* BATCH -b*", "@label=6 * 421 *", "* PONG *")
		quiet := s.register("alice", "labeled-response batch")
		quiet.say("@label=7 PRIVMSG #dev :hi")
		quiet.match("@label=7 * ACK")
		none := s.register("alice", "labeled-response")
		none.say("@label=8 PING x", "@label=9 WHO bob")
		none.match("* PONG *", "* 352 *", "* 315 *")
	})
}

func TestMultiline(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c, plain := s.register("alice", "draft/multiline batch message-tags server-time echo-message labeled-response"), s.register("alice", "")
		c.say("@label=1;+draft/reply=msg9 BATCH +x draft/multiline #dev", "@batch=x PRIVMSG #dev :one", "@batch=x PRIVMSG #dev :two", "@batch=x;draft/multiline-concat PRIVMSG #dev : and a half", "PING y", "BATCH -x")
		c.match("* PONG *", "@+draft/reply=msg9;label=1;msgid=*;time=* :alice!* BATCH +b* draft/multiline #dev", "@batch=b* :alice!* PRIVMSG #dev :one", "@batch=b* :alice!* PRIVMSG #dev :two and a half", "* BATCH -b*")
		plain.match(":alice!* PRIVMSG #dev :↳ bob “what was said” one", ":alice!* PRIVMSG #dev :two and a half")
		c.say("BATCH +x draft/multiline #dev", "@batch=x PRIVMSG #other :one", "BATCH -x", "BATCH -x", "BATCH +x nonsense #dev", "BATCH +y draft/multiline #dev", "BATCH -y")
		c.match("* FAIL BATCH MULTILINE_INVALID_TARGET #dev #other :*", "* FAIL BATCH MULTILINE_INVALID :*", "* FAIL BATCH MULTILINE_INVALID :*", "* FAIL BATCH MULTILINE_INVALID :*")
		c.say("BATCH +x draft/multiline #dev")
		for range 140 {
			c.say("@batch=x PRIVMSG #dev :" + strings.Repeat("x", 450))
		}
		c.say("BATCH -x")
		c.match("* FAIL BATCH MULTILINE_MAX_BYTES 61440 :*")
	})
}

// A long text is cut where it can be, and a very long one is not all shown to those who know no such thing.
func TestLongTexts(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c, multi := s.register("alice", "message-tags"), s.register("alice", "draft/multiline batch message-tags")
		s.f.say(s.f.rooms[0], "bob", strings.Repeat("größer 日本 ", 60)+"\n\n"+strings.Repeat("👍", 120))
		text := ""
		for i, line := range c.got() {
			tags, body, _ := strings.Cut(line, " ")
			if (tags == "@msgid=msg0001") != (i == 0) {
				t.Errorf("line %d has the tags %q", i, tags)
			}
			_, said, _ := strings.Cut(line, "#dev :")
			text += said
			if len(said) > maxPiece || strings.Contains(body, "�") {
				t.Errorf("%q", body)
			}
		}
		if want := strings.Repeat("größer 日本 ", 60) + strings.Repeat("👍", 120); text != want {
			t.Errorf("%q", text)
		}
		multi.got()
		family := strings.Repeat("👨\u200d👩\u200d👧", 60) // is not taken apart where a line ends
		s.f.say(s.f.rooms[0], "bob", family)
		text = ""
		for _, line := range c.got() {
			_, said, _ := strings.Cut(line, "#dev :")
			if text += said; !strings.HasPrefix(said, "👨") || !strings.HasSuffix(said, "👧") {
				t.Errorf("%q", said)
			}
		}
		if text != family {
			t.Errorf("%q", text)
		}
		multi.got()
		s.f.say(s.f.rooms[0], "bob", strings.TrimSpace(strings.Repeat("line\n", 2000)))
		if lines := c.got(); len(lines) != maxLines+1 || !strings.HasSuffix(lines[maxLines], "1960 lines more: tenon tail shows them") {
			t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
		}
		if lines := multi.got(); len(lines) != maxBatch+2 {
			t.Errorf("%d lines", len(lines))
		}
	})
}

func TestChanges(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob", "carol") }, func(s *testServer) {
		plain, modern := s.register("alice", "message-tags"), s.register("alice", "message-tags server-time draft/message-redaction echo-message")
		r := s.f.rooms[0]
		m := s.f.say(r, "bob", "frist")
		plain.got()
		modern.got()
		s.f.change(r, m.ID, func(m *api.RoomMessage) { m.Text, m.Edited = "first", time.Now() })
		plain.match("@+draft/reply=msg0001 :bob!* PRIVMSG #dev :✎ first")
		modern.match("@+draft/reply=msg0001;time=* :bob!* PRIVMSG #dev :✎ first")
		s.f.react(r, m.ID, "carol", "👍", false)
		plain.match(":carol!* NOTICE #dev :reacted with 👍 to “first”")
		modern.match("@+draft/react=👍;+draft/reply=msg0001;time=* :carol!* TAGMSG #dev")
		s.f.react(r, m.ID, "carol", "👍", true)
		plain.match()
		modern.match("@+draft/reply=msg0001;+draft/unreact=👍;time=* :carol!* TAGMSG #dev")
		modern.say("@+draft/react=🎉;+draft/reply=msg0001 TAGMSG #dev", "@+draft/react=🎉;+draft/reply=nothing TAGMSG #dev", "@+typing=active TAGMSG #dev", "@+typing=active TAGMSG #dev", "@+typing=done TAGMSG #dev", "TAGMSG #none")
		modern.match("@+draft/react=🎉;+draft/reply=msg0001;time=* :alice!* TAGMSG #dev", ":irc.tenon NOTICE alice :there is no such message")
		plain.match(":alice!* NOTICE #dev :reacted with 🎉 to “first”")
		if len(s.f.typed) != 1 {
			t.Errorf("typing was told %d times", len(s.f.typed))
		}
		s.f.change(r, m.ID, func(m *api.RoomMessage) { m.Deleted, m.Text = true, "" })
		plain.match(":bob!* NOTICE #dev :a message of bob was taken back: “first”")
		modern.match(":bob!* REDACT #dev msg0001 :taken back")
		mine := s.f.say(r, "alice", "oops")
		modern.got()
		modern.say("REDACT #dev " + mine.ID)
		modern.match(":alice!* REDACT #dev msg0002 :taken back")
		modern.say("REDACT #dev "+m.ID, "REDACT #dev nothing", "REDACT #none x")
		modern.match("* FAIL REDACT REDACT_FORBIDDEN #dev msg0001 :*", "* FAIL REDACT UNKNOWN_MSGID #dev nothing :*", "* FAIL REDACT INVALID_TARGET #none :*")
		s.f.tell(api.RoomEvent{Type: api.RoomTyping, Room: r.ID, Who: "bob"})
		modern.match("@+typing=active :bob!* TAGMSG #dev")
	})
}

// What can only be read later is shown when it can be.
func TestWaiting(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		m := s.f.add(s.f.rooms[0], "bob", api.RoomMessage{Waiting: true})
		c.match()
		s.f.change(s.f.rooms[0], m.ID, func(m *api.RoomMessage) { m.Waiting, m.Text = false, "at last" })
		c.match(":bob!* PRIVMSG #dev :at last")
	})
}

func TestKindsOfMessages(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		r := s.f.rooms[0]
		s.f.add(r, "bob", api.RoomMessage{Kind: "file", File: &api.RoomFile{Name: "plan.pdf", Size: 12_345_678, Ticket: "tenonshare1abc"}, Text: "the plan"})
		s.f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "vanish", Text: "bob lets messages vanish after a day"})
		s.f.add(r, "bob", api.RoomMessage{Text: "/me waves"})
		s.f.add(r, "bob", api.RoomMessage{Text: "yes", Reply: &api.RoomQuote{ID: "x", From: "alice", Text: strings.Repeat("is it ", 20)}})
		c.match(":bob!* PRIVMSG #dev :📎 plan.pdf (12 MB) — tenon room get room00xxxxxx msg0001", ":bob!* PRIVMSG #dev :the plan", ":irc.tenon NOTICE #dev :bob lets messages vanish after a day",
			":bob!* PRIVMSG #dev :\x01ACTION waves\x01", ":bob!* PRIVMSG #dev :↳ alice “is it is it*…” yes")
	})
}

// What somebody does is an ACTION, also if it was changed, answers something, or has more lines or bytes than one can have; all of it comes.
func TestActions(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		r := s.f.rooms[0]
		m := s.f.add(r, "bob", api.RoomMessage{Text: "/me waves"})
		c.match(":bob!* PRIVMSG #dev :\x01ACTION waves\x01")
		s.f.change(r, m.ID, func(m *api.RoomMessage) { m.Text, m.Edited = "/me sings", m.Time.Add(time.Minute) })
		c.match(":bob!* PRIVMSG #dev :\x01ACTION ✎ sings\x01")
		s.f.add(r, "bob", api.RoomMessage{Text: "/me nods", Reply: &api.RoomQuote{ID: "x", From: "alice", Text: "well?"}})
		s.f.add(r, "bob", api.RoomMessage{Text: "/me says\n\x01ACTION no\x01\n" + strings.Repeat("x", 450)})
		s.f.add(r, "bob", api.RoomMessage{Text: "/me"})
		s.f.add(r, "bob", api.RoomMessage{Text: "/mean"})
		s.f.add(r, "bob", api.RoomMessage{Text: "/me pdf", Kind: "file", File: &api.RoomFile{Name: "f", Ticket: "t"}})
		c.match(":bob!* PRIVMSG #dev :\x01ACTION ↳ alice “well?” nods\x01",
			":bob!* PRIVMSG #dev :\x01ACTION says\x01", `:bob!* PRIVMSG #dev :\x01ACTION no\x01`, ":bob!* PRIVMSG #dev :xxx*", ":bob!* PRIVMSG #dev :xxx*",
			":bob!* PRIVMSG #dev :/me", ":bob!* PRIVMSG #dev :/mean", ":bob!* PRIVMSG #dev :📎 f — *", ":bob!* PRIVMSG #dev :/me pdf")
		c.say("PRIVMSG #dev :\x01ACTION bows\x01")
		synctest.Wait()
		if last := r.messages[len(r.messages)-1]; last.Text != "/me bows" {
			t.Errorf("said is %+v", last)
		}
	})
}

// Names and texts of others cannot make a line of their own, or be taken for somebody else's.
func TestHostileTexts(t *testing.T) {
	bubble(t, func(f *fake) {
		f.peers = []api.Peer{{ID: peerID("bob"), Name: "bob", State: api.Direct}}
		f.room("dev\r\nPRIVMSG #x :y", "bob")
	}, func(s *testServer) {
		r := s.f.rooms[0]
		for i, name := range []string{"evil\r\nQUIT", "\x01\x02\x03", "a b!c@d", "", "~&@%+x", "#dev", "alice", "BOB", "123", "bob~bobq", strings.Repeat("ж", 400), "\u202eevil", "x,y:z*?"} {
			r.members = append(r.members, api.RoomMember{ID: fmt.Sprintf("tenonid1%02dqqqqqqqq", i), Name: name, Role: "member", Online: true})
		}
		s.f.tell(api.RoomEvent{Type: api.RoomItself, Room: r.ID})
		synctest.Wait()
		c := s.connect()
		c.login("alice", "server-time message-tags account-tag extended-join userhost-in-names batch")
		lines := strings.Join(c.got(), "\n")
		for _, want := range []string{"@alice!", " +bob!", " +alice~", ":+BOB~", " +_123!", " +bob~bobq!"} {
			if !strings.Contains(lines, want) {
				t.Errorf("there is no %q in %s", want, lines)
			}
		}
		seen := map[string]bool{}
		s.world.mu.Lock()
		for nick := range s.world.byNick {
			if seen[nick] || strings.ContainsAny(nick, " \r\n,:*?!@#&%+\x00\x01") || nick == "" || len(nick) > maxNick {
				t.Errorf("nick %q", nick)
			}
			seen[nick] = true
		}
		if p := s.world.byNick["bob"]; p == nil || p.peer != peerID("bob") {
			t.Error("bob is somebody else")
		}
		if !s.world.byNick["alice"].me {
			t.Error("alice is somebody else")
		}
		if len(s.world.byNick) != len(r.members) {
			t.Errorf("%d nicks of %d members", len(s.world.byNick), len(r.members))
		}
		s.world.mu.Unlock()
		if !strings.Contains(lines, "JOIN #dev-r-nPRIVMSG--x--y ") && !strings.Contains(lines, `JOIN #dev\r\nPRIVMSG--x--y `) {
			t.Error(lines)
		}
		for _, text := range []string{"a\r\nQUIT :x", "\x01DCC SEND x 1 2 3\x01", "\x02\x03\x1b[2J\x00", "\u202eevil\u2066", "\x01ACTION x\x01", "/me \x01\r\n", "\xff\xfe", "\n\n\n", "", " "} {
			s.f.say(r, "bob", text)
		}
		s.f.add(r, "evil\r\nQUIT :x", api.RoomMessage{Kind: "file", File: &api.RoomFile{Name: "a\r\nb", Ticket: "x\r\ny"}, Reply: &api.RoomQuote{ID: "a\r\nb;c", From: "x\ny", Text: "\r\n\x01"}})
		s.f.add(r, "bob", api.RoomMessage{Kind: "control", Done: "x", Text: "a\r\nQUIT"})
		for _, line := range c.got() {
			if strings.Contains(line, "\x01DCC") {
				t.Errorf("%q", line)
			}
		}
	})
}

// A name that somebody else takes never means him.
func TestClashes(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		r := s.f.rooms[0]
		s.f.alter(r, "bob", "add", "Bob", func() {
			m := s.f.member("x", "member")
			m.ID, m.Name = "tenonid1zzzzzzzz", "Bob"
			r.members = append(r.members, m)
		})
		c.match(":bob!* NICK bob~bobq", ":Bob~zzzz!* JOIN #dev", "* MODE #dev +v Bob~zzzz")
		c.say("PRIVMSG bob :who is that?")
		c.match("* 401 alice bob :*")
		s.f.mu.Lock()
		s.f.peers = []api.Peer{{ID: peerID("bob"), Name: "bob", State: api.Direct}}
		s.f.mu.Unlock()
		s.f.tell(api.RoomEvent{Type: api.RoomPresence, Who: "bob"})
		time.Sleep(2 * presenceTime)
		synctest.Wait()
		c.match(":bob~bobq!* NICK bob")
		twin := s.f.room("DEV", "bob")
		s.f.tell(api.RoomEvent{Type: api.RoomItself, Room: twin.ID})
		c.match("* PART #dev :it is called #dev~room now", "* JOIN #dev~room", "*", "*", "* JOIN #DEV~room0", "...")
	})
}

// What somebody says before the node is in the conversation that he has begun is told when it is.
func TestConversationBegunByTheOther(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c, modern := s.register("alice", ""), s.register("alice", "draft/chathistory batch")
		d := s.f.room("bob", "bob")
		s.f.mu.Lock()
		d.Direct, d.State = true, api.RoomJoining
		s.f.mu.Unlock()
		s.f.say(d, "bob", "hello?")
		c.match()
		s.f.alter(d, "bob", "", "", func() { d.State = api.RoomInside })
		c.match(":bob!* PRIVMSG alice :hello?")
		modern.match(":bob!* PRIVMSG alice :hello?")
	})
}

// A node calls somebody differently from room to room if there is one who looks the same in one of them. A client has one nick for him.
func TestNamesOfRooms(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob"); f.room("work", "bob") }, func(s *testServer) {
		c := s.register("alice", "message-tags draft/chathistory")
		dev, work := s.f.rooms[0], s.f.rooms[1]
		s.f.alter(dev, "alice", "", "", func() { dev.members[1].Name = "bob~bobq" })
		c.match(":bob!* NICK bob~bobq")
		s.f.alter(work, "alice", "", "", func() {})
		s.f.alter(dev, "alice", "", "", func() {})
		c.match()
		s.f.tell(api.RoomEvent{Type: api.RoomTyping, Room: work.ID, Who: "bob"})
		c.match("* :bob~bobq!* TAGMSG #work")
		s.f.alter(work, "alice", "remove", "bobq-bobq-bobq", func() { work.drop("bob") })
		c.match(":alice!* KICK #work bob~bobq :removed")
	})
}
