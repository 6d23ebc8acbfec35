package join

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/transport"
)

func TestChat(t *testing.T) {
	inRoom(t, &Broker{Chat: true}, func(r *room) {
		alice := r.stream()
		r.hears(alice, "* you are user1; 1 member here; /name NAME changes your name, /who lists all\n")
		bob := r.msgs()
		r.hears(bob, "* you are user2; 2 members here; /name NAME changes your name, /who lists all|")
		r.hears(alice, "* user2 joined\n")

		for _, step := range []struct{ says, alice, bob string }{
			{"hello\r\n", "", "<user1> hello|"},
			{"half", "", ""},
			{" a line\n\n", "", "<user1> half a line|"},
			{"\x1b]0;title\x07 \u202e\xff<user2> fake\n", "", `<user1> \x1b]0;title\x07 \u202e\xff<user2> fake|`},
			{"//etc/passwd\n", "", "<user1> /etc/passwd|"},
			{"/name\n", "* your name is still user1: a name is missing: /name NAME\n", ""},
			{"/name user2\n", "* your name is still user1: that is the name of another\n", ""},
			{"/name user07\n", "* your name is still user1: that is the name of another\n", ""},
			{"/name a b\n", "* your name is still user1: a name is made of letters, digits, hyphens, underscores and dots\n", ""},
			{"/name " + strings.Repeat("x", 25) + "\n", "* your name is still user1: a name has at most 24 characters\n", ""},
			{"/name Élise\n", "* user1 is now Élise\n", "* user1 is now Élise|"},
			{"/who\n", "* 2 members here: Élise, user2\n", ""},
			{"/\x1bx\n", "* there is no command /\\x1bx, only /name NAME and /who; a line that begins with / is written with //\n", ""},
		} {
			io.WriteString(alice, step.says)
			synctest.Wait()
			r.hears(alice, step.alice)
			r.hears(bob, step.bob)
		}

		bob.WriteMsg([]byte("two\nlines"), transport.Meta{Text: true})
		bob.WriteMsg([]byte("/name élise"), transport.Meta{Text: true})
		synctest.Wait()
		r.hears(alice, "<user2> two\n<user2> lines\n")
		r.hears(bob, "* your name is still user2: that is the name of another|")

		bob.CloseWrite()
		synctest.Wait()
		r.hears(alice, "* user2 left\n")
		r.happened("user1 joined 1", "user2 joined 2", "user2 left 1")
	})
}

// TestChatLongLine shows that the one who sends too much is dropped, with the
// others told, and that it is not held in memory until then.
func TestChatLongLine(t *testing.T) {
	inRoom(t, &Broker{Chat: true, MaxLine: 100}, func(r *room) {
		alice, bob, carol := r.stream(), r.stream(), r.msgs()
		io.WriteString(alice, strings.Repeat("x", 100)+"\n")
		synctest.Wait()
		r.hears(bob, "* you are user2; 2 members here; /name NAME changes your name, /who lists all\n"+
			"* user3 joined\n<user1> "+strings.Repeat("x", 100)+"\n")
		io.WriteString(alice, strings.Repeat("x", 20_000))
		synctest.Wait()
		r.hears(bob, "* user1 was dropped: a line is longer than 100 bytes\n")
		carol.WriteMsg(make([]byte, 101), transport.Meta{})
		synctest.Wait()
		r.hears(bob, "* user3 was dropped: a line is longer than 100 bytes\n")
		r.happened("user1 joined 1", "user2 joined 2", "user3 joined 3",
			"user1 dropped 2: a line is longer than 100 bytes", "user3 dropped 1: a line is longer than 100 bytes")
	})
}

func FuzzChat(f *testing.F) {
	f.Add([]byte("hello\r\n/name x\n/who\n//\n/\n\x1b[2J\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inRoom(t, &Broker{Chat: true, MaxLine: 50}, func(r *room) {
			alice, bob := r.stream(), r.stream()
			alice.Write(data)
			alice.CloseWrite()
			synctest.Wait()
			go r.b.Close()
			heard, _ := io.ReadAll(bob)
			for text := range strings.Lines(string(heard)) {
				if c := text[0]; c != '*' && c != '<' || strings.ContainsAny(text, "\x1b\r\x07\x00") {
					t.Errorf("a line that nobody may send: %q", text)
				}
			}
			bob.Close()
		})
	})
}
