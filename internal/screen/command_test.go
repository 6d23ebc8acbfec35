package screen

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

func TestCommands(t *testing.T) {
	for _, c := range []struct{ typed, asked, seen string }{
		{"/nosuch thing", "", "there is no command /nosuch"},
		{"/halp", "", "did you mean /help?"},
		{"//etc/passwd", "say id-lobby /etc/passwd", "/etc/passwd"},
		{"/me waves", "say id-lobby /me waves", "* me waves"},
		{"/reply yes", "say id-lobby yes m3", "┃ bob: *good* morning"},
		{"/edit I was", "say id-lobby I was  m2", "I was (edited) ✓✓"},
		{"/react +1", "react id-lobby m3 👍 false", ""},
		{"/pin", "pin id-lobby m3 false", ""},
		{"/join builds", "room id-builds", "#builds"},
		{"/join #builds", "room id-builds", "> #builds"},
		{"/join tenon1abc", "join joined", "> #joined"},
		{"/join nowhere", "room nowhere", "you are in no room of that name"},
		{"/new garden all about plants", "create garden", "> #garden"},
		{"/msg dora hello you", "say id-dora hello you", "> @dora"},
		{"/msg #builds again", "say id-builds again", "again …"},
		{"/msg nobody hello", "", "there is no such thing"},
		{"/topic new things", "change id-lobby", "#lobby  new things"},
		{"/topic", "", "whatever comes"},
		{"/mute", "change id-lobby", "muted"},
		{"/vanish 1h", "change id-lobby", "vanish after 1h"},
		{"/vanish soon", "", "/vanish TIME|off"},
		{"/invite", "invite id-lobby", "tenon1invite"},
		{"/invite @dora reader", "invite id-lobby dora reader", "dora is a member now"},
		{"/role bob reader", "role id-lobby id-bob reader", ""},
		{"/names", "", "alice: member, here now"},
		{"/unblock bob", "unblock dev-bob", ""},
		{"/read", "read id-lobby", ""},
		{"/help react", "", "/react EMOJI: react to"},
		{"/file /nowhere/at/all", "", "no such file"},
		{"/kick nobody", "", "nobody in this room is called nobody"},
		{"/accept", "", "no such room is offered"},
		{"/bell all", "", "rings for: all"},
	} {
		f, _ := lobby()
		d := sit(t, f, 110, 24, "lobby")
		d.enter(c.typed)
		if c.asked != "" {
			d.asked(c.asked)
		}
		if c.seen != "" {
			d.sees(c.seen)
		}
		if t.Failed() {
			t.Fatal(c.typed)
		}
	}
}

// What cannot be taken back is asked for.
func TestQuestions(t *testing.T) {
	for typed, asked := range map[string]string{
		"/part": "leave id-lobby", "/forget": "forget id-lobby", "/kick bob": "remove id-lobby id-bob",
		"/delete": "delete id-lobby m2", "/block bob": "block dev-bob",
	} {
		f, _ := lobby()
		d := sit(t, f, 110, 24, "lobby")
		d.enter(typed)
		d.press("n")
		for _, a := range f.asked {
			if a == asked {
				t.Errorf("%s is done though the answer was no", typed)
			}
		}
		d.enter(typed)
		d.press("x", "y")
		d.pass(time.Second)
		d.asked(asked)
	}
}

// The only owner of a room is asked once more.
func TestOnlyOwnerIsAsked(t *testing.T) {
	for typed, asked := range map[string]string{"/part": "leave id-lobby anyway", "/forget": "forget id-lobby anyway"} {
		f, _ := lobby()
		f.last = true
		d := sit(t, f, 110, 24, "lobby")
		d.enter(typed)
		d.press("y")
		d.pass(time.Second)
		d.sees("you are the only owner of")
		d.press("n")
		d.pass(time.Second)
		if slices.Contains(f.asked, asked) {
			t.Errorf("%s is done though the answer was no", typed)
		}
		d.enter(typed)
		d.press("y")
		d.pass(time.Second)
		d.press("y")
		d.pass(time.Second)
		d.asked(asked)
	}
}

// Every command is in help, and help is reached by a key.
func TestHelp(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 80, 24, "lobby")
	d.press("f1")
	var all strings.Builder
	for range 20 {
		all.WriteString(d.frame())
		d.press("pgdown")
	}
	for _, c := range commands() {
		if !strings.Contains(all.String(), "/"+c.name) {
			t.Errorf("/%s is not in help", c.name)
		}
		if c.run == nil {
			t.Errorf("/%s does nothing", c.name)
		}
	}
	d.press("f1")
	d.sees("hello, is somebody there?")
}

func TestOffers(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 24, "lobby")
	f.offers = []api.RoomOffer{{ID: "id-club", Name: "club", From: "dora"}}
	d.happen(api.RoomEvent{Type: api.RoomOffered, Room: "id-club"})
	d.sees("? #club", "F2 shows it")
	d.press("f2")
	for _, r := range "clu" {
		d.press(string(r))
	}
	d.press("enter")
	d.pass(4 * time.Second)
	d.press("x")
	d.sees("dora has made you a member of #club. a = accept, d = decline")
	d.press("a")
	d.pass(time.Second)
	d.asked("accept club")
	d.sees("> #club")

	f.offers = []api.RoomOffer{{ID: "id-spam", Name: "spam", From: "mallory"}}
	d.happen(api.RoomEvent{Type: api.RoomOffered, Room: "id-spam"})
	d.enter("/decline spam")
	d.asked("decline id-spam")
}

func TestCompletion(t *testing.T) {
	f, r := lobby()
	r.members = append(r.members, api.RoomMember{ID: "id-bo", Name: "Bobby"})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a file.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typed string
		tabs  int
		want  string
	}{
		{"/jo", 1, "/join "}, {"/join #b", 1, "/join #builds "}, {"hey @al", 1, "hey @alice "}, {"bo", 1, "@bob "}, {"bo", 2, "@Bobby "}, {"bo", 3, "@bob "},
		{"/msg ali", 1, "/msg alice "}, {"see #lo", 1, "see #lobby "}, {"/react ", 1, "/react 👍"}, {"/help mu", 1, "/help mute"}, {"zzz", 1, "zzz"},
		{"/file " + dir + "/a", 1, "/file " + dir + `/a\ file.txt`}, {"/role bob re", 1, "/role bob reader"},
	} {
		d := sit(t, f, 100, 24, "lobby")
		d.m.open.input.set(c.typed)
		d.m.open.input.move(1 << 20)
		for range c.tabs {
			d.press("tab")
		}
		if got := d.m.open.input.text(); got != c.want {
			t.Errorf("%q and %d tabs: %q, not %q", c.typed, c.tabs, got, c.want)
		}
	}
}

func TestFileWithSpaces(t *testing.T) {
	f, _ := lobby()
	path := filepath.Join(t.TempDir(), "a file.txt")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{`/file "` + path + `" look`, "/file " + strings.ReplaceAll(path, " ", `\ `) + " look"} {
		f.asked = nil
		d := sit(t, f, 100, 24, "lobby")
		d.enter(typed)
		d.asked("say id-lobby look   " + path)
	}
}

// Ctrl-C takes away what is typed, and never ends the program alone.
func TestEnding(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 80, 24, "lobby")
	d.press("h", "i", "ctrl+c", "ctrl+p")
	if got := d.m.open.input.text(); got != "hi" {
		t.Errorf("what was taken away does not come back: %q", got)
	}
	d.press("ctrl+c", "ctrl+c", "x", "ctrl+c", "ctrl+c")
	d.sees("Ctrl-C again ends this")
	if d.ended {
		t.Fatal("it has ended")
	}
	d.press("ctrl+c")
	if !d.ended {
		t.Error("it has not ended")
	}
	d = sit(t, f, 80, 24, "lobby")
	d.enter("/quit")
	if !d.ended {
		t.Error("/quit has not ended it")
	}
}

// What is pasted says nothing, whatever it has in it.
func TestPaste(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 80, 24, "lobby")
	d.send(tea.PasteMsg{Content: "one\r\ntwo\x1b[2J\n/quit\n"})
	d.sees("> one", "  two[2J", "  /quit")
	for _, a := range f.asked {
		if strings.HasPrefix(a, "say") {
			t.Errorf("it was said: %s", a)
		}
	}
	d.press("enter")
	d.pass(time.Second)
	d.asked("say id-lobby one\ntwo[2J\n/quit")
	d.send(tea.PasteMsg{Content: strings.Repeat("x", maxInput+1)})
	d.sees("60 KiB")
	d.press("a", "alt+enter", "b", "ctrl+j", "c")
	if got := d.m.open.input.text(); got != "a\nb\nc" {
		t.Errorf("typed %q", got)
	}
}

func TestPicking(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 110, 24, "lobby")
	d.press("up")
	d.sees("r replies")
	d.press("up", "e")
	d.sees("> I am", "replaces me: I am")
	d.press("backspace", "s", "enter")
	d.pass(time.Second)
	d.asked("say id-lobby I as  m2")
	d.press("up", "up", "up", "r")
	d.sees("answers alice: hello")
	d.enter("here")
	d.asked("say id-lobby here m1")
	d.press("up", "o")
	if d.m.picked != "m1" {
		t.Errorf("%q is picked, not what was answered", d.m.picked)
	}
	d.press("c")
	if len(d.other) == 0 || !strings.Contains(d.other[len(d.other)-1], "hello, is somebody there?") {
		t.Errorf("copied %q", d.other)
	}
	d.press("up", "up", "+")
	d.sees("> /react")
	d.send(tea.KeyPressMsg{Code: '🎉', Text: "🎉"})
	d.press("enter")
	d.pass(time.Second)
	d.asked("react id-lobby m3 🎉 false")
}

func TestSearch(t *testing.T) {
	f := newFake()
	r := f.room("long", "alice", "bob")
	for i := range 1000 {
		who, text := "alice", "nothing of interest"
		if i%4 == 0 {
			who, text = "bob", "the needle"
		}
		f.says(r, who, text)
	}
	r.Read, r.Unread = r.messages[999].ID, 0
	d := sit(t, f, 80, 20, "long")
	d.enter("/search needle")
	d.sees("found in #long: needle", "the needle")
	for range 220 {
		d.press("down")
	}
	d.press("enter")
	d.pass(time.Second)
	if want := r.messages[996-220*4].ID; d.m.picked != want {
		t.Errorf("picked %q, not %q", d.m.picked, want)
	}
	d.sees("the needle", "nothing of interest")
	d.press("esc")
	d.enter("/search zzz")
	d.sees("nothing")
}

// What is typed in a room stays there while others are shown.
func TestDrafts(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 24, "lobby")
	d.press("h", "a", "l", "alt+down")
	d.sees("> @alice")
	if got := d.m.open.input.text(); got != "" {
		t.Errorf("%q is in another room", got)
	}
	d.sees("#lobby", "✎")
	d.press("y", "alt+up")
	d.sees("> hal")
	d.press("alt+a")
	d.sees("> #builds", "!09:04 bot        build 17 @me failed")
}

func TestTypingAndBell(t *testing.T) {
	f, r := lobby()
	d := sit(t, f, 100, 24, "lobby")
	count := func() (n int) {
		for _, a := range f.asked {
			if a == "typing id-lobby" {
				n++
			}
		}
		return n
	}
	d.press("a", "b", "c")
	if n := count(); n != 1 {
		t.Errorf("told %d times that the user is typing", n)
	}
	d.pass(5 * time.Second)
	d.press("d")
	if n := count(); n != 2 {
		t.Errorf("told %d times after a while", n)
	}
	d.happen(api.RoomEvent{Type: api.RoomTyping, Room: r.ID, Who: "alice"}, api.RoomEvent{Type: api.RoomTyping, Room: r.ID, Who: "bob"})
	d.sees("alice, bob are writing…")
	d.message(r, "bob", "done")
	d.sees("alice is writing…")
	d.pass(7 * time.Second)
	d.seesNot("writing")

	bells := func() (n int) {
		for _, o := range d.other {
			if strings.Contains(o, "\a") {
				n++
			}
		}
		return n
	}
	d.message(r, "bob", "@me looked at")
	if n := bells(); n != 0 {
		t.Errorf("the bell rang for what is looked at")
	}
	d.send(tea.BlurMsg{})
	d.message(r, "bob", "nothing that matters")
	d.message(f.rooms[1], "bot", "@me failed")
	d.message(f.rooms[2], "alice", "for you alone")
	if n := bells(); n != 2 {
		t.Errorf("the bell rang %d times, not 2", n)
	}
}

func TestMouse(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 24, "lobby")
	d.send(tea.MouseClickMsg{Button: tea.MouseLeft, X: 5, Y: 1})
	d.sees("> #builds")
	d.send(tea.MouseClickMsg{Button: tea.MouseLeft, X: 5, Y: 2})
	d.pass(time.Second)
	d.send(tea.MouseClickMsg{Button: tea.MouseLeft, X: 90, Y: 2})
	d.sees("> @alice")
	d.send(tea.MouseClickMsg{Button: tea.MouseLeft, X: 50, Y: 21})
	if d.m.picked != "m3" {
		t.Errorf("picked %q\n%s", d.m.picked, d.frame())
	}
}
