package irc

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// What clients say, and what they are answered, line by line. In a pattern * is anything.

func TestRegister(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.connect()
		c.say("CAP LS 302")
		c.match(":irc.tenon CAP * LS :cap-notify sasl=PLAIN server-time message-tags batch*draft/channel-rename")
		c.say("JOIN :") // irssi says this at once, and takes the answer as a sign that the server knows capabilities
		c.match(":irc.tenon 451 * :*")
		c.caps = capSASL | capNotify | capServerTime
		c.say("NICK somebody", "USER somebody 0 * :Some Body", "CAP REQ :sasl server-time", "CAP REQ :batch nonsense", "CAP LIST")
		c.match("* CAP * ACK :sasl server-time", "* CAP * NAK :batch nonsense", "* CAP * LIST :cap-notify sasl server-time")
		c.say("AUTHENTICATE SCRAM-SHA-256", "AUTHENTICATE PLAIN", "AUTHENTICATE *", "AUTHENTICATE PLAIN", "AUTHENTICATE "+plainOf("alice", testPassword), "AUTHENTICATE PLAIN")
		c.match("* 908 * PLAIN :*", "* 904 *", "AUTHENTICATE +", "* 906 *", "AUTHENTICATE +", "* 900 * *!*@* * :*", "* 903 *", "* 907 *")
		c.say("CAP END")
		c.match("* 001 alice :*", "* 002 *", "* 003 *", "* 004 alice irc.tenon *", "* 005 alice *CASEMAPPING=ascii*", "* 005 alice WHOX UTF8ONLY*",
			"* 251 *", "* 254 *", "* 255 *", "* 265 *", "* 266 *", "* 375 *", "* 372 *", "* 372 *", "* 372 *", "* 376 *",
			":alice!*@*.tenon JOIN #dev", "* 353 alice = #dev :@alice +bob", "* 366 alice #dev :*")
		c.say("NICK other", "NICK ALICE", "USER a b c d", "PASS x", "PING :x y", "NONSENSE", "join", "CAP NONE")
		c.match("* 484 alice :*", "* 462 *", "* 462 *", ":irc.tenon PONG irc.tenon :x y", "* 421 alice NONSENSE :*", "* 461 alice JOIN :*", "* 410 alice NONE :*")
		c.say("QUIT :bye")
		c.match("ERROR :closing link")
		if !c.isOver() {
			t.Error("the connection is still there")
		}
	})
}

// A client without SASL says the password as that of the server.
func TestPass(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		for _, pass := range []string{testPassword, "alice@phone:" + testPassword} {
			c := s.connect()
			c.say("PASS :"+pass, "NICK a", "USER a 0 * :A")
			c.match("* 001 alice *", "...")
		}
		for _, pass := range []string{"", "PASS :wrong", "PASS :alice:wrong", "PASS :" + testPassword + "x"} {
			c := s.connect()
			c.say(pass, "NICK a", "USER a 0 * :A")
			if lines := c.got(); len(lines) > 0 {
				t.Errorf("it was answered at once: %q", lines)
			}
			time.Sleep(2 * wrongTime)
			c.match("* 464 * :that is not the password: tenon irc --show-password*", "ERROR :*")
			if !c.isOver() {
				t.Errorf("%q: the connection is still there", pass)
			}
		}
	})
}

func TestWrongPasswords(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		c := s.connect()
		c.caps = capSASL
		c.say("CAP REQ sasl", "NICK a", "USER a 0 * :A")
		c.got()
		start := time.Now()
		for i, wrong := range []string{plainOf("alice", "wrong"), plainOf("alice", testPassword[1:]), "not base64!"} {
			c.say("AUTHENTICATE PLAIN", "AUTHENTICATE "+wrong)
			time.Sleep(wrongTime)
			want := []string{"AUTHENTICATE +", "* 904 *"}
			if i == 2 {
				want = append(want, "ERROR :*")
			}
			c.match(want...)
		}
		if d := time.Since(start); d < 3*wrongTime || !c.isOver() {
			t.Errorf("three wrong passwords took %v", d)
		}
		long := s.connect()
		long.caps = capSASL
		long.say("CAP REQ sasl", "AUTHENTICATE PLAIN", "AUTHENTICATE "+strings.Repeat("a", 401))
		long.match("*", "AUTHENTICATE +", "* 905 *")
		long.say("AUTHENTICATE PLAIN", "AUTHENTICATE "+strings.Repeat("a", 400), "AUTHENTICATE "+strings.Repeat("a", 400), "AUTHENTICATE "+strings.Repeat("a", 400), "AUTHENTICATE "+strings.Repeat("a", 400), "AUTHENTICATE "+strings.Repeat("a", 400))
		long.match("AUTHENTICATE +", "* 905 *", "...")
	})
}

// A page in a browser can have it connect to a port of this computer, and say what it likes after a first line that is HTTP.
func TestBrowser(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		for _, first := range []string{"POST / HTTP/1.1", "GET /x HTTP/1.0", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "FOO /bar HTTP/1.1"} {
			c := s.connect()
			c.say(first, "Host: localhost:6667", "", "PASS "+testPassword, "NICK a", "USER a 0 * :A")
			if lines := c.got(); len(lines) > 0 || !c.isOver() {
				t.Errorf("%s: %q", first, lines)
			}
		}
	})
}

func TestTooSlowToRegister(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		c := s.connect()
		c.say("CAP LS", "NICK a")
		c.got()
		time.Sleep(registerTime / 2)
		c.say("PING x")
		time.Sleep(registerTime/2 + time.Second)
		c.match("* PONG *", "ERROR :*too long to register")
	})
}

func TestSilentClient(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		c := s.register("alice", "")
		time.Sleep(pingEvery + time.Second)
		c.match("PING tenon")
		c.say("PONG tenon")
		time.Sleep(pingEvery + time.Second)
		c.match("PING tenon")
		time.Sleep(pingEvery + time.Second)
		c.match("ERROR :*ping timeout")
	})
}

// The one that has been registering for longest makes room.
func TestManyWhoDoNotRegister(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		var all []*client
		for range maxComing + 3 {
			c := s.connect()
			c.say("CAP LS")
			all = append(all, c)
		}
		for i, c := range all {
			if over := c.isOver(); over != (i < 3) {
				t.Errorf("client %d: over is %v", i, over)
			}
		}
		s.register("alice", "").match()
	})
}

func TestTooManyClients(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		for range maxClients {
			s.register("alice", "")
		}
		c := s.connect()
		c.login("alice", "")
		c.match("...", "ERROR :*too many clients")
	})
}

// A client that reads nothing is cut off, and nobody else notices.
func TestSlowClient(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		a, b := net.Pipe()
		defer a.Close()
		s.l.conns <- b
		write := func(line string) {
			a.SetDeadline(time.Now().Add(time.Minute))
			a.Write([]byte(line + "\r\n"))
		}
		write("PASS :" + testPassword)
		write("NICK a")
		write("USER a 0 * :A")
		good := s.register("alice", "")
		text := strings.Repeat("x", 300)
		for range maxOutbox/300 + 100 {
			s.f.say(s.f.rooms[0], "bob", text)
			good.got()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := s.Clients(); n != 1 {
			t.Errorf("%d clients are there", n)
		}
	})
}

// A client that says very much is read more slowly.
func TestFlood(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		c := s.register("alice", "")
		start := time.Now()
		for range linesBurst + 5*linesPerSec {
			c.say("PING x")
		}
		time.Sleep(6 * time.Second)
		if n := len(c.got()); n != linesBurst+5*linesPerSec || time.Since(start) < 4*time.Second {
			t.Errorf("%d answers in %v", n, time.Since(start))
		}
	})
}

func TestBadLines(t *testing.T) {
	bubble(t, nil, func(s *testServer) {
		c := s.register("alice", "message-tags standard-replies")
		c.say("", " ", ":", "@", "@a", "@a=b", ":x", "PRIVMSG \xff\xfe :x", "@"+strings.Repeat("a", 4200)+" PING x", "\x00")
		c.match("* FAIL * INVALID_UTF8 :*", "* 417 *")
		c.say("PING " + strings.Repeat("x", 2000))
		c.match("* PONG *")
		c.say("PING " + strings.Repeat("x", 10000))
		c.match("* 417 *", "ERROR :*")
		plain := s.register("alice", "")
		plain.say("PRIVMSG \xff\xfe :x")
		plain.match("* NOTICE alice :*UTF-8*")
	})
}

// What is of the node's making is told as such.
func TestNodeFails(t *testing.T) {
	bubble(t, func(f *fake) { f.room("dev", "bob") }, func(s *testServer) {
		c := s.register("alice", "")
		s.f.mu.Lock()
		s.f.broken = &api.Error{Code: "failed", Message: "the disk\nis full", Hint: "make room"}
		s.f.mu.Unlock()
		c.say("PRIVMSG #dev :hello")
		c.match(`:irc.tenon 404 alice #dev :the disk\nis full*`)
		s.f.mu.Lock()
		s.f.broken = nil
		s.f.mu.Unlock()
		time.Sleep(2 * lastAgain)
		s.f.say(s.f.rooms[0], "bob", "again")
		c.match(":bob!* PRIVMSG #dev :again")
	})
}
