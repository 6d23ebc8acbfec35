//go:build linux

package irc

import (
	"net"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/irc/irctest"
)

// Real clients log in with SASL, see what was said before they came, what is said, and say something.

// onLoopback serves a fake on a port of this computer.
func onLoopback(t *testing.T, f *fake) (port int) {
	t.Helper()
	s, err := New(t.Context(), Config{Node: f, Password: testPassword, Version: "test", Tell: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) //nolint:errcheck // it ends with the test
	}()
	t.Cleanup(func() {
		s.Close() //nolint:errcheck // nothing is kept
		<-done
	})
	return l.Addr().(*net.TCPAddr).Port
}

// waitSaid waits until the user has said something.
func (f *fake) waitSaid(t *testing.T, s *irctest.Client, r *fakeRoom, text string) {
	t.Helper()
	late := time.After(irctest.Patience)
	for {
		f.mu.Lock()
		changed := f.changed
		for _, m := range r.messages {
			if m.Mine && m.Text == text {
				f.mu.Unlock()
				return
			}
		}
		f.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			t.Fatalf("nobody has said %q in %s:\n%s", text, r.Name, s.Shown())
		}
	}
}

// talkTo is the same for all clients.
func talkTo(t *testing.T, f *fake, s *irctest.Client) {
	t.Helper()
	r, d := f.rooms[0], f.rooms[1]
	s.Wait("said before")
	f.say(r, "bob", "and now")
	s.Wait("and now")
	s.Enter("hello from a client")
	f.waitSaid(t, s, r, "hello from a client")
	s.Enter("/me waves")
	f.waitSaid(t, s, r, "/me waves")
	s.Enter("/topic what we do") // WeeChat and HexChat want no channel, irssi takes none
	late := time.After(irctest.Patience)
	for {
		f.mu.Lock()
		changed, topic := f.changed, r.Topic
		f.mu.Unlock()
		if topic == "what we do" {
			break
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("the topic is %q", topic)
		}
	}
	s.Enter(s.Query + "bob")
	f.say(d, "bob", "a whisper")
	s.Wait("a whisper")
	s.Enter("an answer")
	f.waitSaid(t, s, d, "an answer")
	f.say(r, "alice", "from elsewhere")
	s.Enter(s.Room)
	s.Wait("from elsewhere")
}

func populated() *fake {
	f := newFake()
	f.say(f.room("dev", "bob", "carol!"), "bob", "said before")
	f.direct("bob")
	return f
}

func TestIrssi(t *testing.T) {
	t.Parallel()
	f := populated()
	talkTo(t, f, irctest.Irssi(t, onLoopback(t, f), testPassword))
}

func TestWeeChat(t *testing.T) {
	t.Parallel()
	f := populated()
	talkTo(t, f, irctest.WeeChat(t, onLoopback(t, f), testPassword))
}

func TestHexChat(t *testing.T) {
	t.Parallel()
	f := populated()
	talkTo(t, f, irctest.HexChat(t, onLoopback(t, f), testPassword, "#dev"))
}
