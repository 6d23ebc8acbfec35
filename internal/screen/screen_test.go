package screen

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

func TestWhatIsSeen(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 24, "lobby")
	d.sees("#lobby", "whatever comes", "3 of 4 here", "> #lobby", "#builds", "@1 1", "@alice", "Monday, 30 November 2026",
		"09:01 alice", "hello, is somebody there?", "I am ✓✓", "good morning, see https://example.org/a_b_c", "● alice", "○ bob", "me * you")
	d.seesNot("*good*")
	if want := "(1, @1) #lobby – tenon chat"; d.m.View().WindowTitle != want {
		t.Errorf("the window is called %q, not %q", d.m.View().WindowTitle, want)
	}
}

// What is typed is said; what others say comes; what comes twice is there once.
func TestTalking(t *testing.T) {
	f, r := lobby()
	d := sit(t, f, 80, 20, "lobby")
	d.enter("hi all")
	d.asked("say id-lobby hi all")
	d.sees("me         hi all …")
	said := r.messages[len(r.messages)-1]
	d.happen(api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Message: &said}, api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Message: &said})
	if n := strings.Count(d.frame(), "hi all"); n != 1 {
		t.Errorf("it is there %d times:\n%s", n, d.frame())
	}
	d.message(r, "carol", "welcome")
	d.sees("carol      welcome")
	d.asked("read id-lobby " + r.messages[len(r.messages)-1].ID)

	// What has become of one's own is shown when others tell.
	r.messages[len(r.messages)-2].Delivery = &api.RoomDelivery{State: "delivered", Delivered: 1, Others: 3}
	d.happen(api.RoomEvent{Type: api.RoomMarks, Room: r.ID, Who: "carol"})
	d.sees("hi all ✓")

	// Edited, deleted, reacted to.
	e := r.messages[2]
	e.Text, e.Edited, e.Reactions = "good evening", d.time, []api.RoomReaction{{Emoji: "👍", From: []string{"me", "carol"}, Mine: true}}
	d.happen(api.RoomEvent{Type: api.RoomChanged, Room: r.ID, Message: &e})
	d.sees("good evening (edited)", "👍 me, carol")
	e.Deleted = true
	d.happen(api.RoomEvent{Type: api.RoomChanged, Room: r.ID, Message: &e})
	d.sees("(deleted)")
	d.seesNot("good evening")
}

// A node that is not there takes nothing: what was typed is typed still. When it is there again, all that was said
// meanwhile comes, once.
func TestTheNodeGoesAndComes(t *testing.T) {
	f, r := lobby()
	d := sit(t, f, 80, 20, "lobby")
	f.down = true
	d.send(happened{lost: errDown})
	d.sees("no answer from the node, trying again: no node is running")
	d.enter("lost?")
	d.sees("> lost?", "not said: no node is running")
	f.down = false
	f.says(r, "alice", "said meanwhile")
	d.happen(api.RoomEvent{Type: api.RoomsReady})
	d.pass(time.Second)
	d.seesNot("no answer")
	d.sees("said meanwhile", "> lost?")
	d.press("enter")
	d.pass(time.Second)
	for _, want := range []string{"said meanwhile", "lost?"} {
		if n := strings.Count(d.frame(), want); n != 1 {
			t.Errorf("%q is there %d times:\n%s", want, n, d.frame())
		}
	}
}

// Lines are said in the order in which they were typed, however long the node takes for one.
func TestOrderOfWhatIsSaid(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 80, 20, "lobby")
	var waiting []tea.Cmd
	ask := d.m.world.ask
	d.m.world.ask = func(q func(context.Context) answer) tea.Cmd {
		cmd := ask(q)
		return func() tea.Msg { waiting = append(waiting, cmd); return nil }
	}
	for i := range 3 {
		d.m.open.input.set(fmt.Sprint("line ", i))
		d.press("enter")
	}
	d.m.open.input.set("/quit")
	d.press("enter")
	if d.ended {
		t.Error("it has ended, and not all was said")
	}
	for len(waiting) > 0 {
		cmd := waiting[len(waiting)-1] // the last that was asked is answered first
		waiting = waiting[:len(waiting)-1]
		d.run(cmd)
	}
	var said []string
	for _, a := range f.asked {
		if strings.HasPrefix(a, "say") {
			said = append(said, a)
		}
	}
	if got := strings.Join(said, "; "); got != "say id-lobby line 0; say id-lobby line 1; say id-lobby line 2" {
		t.Errorf("said: %s", got)
	}
	if !d.ended {
		t.Error("it has not ended when all was said")
	}
}

// A room with many unread messages is opened where they begin, and what was read is told as it is seen.
func TestUnread(t *testing.T) {
	f, _ := lobby()
	r := f.room("busy", "alice")
	for i := range 500 {
		f.says(r, "alice", fmt.Sprint("message number ", i))
	}
	r.Read, r.Unread = r.messages[99].ID, 400
	d := sit(t, f, 80, 20, "busy")
	d.sees("── new ──", "message number 100", "message number 110", "↓ End")
	d.seesNot("message number 140", "message number 499")
	if r.Unread == 0 || r.Unread > 395 {
		t.Errorf("%d are unread", r.Unread)
	}
	for range 10 {
		d.press("pgdown")
		d.pass(time.Second)
	}
	d.sees("message number 260")
	d.press("end")
	d.pass(time.Second)
	d.sees("message number 499")
	if r.Unread != 0 {
		t.Errorf("%d are unread at the end", r.Unread)
	}

	// A few unread: the line stands above them, until something is said.
	d.send(tea.BlurMsg{})
	e := d.message(r, "alice", "while you were away")
	if r.Unread != 1 || r.Read == e.ID {
		t.Errorf("what came while nobody looked was read")
	}
	d.send(tea.FocusMsg{})
	d.pass(time.Second)
	d.sees("── new ──")
	if r.Unread != 0 {
		t.Errorf("what is looked at was not read")
	}
}

// Of a room of any size, a page is asked for at a time, and a bounded number of entries is kept.
func TestScrolling(t *testing.T) {
	f := newFake()
	r := f.room("long", "alice")
	for i := range 2500 {
		f.says(r, "alice", fmt.Sprint("message number ", i, "."))
	}
	r.Read, r.Unread = r.messages[2499].ID, 0
	d := sit(t, f, 80, 20, "long")
	d.sees("message number 2499.")
	if n := len(d.m.open.entries); n > 2*pageSize {
		t.Errorf("%d entries were loaded to show the end", n)
	}
	for i := range 200 {
		d.press("pgup")
		if n := len(d.m.open.entries); n > maxWindow {
			t.Fatalf("%d entries are kept after %d pages", n, i)
		}
	}
	d.sees("message number 0.", "Monday, 30 November 2026")
	first := d.frame()
	d.press("pgup")
	if d.frame() != first {
		t.Errorf("it goes above the first:\n%s", d.frame())
	}

	// What comes while something old is looked at does not move it.
	d.message(r, "alice", "something new")
	if got := d.frame(); strings.Contains(got, "something new") || !strings.Contains(got, "message number 0.") {
		t.Errorf("what came moved it:\n%s", got)
	}

	// Line by line back to the end, nothing is left out and nothing is there twice.
	next := 0
	for range 850 {
		for _, l := range strings.Split(d.frame(), "\n") {
			if _, n, ok := strings.Cut(l, "message number "); ok {
				var i int
				if _, err := fmt.Sscanf(n, "%d.", &i); err != nil {
					t.Fatal(l)
				}
				if i > next {
					t.Fatalf("message %d is missing before\n%s", next, d.frame())
				}
				if i == next {
					next++
				}
			}
		}
		d.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown, X: 40, Y: 5})
	}
	d.sees("something new")
	if next != 2500 {
		t.Errorf("seen up to %d", next)
	}
	d.press("ctrl+home")
	d.press("end")
	d.pass(time.Second)
	d.sees("something new")
}

// What comes late is marked, and said where it is not seen.
func TestLate(t *testing.T) {
	f, r := lobby()
	for i := range 50 {
		f.says(r, "alice", fmt.Sprint("filler ", i))
	}
	r.Read, r.Unread = r.messages[len(r.messages)-1].ID, 0
	d := sit(t, f, 80, 20, "lobby")
	late := r.messages[5]
	late.ID, late.Text, late.Late, late.Time = "late1", "from the train", true, late.Time.Add(time.Second)
	r.messages = append(r.messages[:6:6], append([]api.RoomMessage{late}, r.messages[6:]...)...)
	d.happen(api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Message: &late})
	d.pass(time.Second)
	d.sees("↑ 1 late message")
	d.seesNot("from the train")
	d.press("alt+l")
	d.sees("from the train [late]")
	d.press("esc")
	d.seesNot("↑ 1 late")
}
