package screen

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/neutral"
)

// A cell is what people take for one character, with all its marks, in one or more columns.
type cell struct {
	text  string
	width uint8
	style style
}

// A line is cells beside each other.
type line []cell

// maxMarks is how many bytes a cell has at most: what is stacked higher climbs out of its line on some terminals.
const maxMarks = 64

// tab is as wide as it is drawn.
const tab = "    "

// add appends text. This is where all text becomes cells: what is not harmless is shown as an escape, so nothing
// in a line moves a cursor or changes the direction of writing, whoever has written it.
func (l line) add(m ansi.Method, s string, st style) line {
	s = neutral.Prose(strings.ReplaceAll(s, "\t", tab))
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
			l = append(l, cell{s[:1], 1, st})
			s = s[1:]
			continue
		}
		g, w := ansi.FirstGraphemeCluster(s, m)
		s = s[len(g):]
		if w <= 0 { // a mark without a letter would sit on what stands before it, or vanish
			g, w = "◌"+g, 1
		}
		if len(g) > maxMarks {
			g = strings.ToValidUTF8(g[:maxMarks], "")
			if w = m.StringWidth(g); w <= 0 {
				g, w = "◌", 1
			}
		}
		if w > 255 {
			g, w = "◌", 1
		}
		l = append(l, cell{g, uint8(w), st}) //nolint:gosec // it was looked at
	}
	return l
}

// text returns a line of text in one style.
func text(m ansi.Method, s string, st style) line { return line(nil).add(m, s, st) }

// width is how many columns the line takes.
func (l line) width() (n int) {
	for i := range l {
		n += int(l[i].width)
	}
	return n
}

// cut returns the cells that fit into so many columns.
func (l line) cut(columns int) line {
	n := 0
	for i := range l {
		if n += int(l[i].width); n > columns {
			return l[:i:i]
		}
	}
	return l
}

// clip cuts a line to so many columns, and shows that it did.
func (l line) clip(columns int) line {
	if l.width() <= columns {
		return l
	}
	if columns <= 0 {
		return nil
	}
	l = l.cut(columns - 1)
	st := style{}
	if len(l) > 0 {
		st = l[len(l)-1].style
	}
	return append(l[:len(l):len(l)], cell{"…", 1, st})
}

// pad fills a line up to so many columns, with the style of what is filled, and cuts what is longer.
func (l line) pad(columns int, st style) line {
	n := l.width()
	if n > columns {
		l = l.clip(columns)
		n = l.width()
	}
	if n == columns {
		return l[:len(l):len(l)]
	}
	out := append(make(line, 0, len(l)+columns-n), l...)
	for ; n < columns; n++ {
		out = append(out, cell{" ", 1, st})
	}
	return out
}

// all gives an attribute to every cell, in a copy.
func (l line) all(a attr) line {
	out := make(line, len(l))
	for i, c := range l {
		c.style.attr |= a
		out[i] = c
	}
	return out
}

// wrap breaks a line into lines of at most so many columns: at spaces if it can. Where a cell alone is wider, "?"
// stands for it.
func (l line) wrap(columns int) (out []line) {
	columns = max(columns, 1)
	for {
		n := len(l.cut(columns))
		switch {
		case n == len(l):
			return append(out, l)
		case n == 0:
			l = append(line{{"?", 1, l[0].style}}, l[1:]...)
			continue
		}
		end, next := n, n
		if l[n].text == " " {
			next++ // the space stands for the break
		} else if at := l[:n].lastSpace(); at > 0 {
			end, next = at, at+1
		}
		out = append(out, l[:end:end])
		l = l[next:]
	}
}

// lastSpace returns the place of the last space behind a word, or -1.
func (l line) lastSpace() int {
	isSpace := func(c cell) bool { return c.text == " " }
	first := slices.IndexFunc(l, func(c cell) bool { return !isSpace(c) })
	for i := len(l) - 1; i > first && first >= 0; i-- {
		if isSpace(l[i]) {
			return i
		}
	}
	return -1
}

// encode writes lines as a terminal understands them.
func encode(lines []line, light bool) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		var now style
		for _, c := range l {
			if c.style != now {
				if now != (style{}) {
					b.WriteString("\x1b[m")
				}
				b.WriteString(c.style.sgr(light))
				now = c.style
			}
			if strings.IndexFunc(c.text, unicode.IsControl) >= 0 {
				c.text = strings.Repeat("?", int(c.width)) // add lets none through; this holds if one day it does
			}
			b.WriteString(c.text)
		}
		if now != (style{}) {
			b.WriteString("\x1b[m")
		}
	}
	return b.String()
}
