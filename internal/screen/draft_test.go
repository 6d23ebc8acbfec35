package screen

import (
	"context"
	"errors"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// types types text, without Enter.
func (d *desk) types(s string) {
	for _, r := range s {
		d.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

// keeps looks at what the node keeps of a room.
func (d *desk) keeps(room, text string) {
	d.t.Helper()
	got := ""
	for _, x := range d.node.drafts {
		if x.Room == room {
			got = x.Text
		}
	}
	if got != text {
		d.t.Errorf("%q is kept of %s, not %q", got, room, text)
	}
}

// What was typed and not sent stays with its room, and is there in the next screen; also what it answers.
func TestDraftStays(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 20, "lobby")
	d.types("half a thought")
	d.press("alt+down")
	d.types("another one")
	d.pass(2 * time.Second)
	d.keeps("id-lobby", "half a thought")
	d.keeps("id-alice", "another one")

	d = sit(t, f, 100, 20, "lobby")
	d.sees("half a thought", "✎")
	d.press("enter")
	d.pass(2 * time.Second)
	d.keeps("id-lobby", "")
	d.keeps("id-alice", "another one")
	d.press("up", "up", "r") // which answers
	d.types("so it is")
	d.pass(2 * time.Second)

	d = sit(t, f, 100, 20, "lobby")
	d.sees("answers", "so it is")
	d.press("enter")
	d.pass(2 * time.Second)
	if said := d.m.open.entries[len(d.m.open.entries)-1]; said.Reply == nil || said.Text != "so it is" {
		t.Errorf("said is %+v", said.RoomMessage)
	}
	d.keeps("id-lobby", "")
}

// A draft is gone when it was sent, and not before; who takes it away has none.
func TestDraftGoes(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 20, "lobby")
	d.types("never to be said")
	d.pass(2 * time.Second)
	d.press("ctrl+c")
	d.pass(2 * time.Second)
	d.keeps("id-lobby", "")
	d.types("to be said later")
	d.pass(2 * time.Second)
	f.restart(false)
	d.press("enter")
	d.pass(2 * time.Second)
	d.sees("not said")
	d.keeps("id-lobby", "to be said later")
	d.types("!")
	d.pass(2 * time.Second)
	f.restart(true)
	d.happen(api.RoomEvent{Type: api.RoomsReady})
	d.pass(2 * time.Second)
	d.keeps("id-lobby", "to be said later!")
	d.press("enter")
	d.pass(2 * time.Second)
	d.keeps("id-lobby", "")
}

// What is typed before drafts have come is not replaced by one, which a key brings back; what is kept is harmless.
func TestDraftComesLate(t *testing.T) {
	f, _ := lobby()
	f.drafts = []api.RoomDraft{{Room: "id-lobby", Text: "old \x1b[31mred"}}
	d := sit(t, f, 100, 20, "")
	d.m.drafts.loaded = false
	d.m.show("id-lobby")
	d.m.open.input.set("new")
	d.happen(api.RoomEvent{Type: api.RoomsReady})
	d.pass(2 * time.Second)
	d.keeps("id-lobby", "new")
	d.press("ctrl+p")
	d.sees("old [31mred")
}

// Whatever ends the screen, what was typed is kept.
func TestRunKeepsDrafts(t *testing.T) {
	f, _ := lobby()
	ctx, end := context.WithCancelCause(t.Context())
	x := start(t, ctx, f, "lobby")
	x.out.sees(t, "hello, is somebody there?")
	x.types(t, "§") // one character is drawn at once
	x.out.sees(t, "§")
	end(errors.New("hang-up"))
	<-x.done
	if len(f.drafts) != 1 || f.drafts[0].Text != "§" {
		t.Errorf("kept is %+v", f.drafts)
	}
	x = start(t, t.Context(), f, "lobby")
	x.out.sees(t, "§")
	x.types(t, "\x03\x03\x03") // taken away, and ended twice
	if err := <-x.done; err != nil || len(f.drafts) != 0 {
		t.Errorf("%v, kept is %+v", err, f.drafts)
	}
}
