package screen

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// An editor is a text that is being written. Its units are what people take for one character; "\n" is one.
type editor struct {
	units []string
	at    int // the cursor stands before this one
	goal  int // the column that up and down go for; -1 = that of the cursor
	width int // of its lines, when they were laid out last
}

// maxInput is how many bytes can be written: a message must fit with what belongs to it.
const maxInput = 60 << 10

func (e *editor) text() string { return strings.Join(e.units, "") }

func (e *editor) empty() bool { return len(e.units) == 0 }

func (e *editor) size() (n int) {
	for _, u := range e.units {
		n += len(u)
	}
	return n
}

// set replaces all.
func (e *editor) set(s string) {
	e.units, e.at, e.goal = nil, 0, -1
	e.insert(s)
}

// insert puts text at the cursor. It returns false, and changes nothing, if that is too much.
func (e *editor) insert(s string) bool {
	s = typed(s)
	if e.size()+len(s) > maxInput {
		return false
	}
	from := max(e.at-1, 0) // a mark may belong to what stands before it, or what follows to the last of s
	to := min(e.at+1, len(e.units))
	head := strings.Join(e.units[from:e.at], "") + s
	middle := units(head + strings.Join(e.units[e.at:to], ""))
	e.at = from
	for n := 0; e.at-from < len(middle) && n < len(head); e.at++ {
		n += len(middle[e.at-from])
	}
	e.units = slices.Replace(e.units, from, to, middle...)
	e.goal = -1
	return true
}

// typed is what of a text can be written: no control characters but line feeds and tabs.
func typed(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "�"))
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
			return -1
		}
		return r
	}, s)
}

func units(s string) (out []string) {
	for s != "" {
		n := 1
		if s[0] >= utf8.RuneSelf || len(s) > 1 && s[1] >= utf8.RuneSelf {
			g, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
			n = len(g)
		}
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

// cut takes out what is between two places, and leaves the cursor there.
func (e *editor) cut(from, to int) {
	from, to = max(from, 0), min(to, len(e.units))
	e.units = slices.Delete(e.units, from, to)
	e.at, e.goal = from, -1
}

func (e *editor) move(to int) { e.at, e.goal = min(max(to, 0), len(e.units)), -1 }

// word returns the place that is a word away, in the direction of step, 1 or -1.
func (e *editor) word(step int) int {
	i := e.at
	next := func() string {
		if step < 0 {
			return e.units[i-1]
		}
		return e.units[i]
	}
	more := func() bool { return step < 0 && i > 0 || step > 0 && i < len(e.units) }
	for more() && !inWord(next()) {
		i += step
	}
	for more() && inWord(next()) {
		i += step
	}
	return i
}

func inWord(unit string) bool {
	r, _ := utf8.DecodeRuneInString(unit)
	return isWord(r)
}

// edge returns where the line of the cursor begins, or ends.
func (e *editor) edge(end bool) int {
	i := e.at
	if end {
		for i < len(e.units) && e.units[i] != "\n" {
			i++
		}
		return i
	}
	for i > 0 && e.units[i-1] != "\n" {
		i--
	}
	return i
}

// A span is a line of an editor as it is shown: its units from, up to to.
type span struct{ from, to int }

// layout breaks the text into lines of at most so many columns.
func (e *editor) layout(m ansi.Method, width int) (lines []span) {
	e.width = max(width, 2)
	from, used := 0, 0
	for i, u := range e.units {
		if u == "\n" {
			lines = append(lines, span{from, i})
			from, used = i+1, 0
			continue
		}
		w := unitWidth(m, u)
		if used+w > e.width {
			lines = append(lines, span{from, i})
			from, used = i, 0
		}
		used += w
	}
	return append(lines, span{from, len(e.units)})
}

// unitWidth is how wide a unit is drawn.
func unitWidth(m ansi.Method, u string) int { return text(m, u, style{}).width() }

// place returns the line of the cursor, and its column.
func (e *editor) place(m ansi.Method, lines []span) (row, column int) {
	for row = len(lines) - 1; row > 0 && lines[row].from > e.at; row-- {
	}
	for _, u := range e.units[lines[row].from:e.at] {
		column += unitWidth(m, u)
	}
	return row, column
}

// vertical moves the cursor by a line; it returns false if there is none.
func (e *editor) vertical(m ansi.Method, step int) bool {
	lines := e.layout(m, e.width)
	row, column := e.place(m, lines)
	if row += step; row < 0 || row >= len(lines) {
		return false
	}
	if e.goal < 0 {
		e.goal = column
	}
	at, used := lines[row].from, 0
	for ; at < lines[row].to && used < e.goal; at++ {
		used += unitWidth(m, e.units[at])
	}
	if at == lines[row].to && row < len(lines)-1 && at > lines[row].from && lines[row+1].from == at {
		at-- // the end of a line that was broken is the beginning of the next one
	}
	e.at = at
	return true
}

// A recall is what was written before, for keys that bring it back.
type recall struct {
	texts []string
	back  int    // how far back it was gone; 0 = not at all
	draft string // what was written before that
}

// maxRecall is how many texts are remembered.
const maxRecall = 200

func (r *recall) add(s string) {
	if n := len(r.texts); s != "" && (n == 0 || r.texts[n-1] != s) {
		r.texts = append(r.texts, s)
		if len(r.texts) > maxRecall {
			r.texts = slices.Clone(r.texts[1:])
		}
	}
	r.back = 0
}

// step goes back by so many, or forth, and changes the input.
func (r *recall) step(n int, e *editor) {
	to := min(max(r.back+n, 0), len(r.texts))
	switch {
	case to == r.back:
		return
	case r.back == 0:
		r.draft = e.text()
	}
	if r.back = to; to == 0 {
		e.set(r.draft)
		return
	}
	e.set(r.texts[len(r.texts)-to])
}
