package screen

import (
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/node/api"
)

// shown writes cells with their attributes as marks: b bold, i italic, u underlined, c code.
func shown(l line) string {
	var b strings.Builder
	last := ""
	for _, c := range l {
		now := ""
		for a, letter := range map[attr]string{bold: "b"} {
			if c.style.attr&a != 0 {
				now += letter
			}
		}
		if c.style.attr&italic != 0 {
			now += "i"
		}
		if c.style.attr&underline != 0 {
			now += "u"
		}
		if c.style.tone == code {
			now += "c"
		}
		if now != last {
			b.WriteString("<" + now + ">")
			last = now
		}
		b.WriteString(c.text)
	}
	return b.String()
}

func TestMarkup(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                            "plain",
		"*bold* and _slanted_":             "<b>bold<> and <i>slanted",
		"2*3*4 snake_case_name":            "2*3*4 snake_case_name",
		"*not closed":                      "*not closed",
		"* a list * of stars":              "* a list * of stars",
		"*a _b_ c*":                        "<b>a <bi>b<b> c",
		"`*code*` and ` alone":             "<c>`*code*`<> and ` alone",
		"https://a.example/_x_y_?*q* *b*":  "<u>https://a.example/_x_y_?*q<>* <b>b",
		"(see http://x.example/a).":        "(see <u>http://x.example/a<>).",
		"javascript:alert(1) ftp://x":      "javascript:alert(1) ftp://x",
		"hi @alice, mail a@b.example @":    "hi <b>@alice<>, mail a@b.example @",
		"[here](https://evil.example/)":    "[here](<u>https://evil.example/<>)",
		"```\nfunc  *x*()\n```\nafter *b*": "<c>func  *x*()|<b>b",
		"```go\nnever closed":              "```go|never closed",
		"tab\there":                        "tab    here",
		"**":                               "**", "*": "*", "_": "_", "`": "`", "``": "``", "@": "@",
	} {
		var got []string
		for _, p := range markup(ansi.WcWidth, in, style{}) {
			got = append(got, shown(p.line))
		}
		w := strings.ReplaceAll(want, "after ", "")
		if g := strings.ReplaceAll(strings.Join(got, "|"), "after ", ""); g != w {
			t.Errorf("%q is shown as %q, not %q", in, g, w)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"one two three", 7, "one two|three"}, {"one two three", 5, "one|two|three"}, {"abcdefgh", 3, "abc|def|gh"},
		{"   code indented", 8, "   code|indented"}, {"日本語の文", 5, "日本|語の|文"}, {"日本", 1, "?|?"}, {"", 5, ""},
		{"ab cd", 2, "ab|cd"}, {"ab  cd", 3, "ab |cd"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301|e\u0301"},
	} {
		var got []string
		for _, l := range text(ansi.WcWidth, c.in, style{}).wrap(c.width) {
			s := ""
			for _, x := range l {
				s += x.text
			}
			got = append(got, s)
		}
		if g := strings.Join(got, "|"); g != c.want {
			t.Errorf("%q in %d: %q, not %q", c.in, c.width, g, c.want)
		}
	}
}

func TestEditor(t *testing.T) {
	for keys, want := range map[string]string{
		"a b c left left X":                        "aXbc",
		"a b home X end Y":                         "XabY",
		"o n e alt+enter t w o up X home Y":        "YoneX\ntwo",
		"a b c d left left ctrl+k":                 "ab",
		"a b c d left left ctrl+u":                 "cd",
		"a b c left backspace delete":              "a",
		"a alt+enter b alt+enter c up up X down Y": "aX\nbY\nc",
	} {
		f, _ := lobby()
		d := sit(t, f, 80, 24, "lobby")
		d.press(strings.Fields(keys)...)
		if got := d.m.open.input.text(); got != want {
			t.Errorf("%s: %q, not %q", keys, got, want)
		}
	}
	var e editor
	for _, s := range []string{"e", "\u0301", "👩", "\u200d", "💻"} {
		e.insert(s)
	}
	if len(e.units) != 2 || e.at != 2 {
		t.Errorf("%q, at %d", e.units, e.at)
	}
	e.set("one two  three")
	e.cut(e.word(-1), e.at)
	if e.text() != "one two  " || e.word(-1) != 4 {
		t.Errorf("%q, a word begins at %d", e.text(), e.word(-1))
	}
}

// A long input shows the part with the cursor, and leaves space for what was said.
func TestLongInput(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 40, 12, "lobby")
	d.send(tea.PasteMsg{Content: strings.Repeat("line of text\n", 50) + "last"})
	d.sees("last", "good morning")
	for range 60 {
		d.press("up")
	}
	if v := d.m.View(); v.Cursor == nil {
		t.Error("there is no cursor")
	}
}

// hostileMessage is what somebody may want others to have on their terminals, in every field there is.
func hostileMessage(s string) api.RoomMessage {
	return api.RoomMessage{ID: "x", Kind: "text", Time: began, From: s, FromID: s, Text: s, Reply: &api.RoomQuote{ID: "y", From: s, Text: s},
		File: &api.RoomFile{Name: s, Size: 1, Media: s, Ticket: s}, Reactions: []api.RoomReaction{{Emoji: s, From: []string{s, s}}}}
}

// tags are those in flags of emoji.
var tags = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0xe0061, Hi: 0xe007f, Stride: 1}}}

// No frame has a control character, or one that turns the direction of writing around, whatever others write, and
// each is as large as the window.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		"plain", "x\x1b[2J\r\nforged\u202e\u0085\x07\xff", "שלום עולם مرحبا", "👩‍💻👨‍👩‍👧‍👦🏳️‍🌈", "e\u0301\u0301\u0301" + strings.Repeat("\u0301", 200),
		"日本語テキスト", "\u0301 alone", "\u200d\u200b\ufeff\u2066x\u2069", "```\n\x1b]52;c;aGk=\x07\n```", strings.Repeat("long", 200), "\u1160\u115f\u3164",
		"/me \x9b31m", "*_*_*_x_*_*_*", "a\tb\vc\x00", "🇩🇪🇫", "ﷺ﷽", "\U000e0001\U000e007f", "`\x1b`", "@\u202d", "ก็็็็็็็็",
		"می\u200cخواهم क्\u200dष \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "x\u200d\u200c \u200d",
	} {
		f.Add(s, uint8(80), uint8(24), false)
		f.Add(s, uint8(20), uint8(5), true)
	}
	f.Fuzz(func(t *testing.T, s string, width, height uint8, clusters bool) {
		n, _ := lobby()
		r := n.rooms[0]
		r.Name, r.Topic = s, s
		n.rooms[1].Name = s
		r.members[1].Name, r.members[1].ID = s, s
		n.offers = []api.RoomOffer{{ID: "z", Name: s, From: s}}
		r.messages = append(r.messages, hostileMessage(s), api.RoomMessage{ID: "c", Kind: kindControl, Time: began, Text: s})
		r.Pinned = []api.RoomMessage{hostileMessage(s)}
		d := sit(t, n, int(width), int(height), "id-lobby")
		if clusters {
			d.send(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset})
		}
		looks := func() {
			v := d.m.View()
			for _, shown := range []string{ansi.Strip(v.Content), v.WindowTitle} {
				before := ' '
				for _, r := range shown {
					joins := before != ' ' && before != '\n' && (r == '\u200c' || r == '\u200d' || unicode.Is(tags, r)) // see neutral.Prose
					if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && !joins || r == '\u2028' || r == '\u2029' {
						t.Fatalf("%q shows %U in\n%q", s, r, shown)
					}
					before = r
				}
			}
		}
		d.happen(api.RoomEvent{Type: api.RoomTyping, Room: r.ID, Who: s})
		looks()
		d.send(happened{lost: errDown})
		d.happen(api.RoomEvent{Type: api.RoomsReady})
		d.send(tea.PasteMsg{Content: s})
		looks()
		for _, key := range []string{"tab", "ctrl+c", "up", "up", "x", "o", "esc", "esc", "f2", "f2", "f1", "end", "f1"} {
			d.press(key)
			looks()
		}
		d.m.open.input.set("")
		for _, c := range []string{"/pins", "/names", "/search " + firstLine(s), "/topic", "/kick " + s, "/nosuch" + s} {
			d.m.mode = nil
			d.run(d.m.command(d.m.open, c))
			d.check()
			looks()
		}
		d.pass(10 * time.Second)
	})
}

// Any size of the window is drawn, in every mode.
func TestSizes(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 80, 24, "lobby")
	for _, keys := range [][]string{{}, {"up"}, {"f1"}, {"f2"}} {
		d.press("esc")
		d.press(keys...)
		for w := 1; w < 130; w += 1 + w/8 {
			for h := 1; h < 40; h += 1 + h/5 {
				d.send(tea.WindowSizeMsg{Width: w, Height: h})
			}
		}
		d.send(tea.WindowSizeMsg{Width: 0, Height: 0})
		d.send(tea.WindowSizeMsg{Width: 20, Height: 5})
	}
}
