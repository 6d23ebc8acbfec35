package screen

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A desk is a model in front of which somebody sits. What is asked is answered at once, and time passes when it is
// told to.
type desk struct {
	t     testing.TB
	m     *model
	node  *fake
	time  time.Time
	later []due
	other []string // what the terminal was asked for
	ended bool
}

type due struct {
	at     time.Time
	answer answer
}

func sit(t testing.TB, f *fake, width, height int, open string) *desk {
	d := &desk{t: t, node: f, time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	w := world{
		ask: func(q func(context.Context) answer) tea.Cmd {
			return func() tea.Msg { return q(t.Context()) }
		},
		after: func(in time.Duration, a answer) tea.Cmd {
			d.later = append(d.later, due{d.time.Add(in), a})
			return nil
		},
		begin: func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
		now:   func() time.Time { return d.time },
	}
	d.m = newModel(f, w, Options{zone: time.UTC, Downloads: "/downloads"})
	first, err := find(t.Context(), f, open)
	if err != nil {
		t.Fatal(err)
	}
	d.m.openFirst(first)
	d.send(tea.WindowSizeMsg{Width: width, Height: height})
	d.run(d.m.Init())
	d.happen(api.RoomEvent{Type: api.RoomsReady})
	d.pass(time.Second)
	return d
}

// send gives the model a message, and does what it wants done.
func (d *desk) send(msg tea.Msg) {
	_, cmd := d.m.Update(msg)
	d.run(cmd)
	d.check()
}

func (d *desk) run(cmd tea.Cmd) {
	if cmd == nil || d.ended {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			d.run(c)
		}
	case answer:
		d.send(msg)
	case tea.QuitMsg:
		d.ended = true
	default:
		d.other = append(d.other, fmt.Sprintf("%T%v", msg, msg))
	}
}

// pass has time pass, and with it what was to be done later.
func (d *desk) pass(by time.Duration) {
	until := d.time.Add(by)
	for {
		i := -1
		for j, x := range d.later {
			if !x.at.After(until) && (i < 0 || x.at.Before(d.later[i].at)) {
				i = j
			}
		}
		if i < 0 {
			break
		}
		x := d.later[i]
		d.later = slices.Delete(d.later, i, i+1)
		if x.at.After(d.time) {
			d.time = x.at
		}
		d.send(x.answer)
	}
	d.time = until
}

func (d *desk) happen(events ...api.RoomEvent) { d.send(happened{events: events}) }

// message has somebody say something, and the model hear of it.
func (d *desk) message(r *fakeRoom, who, text string) api.RoomMessage {
	e := d.node.says(r, who, text)
	d.happen(api.RoomEvent{Type: api.RoomNewMessage, Room: r.ID, Name: r.Name, Message: &e})
	d.pass(time.Second)
	return e
}

var keyCodes = map[string]tea.KeyPressMsg{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "tab": {Code: tea.KeyTab}, "backspace": {Code: tea.KeyBackspace},
	"delete": {Code: tea.KeyDelete}, "f1": {Code: tea.KeyF1}, "f2": {Code: tea.KeyF2}, "f3": {Code: tea.KeyF3},
	"alt+enter": {Code: tea.KeyEnter, Mod: tea.ModAlt}, "alt+up": {Code: tea.KeyUp, Mod: tea.ModAlt}, "alt+down": {Code: tea.KeyDown, Mod: tea.ModAlt},
	"shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "ctrl+end": {Code: tea.KeyEnd, Mod: tea.ModCtrl}, "ctrl+home": {Code: tea.KeyHome, Mod: tea.ModCtrl},
}

// press presses keys, by their names.
func (d *desk) press(names ...string) {
	for _, n := range names {
		k, ok := keyCodes[n]
		if mod, letter, has := strings.Cut(n, "+"); !ok && has && len(letter) == 1 {
			k = tea.KeyPressMsg{Code: rune(letter[0]), Mod: map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt}[mod]}
			ok = k.Mod != 0
		}
		if !ok {
			k = tea.KeyPressMsg{Code: []rune(n)[0], Text: n}
		}
		if k.String() != n && k.Text != n {
			d.t.Fatalf("%q is the key %q", n, k.String())
		}
		d.send(k)
	}
}

// enter types a line and Enter.
func (d *desk) enter(s string) {
	for _, r := range s {
		d.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	d.press("enter")
	d.pass(time.Second)
}

// frame returns what is seen, without styles and without spaces at the ends of lines.
func (d *desk) frame() string {
	lines := strings.Split(ansi.Strip(d.m.View().Content), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// check says what is true of every frame: it is as large as the window, and moves nothing.
func (d *desk) check() {
	d.t.Helper()
	v := d.m.View()
	if d.m.width <= 0 || d.m.height <= 0 {
		return
	}
	lines := strings.Split(v.Content, "\n")
	if len(lines) != d.m.height {
		d.t.Fatalf("%d lines of %d:\n%s", len(lines), d.m.height, d.frame())
	}
	for _, l := range lines {
		if w := d.m.method.StringWidth(l); w != d.m.width {
			d.t.Fatalf("%q is %d wide, not %d:\n%s", ansi.Strip(l), w, d.m.width, d.frame())
		}
	}
	if c := v.Cursor; c != nil && (c.X < 0 || c.X >= d.m.width || c.Y < 0 || c.Y >= d.m.height) {
		d.t.Fatalf("the cursor is at %d,%d of %dx%d", c.X, c.Y, d.m.width, d.m.height)
	}
}

func (d *desk) sees(want ...string) {
	d.t.Helper()
	for _, w := range want {
		if !strings.Contains(d.frame(), w) {
			d.t.Errorf("no %q in\n%s", w, d.frame())
		}
	}
}

func (d *desk) seesNot(bad ...string) {
	d.t.Helper()
	for _, b := range bad {
		if strings.Contains(d.frame(), b) {
			d.t.Errorf("%q in\n%s", b, d.frame())
		}
	}
}

// asked tells whether the node was asked for this.
func (d *desk) asked(want string) {
	d.t.Helper()
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	if !slices.Contains(d.node.asked, want) {
		d.t.Errorf("%q was not asked, but\n%s", want, strings.Join(d.node.asked, "\n"))
	}
}

// lobby is a node with some rooms and what one says there.
func lobby() (*fake, *fakeRoom) {
	f := newFake()
	r := f.room("lobby", "alice", "bob", "carol")
	r.Topic = "whatever comes"
	f.says(r, "alice", "hello, is somebody there?")
	f.says(r, "me", "I am")
	f.says(r, "bob", "*good* morning, see https://example.org/a_b_c")
	r.messages[1].Delivery = &api.RoomDelivery{State: "read", Kept: 2, Delivered: 3, Read: 1, Others: 3}
	r.Read, r.Unread = "m3", 0
	other := f.room("builds", "bot")
	f.says(other, "bot", "build 17 @me failed")
	dm := f.room("alice", "alice")
	dm.Direct = true
	f.says(dm, "me", "lunch?")
	return f, r
}
