//go:build linux

package node_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/irc/irctest"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
)

// An ircClient is one that says what it is told to, on a connection.
type ircClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (c *ircClient) say(lines ...string) {
	c.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(c.conn, l+"\r\n"); err != nil {
			c.t.Fatal(err)
		}
	}
}

// wait reads until a line has all these words.
func (c *ircClient) wait(words ...string) string {
	c.t.Helper()
	var all []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no line has %q: %v, but\n%s", words, err, strings.Join(all, ""))
		}
		all = append(all, line)
		has := true
		for _, w := range words {
			has = has && strings.Contains(line, w)
		}
		if has {
			return line
		}
	}
}

// ircNode starts a node that serves IRC clients at a port, which is returned with the password.
func ircNode(t *testing.T, w *world, name string) (n *node.Node, port int, password string) {
	t.Helper()
	dir := stateDir(t)
	c := w.config(dir, name)
	c.Flags.IRC.At = "127.0.0.1:0"
	n = start(t, c)
	password, err := node.IRC{}.Password(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "irc-password")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the password is in a file with mode %v: %v", fi.Mode(), err)
	}
	for e, err := range n.Client().Events(within(t), 1, false) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Text, "irc: ") {
			t.Fatal(e.Text)
		}
		if _, at, ok := strings.Cut(e.Text, "IRC clients are served at 127.0.0.1:"); ok {
			if _, err := fmt.Sscan(at, &port); err != nil {
				t.Fatal(err)
			}
			return n, port, password
		}
	}
	t.Fatal("nothing is served")
	return nil, 0, ""
}

// Two nodes, and a client at one of them: what either says, and does to a room, the other sees.
func TestIRC(t *testing.T) {
	w := new(world)
	alice, port, password := ircNode(t, w, "alice")
	bob := w.node(t, "bob")
	pairUp(t, alice, bob)
	if _, err := bob.Client().CreateRoom(within(t), api.NewRoom{Name: "plans", Topic: "what to do", History: true}); err != nil {
		t.Fatal(err)
	}
	say(t, bob, "plans", "before alice came")
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	end, _ := within(t).Deadline()
	conn.SetDeadline(end) //nolint:errcheck // it can have one
	c := &ircClient{t, conn, bufio.NewReader(conn)}
	c.say("CAP REQ :server-time message-tags draft/message-redaction away-notify", "CAP END", "PASS alice@test:"+password, "NICK x", "USER x 0 * :x")
	c.wait(" 001 alice ")
	if _, err := bob.Client().InviteToRoom(within(t), "plans", api.RoomInvite{Peer: "alice"}); err != nil {
		t.Fatal(err)
	}
	c.wait(":bob!", " INVITE alice #plans")
	c.say("JOIN #plans")
	c.wait(":alice!", " JOIN #plans")
	c.wait(" 332 alice #plans :what to do")
	c.wait(" 353 alice = #plans :", "@bob", "+alice")
	c.wait(":bob!", " PRIVMSG #plans :before alice came")
	c.say("PRIVMSG #plans :hello from IRC", "PRIVMSG bob :and a whisper")
	hear(t, bob, "plans", "hello from IRC")
	hear(t, bob, "alice", "and a whisper")
	m := say(t, bob, "plans", "hello, IRC")
	c.wait("msgid="+m.ID, ":bob!", " PRIVMSG #plans :hello, IRC")
	say(t, bob, "alice", "whispered back")
	c.wait(":bob!", " PRIVMSG alice :whispered back")
	if _, err := bob.Client().SayInRoom(within(t), "plans", api.RoomSay{Text: "hello, all", Edit: m.ID}); err != nil {
		t.Fatal(err)
	}
	c.wait("+draft/reply="+m.ID, ":bob!", "PRIVMSG #plans :✎ hello, all")
	c.say("@+draft/react=👍;+draft/reply=" + m.ID + " TAGMSG #plans")
	if err := bob.Client().ReactInRoom(within(t), "plans", m.ID, "🎉", false); err != nil {
		t.Fatal(err)
	}
	c.wait("+draft/react=🎉", ":bob!", "TAGMSG #plans")
	if err := bob.Client().DeleteRoomMessage(within(t), "plans", m.ID); err != nil {
		t.Fatal(err)
	}
	c.wait(":bob!", "REDACT #plans "+m.ID)
	c.say("TOPIC #plans :mine", "MODE #plans -o bob")
	c.wait(" 482 alice #plans :")
	c.wait(" 482 alice #plans :")
	if err := bob.Client().SetRoomRole(within(t), "plans", "alice", "owner"); err != nil {
		t.Fatal(err)
	}
	c.wait(":bob!", " MODE #plans -v+o alice alice")
	c.say("TOPIC #plans :ours")
	c.wait(":alice!", " TOPIC #plans :ours")
	say(t, alice, "plans", "said elsewhere")
	c.wait(":alice!", " PRIVMSG #plans :said elsewhere")
	if err := bob.Client().RemoveFromRoom(within(t), "plans", "alice"); err != nil {
		t.Fatal(err)
	}
	c.wait(":bob!", " KICK #plans alice")
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	c.wait("ERROR :closing link")
}

func testRealClient(t *testing.T, client func(*testing.T, int, string) *irctest.Client) {
	w := new(world)
	alice, port, password := ircNode(t, w, "alice")
	bob := w.node(t, "bob")
	pairUp(t, alice, bob)
	r, err := alice.Client().CreateRoom(within(t), api.NewRoom{Name: "plans", History: true})
	if err == nil {
		_, err = alice.Client().InviteToRoom(within(t), r.ID, api.RoomInvite{Peer: "bob"})
	}
	if err != nil {
		t.Fatal(err)
	}
	say(t, alice, "plans", "said before")
	for e, err := range bob.Client().RoomEvents(within(t), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if offers, err := bob.Client().RoomOffers(within(t)); err != nil {
			t.Fatal(err)
		} else if len(offers) > 0 {
			break
		}
		_ = e
	}
	if _, err := bob.Client().AcceptRoom(within(t), "plans"); err != nil {
		t.Fatal(err)
	}
	c := client(t, port, password)
	c.Wait("said before")
	hear(t, bob, "plans", "said before")
	say(t, bob, "plans", "what bob says")
	c.Wait("what bob says")
	c.Enter("what alice says")
	hear(t, bob, "plans", "what alice says")
	c.Enter(c.Query + "bob")
	if _, err := bob.Client().DirectRoom(within(t), "alice"); err != nil {
		t.Fatal(err)
	}
	say(t, bob, "alice", "a whisper")
	c.Wait("a whisper")
	c.Enter("an answer")
	hear(t, bob, "alice", "an answer")
}

func TestIrssi(t *testing.T)   { testRealClient(t, irctest.Irssi) }
func TestWeeChat(t *testing.T) { testRealClient(t, irctest.WeeChat) }
func TestHexChat(t *testing.T) {
	testRealClient(t, func(t *testing.T, port int, password string) *irctest.Client {
		return irctest.HexChat(t, port, password, "#plans")
	})
}
