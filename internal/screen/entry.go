package screen

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A surface is what is drawn on.
type surface struct {
	method ansi.Method // how wide the terminal takes characters for
	light  bool        // the background is
	zone   *time.Location
}

// A look is what the lines of an entry depend on, besides itself.
type look struct {
	width  int
	method ansi.Method
	joined bool // it goes on with what the same one has said just before
	open   bool
}

const (
	together = 5 * time.Minute // what somebody says in that time stands together
	maxLines = 60              // of an entry that nobody has opened
	columns  = 48              // with fewer, names stand above what was said
)

// lines returns an entry as it is drawn, with what stands above it.
func (t *talk) lines(i int) []line {
	e := &t.entries[i]
	var prev *entry
	if i > 0 {
		prev = &t.entries[i-1]
	}
	local := e.Time.In(t.zone)
	day := prev == nil || prev.Time.In(t.zone).Format(time.DateOnly) != local.Format(time.DateOnly)
	marked := prev != nil && prev.ID == t.mark || prev == nil && t.mark == before && t.older == ""
	joined := !day && !marked && prev.Kind != kindControl && e.Kind != kindControl && prev.FromID == e.FromID && e.Time.Sub(prev.Time) < together
	now := look{t.width, t.method, joined, e.open}
	if e.drawn == nil || e.look != now {
		e.look, e.drawn = now, t.body(e, now)
	}
	if !day && !marked {
		return e.drawn
	}
	var head []line
	if day {
		head = append(head, t.rule(local.Format("Monday, 2 January 2006"), style{attr: faint}))
	}
	if marked {
		head = append(head, t.rule("new", style{warning, bold}))
	}
	return append(head, e.drawn...)
}

// rule is a line with a word in it.
func (t *talk) rule(word string, st style) line {
	l := text(t.method, "── "+word+" ", st)
	return l.add(t.method, strings.Repeat("─", max(t.width-l.width(), 0)), st).cut(t.width)
}

// body is an entry alone.
func (t *talk) body(e *entry, k look) []line {
	if e.Kind == kindControl {
		return t.control(e)
	}
	indent, first := 2, line(nil)
	who := style{person(e.FromID), bold}
	clock := e.Time.In(t.zone).Format("15:04")
	wide := t.width >= columns
	var out []line
	if wide {
		names := min(max(t.width/6, 8), 16)
		indent = 8 + names
		first = text(t.method, t.gutter(e)+clock+" ", style{attr: faint})
		if k.joined {
			first = first.pad(indent, style{})
		} else {
			first = append(first, text(t.method, e.From, who).pad(names, style{})...).pad(indent, style{})
		}
	} else if !k.joined {
		head := text(t.method, t.gutter(e), style{attr: faint}).add(t.method, e.From, who)
		out = append(out, head.add(t.method, " "+clock, style{attr: faint}).clip(t.width))
	}
	space := max(t.width-indent, 1)
	content := t.content(e, space)
	if marks := t.marks(e); len(marks) > 0 {
		last := &content[len(content)-1]
		if last.width()+marks.width() <= space {
			*last = append((*last)[:len(*last):len(*last)], marks...)
		} else {
			content = append(content, marks[1:].clip(space))
		}
	}
	if extra := len(content) - maxLines; extra > 0 && !k.open {
		note := fmt.Sprintf("… %d lines more: Up, and then x, shows them", extra)
		content = append(content[:maxLines:maxLines], text(t.method, note, style{attr: faint}).clip(space))
	}
	if len(e.Reactions) > 0 {
		content = append(content, t.reactions(e).wrap(space)...)
	}
	for i, l := range content {
		margin := first
		if i > 0 || !wide {
			margin = line(nil).pad(indent, style{})
		}
		out = append(out, append(margin[:len(margin):len(margin)], l...))
	}
	return out
}

// gutter is the sign in front of an entry.
func (t *talk) gutter(e *entry) string {
	if e.MentionMe {
		return "!"
	}
	return " "
}

func (t *talk) control(e *entry) []line {
	l := text(t.method, " "+e.Time.In(t.zone).Format("15:04")+" · "+e.Text, style{attr: faint})
	if t.width < columns {
		l = text(t.method, " · "+e.Text, style{attr: faint})
	}
	return l.wrap(t.width)
}

// content is what an entry says.
func (t *talk) content(e *entry, width int) (out []line) {
	quiet := style{attr: faint | italic}
	switch {
	case e.Deleted:
		return text(t.method, "(deleted)", quiet).wrap(width)
	case e.Erased:
		return text(t.method, "(what it said is not there any more)", quiet).wrap(width)
	case e.Waiting:
		return text(t.method, "(it cannot be read: its key is on its way, or it was said before you came)", quiet).wrap(width)
	}
	if q := e.Reply; q != nil {
		said := "a message that is not here"
		if q.From != "" {
			said = saidBy(q.From, firstLine(q.Text))
		}
		out = append(out, text(t.method, "┃ "+said, style{attr: faint}).clip(width))
	}
	if f := e.File; f != nil {
		l := text(t.method, "file ", style{attr: faint}).add(t.method, fileWords(f), style{accent, bold})
		if x := t.fetched[e.ID]; x != nil {
			st := style{}
			if x.bad {
				st = style{warning, 0}
			}
			l = l.add(t.method, "  "+x.words, st)
		}
		out = append(out, l.wrap(width)...)
	}
	if e.Text == "" {
		if len(out) == 0 {
			out = []line{nil}
		}
		return out
	}
	words := e.Text
	if did, ok := api.Action(words); ok && e.File == nil {
		words = "* " + e.From + " " + did
	}
	for _, p := range markup(t.method, words, style{}) {
		if !p.code {
			out = append(out, p.line.wrap(width)...)
			continue
		}
		for _, l := range p.line.wrap(max(width-2, 1)) {
			out = append(out, append(text(t.method, "│ ", style{attr: faint}), l...).cut(max(width, 1)))
		}
	}
	return out
}

// marks is what stands behind an entry.
func (t *talk) marks(e *entry) (l line) {
	add := func(s string, st style) { l = l.add(t.method, " "+s, st) }
	if e.Late {
		add("[late]", style{warning, 0})
	}
	if !e.Edited.IsZero() && !e.Deleted {
		add("(edited)", style{attr: faint})
	}
	if e.Pinned {
		add("[pinned]", style{accent, 0})
	}
	if e.Delivery != nil && !e.Deleted {
		add(deliverySign(e.Delivery), style{attr: faint})
	}
	return l
}

// deliverySign is what has become of a message of the user's, in little space.
func deliverySign(d *api.RoomDelivery) string {
	switch d.State {
	case "sent":
		return "·"
	case "delivered":
		return "✓"
	case "read":
		return "✓✓"
	}
	return "…"
}

// deliveryWords says the same in words.
func deliveryWords(d *api.RoomDelivery) string {
	switch d.State {
	case "sent":
		return "sent: kept by " + number(d.Kept, "device")
	case "delivered":
		return fmt.Sprintf("delivered to %d of %d", d.Delivered, d.Others)
	case "read":
		return fmt.Sprintf("delivered to %d of %d, read by %d", d.Delivered, d.Others, d.Read)
	}
	return "queued: nobody has it yet"
}

func (t *talk) reactions(e *entry) (l line) {
	for i, r := range e.Reactions {
		if i > 0 {
			l = l.add(t.method, "  ", style{})
		}
		st := style{attr: faint}
		if r.Mine {
			st = style{accent, bold}
		}
		who := strings.Join(r.From, ", ")
		if len(r.From) > 3 {
			who = fmt.Sprint(len(r.From))
		}
		l = l.add(t.method, r.Emoji+" ", style{}).add(t.method, who, st)
	}
	return l
}

// saidBy says in a line who has said something, or done.
func saidBy(who, said string) string {
	if did, ok := api.Action(said); ok {
		return "* " + who + " " + did
	}
	return who + ": " + said
}

// firstLine is the first line of a text that says something.
func firstLine(s string) string {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return ""
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// fileWords says what a file is.
func fileWords(f *api.RoomFile) string {
	s := f.Name
	if f.Size > 0 {
		s += " (" + sizeWords(f.Size) + ")"
	}
	return s
}

// sizeWords writes bytes in multiples of 1024.
func sizeWords(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if unit == "B" {
		return fmt.Sprint(n, " B")
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
