package irc

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

func TestJoin(t *testing.T) {
	bubble(t, func(f *fake) {
		f.room("dev", "bob", "carol!:reader").Topic = "what\nit is"
		f.rooms[0].messages = nil
		f.room("Café, bar?", "bob")
		f.room("old", "bob").State = api.RoomLeft
	}, func(s *testServer) {
		c := s.connect()
		c.login("alice@laptop", "extended-join userhost-in-names multi-prefix")
		c.match("...", "* 376 *", ":alice!* JOIN #Café--bar aliceqaliceq alice", "* 353 alice = #Café--bar :@alice!*@* +bob!*@*", "* 366 *",
			":alice!* JOIN #dev aliceqaliceq alice", `* 332 alice #dev :what\nit is`, "* 353 alice = #dev :@alice!*@* +bob!*@* carol!*@*", "* 366 *", "PING got-1")
		c.say("JOIN #DEV", "JOIN #nothing", "JOIN nothing", "PART #nothing", "PART #Dev", "PART #dev", "JOIN #dev")
		c.match("* 403 alice #nothing :*tenon room new NAME*tenon room join TICKET*", "* 403 alice nothing :*", "* 403 *", ":alice!* PART :#dev", "* 442 alice #dev :*",
			":alice!* JOIN #dev *", "* 332 *", "* 353 *", "* 366 *")
		c.say("PART #dev,#Café--bar", "QUIT")
		c.got()
		// A client that has a name does not see again what it does not want to see.
		again := s.connect()
		again.login("alice@laptop", "")
		again.match("...", "* 376 *")
		other := s.connect()
		other.login("alice", "")
		other.match("...", "* 376 *", "* JOIN #Café--bar", "* 353 *", "* 366 *", "* JOIN #dev", "* 332 *", "* 353 *", "* 366 *")
		other.say("JOIN 0", "NAMES", "NAMES #dev", "NAMES #none", "LIST")
		other.match("* PART :*", "* PART :*", "* 366 alice * :*", "* 353 *", "* 366 *", "* 366 alice #none :*",
			"* 321 *", "* 322 alice #Café--bar 2 :", `* 322 alice #dev 3 :what\nit is`, "* 323 *")
	})
}

func TestWhoComesAndGoes(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob", "carol") }, func(s *testServer) {
		c, away := s.register("alice", ""), s.register("alice", "away-notify")
		r := s.f.rooms[0]
		s.f.alter(r, "bob", "add", "dave", func() { r.members = append(r.members, s.f.member("dave!", "reader")) })
		c.match(":dave!* JOIN #dev")
		away.match(":dave!* JOIN #dev", ":dave!* AWAY :not connected")
		for _, role := range []string{"member", "owner", "reader"} {
			s.f.alter(r, "alice", "role", "dave", func() { r.members[3].Role = role })
			synctest.Wait()
		}
		c.match(":alice!* MODE #dev +v dave", ":alice!* MODE #dev -v+o dave dave", ":alice!* MODE #dev -o dave")
		s.f.alter(r, "bob", "leave", "", func() { r.drop("bob") })
		synctest.Wait()
		s.f.alter(r, "carol", "remove", "dave", func() { r.drop("dave") })
		synctest.Wait()
		s.f.alter(r, "carol", "topic", "", func() { r.Topic = "new" })
		c.match(":bob!* PART :#dev", ":carol!* KICK #dev dave :removed", ":carol!* TOPIC #dev :new")
		away.got()
		s.f.mu.Lock()
		r.members[1].Online = false
		s.f.mu.Unlock()
		s.f.tell(api.RoomEvent{Type: api.RoomPresence, Room: r.ID, Who: "carol"})
		time.Sleep(2 * presenceTime)
		away.match(":carol!* AWAY :not connected")
		s.f.mu.Lock()
		r.members[1].Online = true
		s.f.mu.Unlock()
		s.f.tell(api.RoomEvent{Type: api.RoomPresence, Who: "carol"})
		time.Sleep(2 * presenceTime)
		away.match(":carol!* AWAY")
		c.match()
		s.f.alter(r, "carol", "remove", "alice", func() { r.State = api.RoomLeft })
		c.match(":carol!* KICK #dev alice :removed")
		c.say("PRIVMSG #dev :hello")
		c.match("* 403 alice #dev :*")
	})
}

func TestRoomIsRenamed(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		plain, knows := s.register("alice", ""), s.register("alice", "draft/channel-rename")
		r := s.f.rooms[0]
		s.f.alter(r, "alice", "name", "", func() { r.Name = "work" })
		plain.match(":alice!* PART #dev :*#work*", ":alice!* JOIN #work", "* 353 *", "* 366 *")
		knows.match(":irc.tenon RENAME #dev #work :*")
		s.f.say(r, "bob", "hello")
		plain.match(":bob!* PRIVMSG #work :hello")
		knows.match(":bob!* PRIVMSG #work :hello")
	})
}

func TestRoomOffered(t *testing.T) {
	bubble(t, func(f *fake) {
		f.room("dev", "bob")
		f.offers = []api.RoomOffer{{ID: "offer0000", Name: "party", From: "bob", Peer: peerID("bob")}}
	}, func(s *testServer) {
		c := s.connect()
		c.login("alice", "")
		c.match("...", "* 376 *", ":bob!* INVITE alice #party", "* JOIN #dev", "...")
		s.f.mu.Lock()
		s.f.offers = append(s.f.offers, api.RoomOffer{ID: "offer1111", Name: "dev", From: "bob", Peer: peerID("mallory")})
		s.f.mu.Unlock()
		s.f.tell(api.RoomEvent{Type: api.RoomOffered})
		// It is called like a room that is there, and must not be taken for it.
		c.match(":bob~mall!* INVITE alice #dev~offe")
		c.say("INVITE", "LIST")
		c.match("* 336 alice :#party", "* 336 alice :#dev~offe", "* 337 *", "* 321 *", "* 322 alice #dev 2 :", "* 322 alice #dev~offe 0 :*/join #dev~offe*", "* 322 alice #party 0 :bob offers*", "* 323 *")
		c.say("JOIN #party")
		c.match(":alice!* JOIN #party", "* 353 *", "* 366 *")
		c.say("PRIVMSG #party :hello")
		c.match()
	})
}

func TestRoles(t *testing.T) {
	bubble(t, func(f *fake) {
		f.room("dev", "bob", "carol:reader")
		f.room("theirs", "bob:owner").Role = "member"
		f.peers = []api.Peer{{ID: peerID("dave"), Name: "dave", State: api.Direct}, {ID: peerID("bob"), Name: "bob", State: api.Direct}}
	}, func(s *testServer) {
		c, other := s.register("alice", ""), s.register("alice", "invite-notify")
		c.say("MODE #dev", "MODE #dev b", "MODE #dev +b x!*@*", "MODE alice", "MODE alice +i", "MODE bob", "MODE #none", "MODE #dev +k x", "MODE #dev -i")
		c.match("* 324 alice #dev +imnt", "* 368 *", "* 368 *", "* 221 alice +i", "* 221 alice +i", "* 502 *", "* 403 *", "* 472 alice k :*", "* 482 *")
		c.say("MODE #dev +o bob", "MODE #dev +v carol", "MODE #dev -ov bob carol", "MODE #dev +o nobody", "MODE #dev +o dave", "MODE #dev +o", "MODE #theirs +v bob", "MODE #theirs -o bob")
		c.match("* MODE #dev -v+o bob bob", "* MODE #dev +v carol", "* MODE #dev -o+v bob bob", "* MODE #dev -v carol", "* 401 alice nobody :*", "* 441 alice dave #dev :*", "* 461 *", "* 482 alice #theirs :you may not")
		other.got()
		c.say("INVITE dave #dev", "INVITE dave #dev", "INVITE nobody #dev", "INVITE dave #none", "INVITE dave")
		c.match("* 341 alice dave :#dev", ":dave!* JOIN #dev", "* MODE #dev +v dave", "* 443 alice dave #dev :*", "* 401 *", "* 403 *", "* 461 *")
		other.match(":alice!* INVITE dave #dev", ":dave!* JOIN #dev", "* MODE #dev +v dave")
		c.say("KICK #dev dave,nobody :go", "KICK #theirs bob", "KICK #none bob")
		c.match("* 401 *", ":alice!* KICK #dev dave :removed", "* 482 *", "* 403 *")
		c.say("TOPIC #dev", "TOPIC #dev :\x02new\x02 one", "TOPIC #dev", "TOPIC #theirs :x")
		c.match("* 331 *", ":alice!* TOPIC #dev :new one", "* 332 alice #dev :new one", "* 482 alice #theirs :only owners change a room: ask one")
	})
}

func TestWho(t *testing.T) {
	bubble(t, func(f *fake) {
		f.room("dev", "bob", "carol!:reader")
		f.peers = []api.Peer{{ID: peerID("dave"), Short: "tenonid1dave", Name: "dave", State: api.Relayed}}
		f.rooms[0].members[1].Forked = true
	}, func(s *testServer) {
		c := s.register("alice", "")
		c.say("WHO #dev", "WHO bob", "WHO #none", "WHO")
		c.match("* 352 alice #dev alicedev aliceqaliceqalic.tenon irc.tenon alice H@ :0 alice", "* 352 alice #dev * bob H+ :0 bob", "* 352 alice #dev * carol G :0 carol", "* 315 alice #dev :*",
			"* 352 alice * * bob H :0 bob", "* 315 *", "* 315 *", "* alice H *", "* bob H *", "* carol G *", "* dave H *", "* 315 alice * :*")
		c.say("WHO #dev %cuhsnfdar", "WHO #dev %chtsunfra,152", "WHO bob %tn,1", "WHO #dev %") // as WeeChat and HexChat say it
		c.match("* 354 alice #dev alicedev aliceqaliceqalic.tenon irc.tenon alice H@ 0 aliceqaliceq alice", "* 354 *", "* 354 *", "* 315 *",
			"* 354 alice 152 #dev alicedev aliceqaliceqalic.tenon irc.tenon alice H@ aliceqaliceq alice", "* 354 *", "* 354 *", "* 315 *", "* 354 alice 1 bob", "* 315 *",
			"* 354 alice", "* 354 alice", "* 354 alice", "* 315 *")
		c.say("WHOIS bob", "WHOIS irc.tenon carol", "WHOIS nobody", "WHOWAS bob", "ISON bob carol :nobody dave", "USERHOST bob carol nobody")
		c.match("* 311 alice bob bobdevbo bobqbobqbobqbobq.tenon * :bob", "* 319 alice bob :+#dev", "* 312 *", "* 330 alice bob bobqbobqbobq :*", "* 671 *", "* 320 *different things*", "* 318 *",
			"* 311 *", "* 319 alice carol :#dev", "* 312 *", "* 301 alice carol :not connected", "* 330 *", "* 671 *", "* 318 *", "* 401 *", "* 318 *", "* 406 *", "* 369 *",
			"* 303 alice :bob dave", "* 302 alice :bob=+*@* carol=-*@*")
	})
}

func TestMonitor(t *testing.T) {
	bubble(t, func(f *fake) {
		f.peers = []api.Peer{{ID: peerID("dave"), Name: "dave", State: api.Offline}, {ID: peerID("erin"), Name: "erin", State: api.Direct}}
	}, func(s *testServer) {
		c := s.register("alice", "extended-monitor away-notify")
		c.say("MONITOR + dave,Erin,nobody")
		c.match("* 730 alice :erin!*", "* 731 alice :dave,nobody")
		s.f.mu.Lock()
		s.f.peers = []api.Peer{{ID: peerID("dave"), Name: "dave", State: api.Direct}, {ID: peerID("erin"), Name: "erin", State: api.Offline}}
		s.f.mu.Unlock()
		s.f.tell(api.RoomEvent{Type: api.RoomPresence, Who: "dave"})
		time.Sleep(2 * presenceTime)
		c.match(":irc.tenon 730 alice :dave!*", ":dave!* AWAY", ":irc.tenon 731 alice :erin", ":erin!* AWAY :not connected")
		c.say("MONITOR - nobody", "MONITOR L", "MONITOR S", "MONITOR C", "MONITOR L")
		c.match("* 732 alice :Erin,dave", "* 733 *", "* 730 *", "* 731 *", "* 733 *")
	})
}

func TestHelp(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		c := s.register("alice", "")
		c.say("HELP")
		lines := c.got()
		for name := range help {
			if _, ok := commands[name]; !ok {
				t.Errorf("there is help about %s, which is no command", name)
			}
		}
		for name, is := range commands {
			if help[name] == "" && !is.before && name != "HELPOP" {
				t.Errorf("there is no help about %s", name)
			}
		}
		if len(lines) != len(help)+2 {
			t.Errorf("%q", lines)
		}
		c.say("HELP part", "HELP nothing", "MOTD", "LUSERS", "VERSION", "TIME", "INFO", "AWAY :out", "WHOIS alice", "AWAY", "SETNAME :x")
		c.match("* 704 alice PART :*", "* 705 *", "* 706 *", "* 524 *", "* 375 *", "* 372 *", "* 372 *", "* 372 *", "* 376 *", "* 251 *", "* 254 *", "* 255 *", "* 265 *", "* 266 *",
			"* 351 *", "* 005 *", "* 005 *", "* 391 *", "* 371 *", "* 374 *", "* 306 *", "* 311 *", "* 312 *", "* 301 alice alice :out", "* 330 *", "* 671 *", "* 318 *", "* 305 *", "* 421 *")
	})
}
