package irc

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ergochat/irc-go/ircmsg"
)

const testPassword = "correct-horse"

// A testServer is a Server with a fake Node, inside a bubble of synctest.
type testServer struct {
	*Server
	t *testing.T
	f *fake
	l *pipeListener
}

// bubble runs a test in simulated time, with a server whose node prepare has filled.
func bubble(t *testing.T, prepare func(*fake), test func(*testServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		if prepare != nil {
			prepare(f)
		}
		s := newTestServer(t, f, nil)
		test(s)
	})
}

func newTestServer(t *testing.T, f *fake, seen *Seen) *testServer {
	s, err := New(t.Context(), Config{Node: f, Password: testPassword, Version: "0", Seen: seen, Tell: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) //nolint:errcheck // it ends with the test
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return &testServer{s, t, f, l}
}

// A pipeListener accepts connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "test"} }

// A client is one of the server, who reads all the time.
type client struct {
	t    *testing.T
	conn net.Conn
	caps caps // what it has been granted, for the rule that nothing else is sent

	mu    sync.Mutex // guards what follows
	lines []string
	ended bool
}

// connect makes a connection on which nothing was said.
func (s *testServer) connect() *client {
	a, b := net.Pipe()
	s.l.conns <- b
	c := &client{t: s.t, conn: a}
	done := make(chan struct{})
	go c.read(done)
	s.t.Cleanup(func() { a.Close(); <-done })
	return c
}

func (c *client) read(done chan<- struct{}) {
	defer close(done)
	r := bufio.NewReader(c.conn)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			if !strings.HasSuffix(line, "\r\n") {
				c.t.Errorf("%q ends without CR LF", line)
			}
			line = strings.TrimSuffix(line, "\r\n")
			onlyNegotiated(c.t, c.granted(), line)
			c.mu.Lock()
			c.lines = append(c.lines, line)
			c.mu.Unlock()
		}
		if err != nil {
			c.mu.Lock()
			c.ended = true
			c.mu.Unlock()
			return
		}
	}
}

func (c *client) granted() caps {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caps
}

// say writes lines, and waits until nothing happens any more.
func (c *client) say(lines ...string) {
	c.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(c.conn, l+"\r\n"); err != nil && !c.isOver() {
			c.t.Fatal(err)
		}
	}
	synctest.Wait()
}

func (c *client) isOver() bool {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// got returns the lines since the last call.
func (c *client) got() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.lines
	c.lines = nil
	return out
}

// register logs in with capabilities, and forgets the greeting.
func (s *testServer) register(user, caps string) *client {
	s.t.Helper()
	c := s.connect()
	c.login(user, caps)
	c.got()
	return c
}

func (c *client) login(user, request string) {
	c.t.Helper()
	granted, ok := capNotify|capSASL, true
	if request != "" {
		granted, ok = granted.applied(request)
	}
	if !ok {
		c.t.Fatalf("there is no %q", request)
	}
	c.mu.Lock()
	c.caps = granted
	c.mu.Unlock()
	c.say("CAP LS 302", "NICK x", "USER x 0 * :X", "CAP REQ :sasl "+request, "AUTHENTICATE PLAIN", "AUTHENTICATE "+plainOf(user, testPassword), "CAP END")
}

func plainOf(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

// match compares lines with patterns, each a whole line, in which * stands for anything within a line. A pattern "..." is any number of lines.
func (c *client) match(want ...string) {
	c.t.Helper()
	got := c.got()
	if !matches(got, want) {
		c.t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func matches(got, want []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == "...":
		for i := range len(got) + 1 {
			if matches(got[i:], want[1:]) {
				return true
			}
		}
		return false
	case len(got) == 0:
		return false
	}
	pattern := strings.NewReplacer(`\\\*`, `\*`, `\*`, ".*").Replace(regexp.QuoteMeta(want[0]))
	ok, _ := regexp.MatchString("^"+pattern+"$", sorted(got[0]))
	return ok && matches(got[1:], want[1:])
}

// sorted is a line whose tags are in the order of their names.
func sorted(line string) string {
	tags, rest, ok := strings.Cut(line, " ")
	if !ok || tags[0] != '@' {
		return line
	}
	all := strings.Split(tags[1:], ";")
	for i := range all {
		for j := i; j > 0 && all[j] < all[j-1]; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return "@" + strings.Join(all, ";") + " " + rest
}

// onlyNegotiated tells whether a line is one that a client may get who has negotiated granted. It knows nothing of how the server
// decides that.
func onlyNegotiated(t testing.TB, granted caps, line string) {
	m, err := ircmsg.ParseLine(line)
	if err != nil {
		t.Errorf("%q is no line: %v", line, err)
		return
	}
	body := line
	if line[0] == '@' {
		_, body, _ = strings.Cut(line, " ")
	}
	if len(body) > 510 || len(line)-len(body) > 8191 {
		t.Errorf("%q is too long", line)
	}
	for i, r := range body {
		if r < ' ' && r != '\t' && r != 1 || r == 0x7f {
			t.Errorf("%q has a control character at %d", line, i)
		}
	}
	has := func(name string) bool {
		for i, c := range capabilities {
			if c.name == name {
				return granted&(1<<i) != 0
			}
		}
		t.Fatalf("there is no capability %s", name)
		return false
	}
	for tag := range m.AllTags() {
		need := map[string]string{"time": "server-time", "msgid": "message-tags", "account": "account-tag", "batch": "batch", "label": "labeled-response",
			"draft/multiline-concat": "draft/multiline", "+typing": "message-tags", "+draft/reply": "message-tags", "+draft/react": "message-tags", "+draft/unreact": "message-tags"}[tag]
		if need == "" || !has(need) {
			t.Errorf("tag %s was not negotiated: %q", tag, line)
		}
	}
	plain := map[string]bool{"CAP": true, "PING": true, "PONG": true, "ERROR": true, "PRIVMSG": true, "NOTICE": true, "JOIN": true, "PART": true, "KICK": true, "NICK": true,
		"MODE": true, "TOPIC": true, "INVITE": true}
	need := map[string]string{"AUTHENTICATE": "sasl", "BATCH": "batch", "TAGMSG": "message-tags", "AWAY": "away-notify", "ACK": "labeled-response", "MARKREAD": "draft/read-marker",
		"REDACT": "draft/message-redaction", "RENAME": "draft/channel-rename", "CHATHISTORY": "draft/chathistory", "SETNAME": "setname", "ACCOUNT": "account-notify"}[m.Command]
	if m.Command == "FAIL" {
		need = "standard-replies"
		if own := map[string]string{"CHATHISTORY": "draft/chathistory", "MARKREAD": "draft/read-marker", "REDACT": "draft/message-redaction", "BATCH": "draft/multiline", "SETNAME": "setname"}[m.Params[0]]; own != "" && has(own) {
			need = own
		}
	}
	numeric := len(m.Command) == 3 && strings.Trim(m.Command, "0123456789") == ""
	if !plain[m.Command] && !numeric && (need == "" || !has(need)) {
		t.Errorf("%s was not negotiated: %q", m.Command, line)
	}
	switch m.Command {
	case "JOIN":
		if (len(m.Params) == 3) != has("extended-join") {
			t.Errorf("extended-join: %q", line)
		}
	case "353":
		if strings.Contains(m.Params[3], "!") != has("userhost-in-names") {
			t.Errorf("userhost-in-names: %q", line)
		}
	case "BATCH":
		if len(m.Params) > 1 && m.Params[1] == "draft/multiline" && !has("draft/multiline") {
			t.Errorf("draft/multiline: %q", line)
		}
	}
}
