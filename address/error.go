package address

import (
	"fmt"
	"strings"
)

// An Error is a mistake in the text of an address.
type Error struct {
	Text     string // the address as written; package tenon masks secrets in it
	Pos, Len int    // what is wrong, in bytes; Len is at least 1 where there is something to point at
	Msg      string
	Hints    []string
	Err      error // the cause, if the mistake was found by other code
}

// Error returns one line. It quotes the wrong word only, never the whole text,
// which may hold a password.
func (e *Error) Error() string {
	msg := e.Msg
	if e.Pos < len(e.Text) && e.Len > 0 {
		msg = fmt.Sprintf("%q: %s", e.Text[e.Pos:min(e.Pos+e.Len, len(e.Text))], e.Msg)
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Caret returns two lines: the text, and a caret under the mistake.
func (e *Error) Caret() string {
	if e.Text == "" || e.Len == 0 {
		return ""
	}
	show := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, e.Text)
	before := len([]rune(e.Text[:min(e.Pos, len(e.Text))]))
	width := len([]rune(e.Text[min(e.Pos, len(e.Text)):min(e.Pos+e.Len, len(e.Text))]))
	return show + "\n" + strings.Repeat(" ", before) + strings.Repeat("^", max(width, 1))
}

func errorAt(text string, pos, length int, msg string, hints ...string) *Error {
	return &Error{Text: text, Pos: pos, Len: length, Msg: msg, Hints: hints}
}

func (a Address) errorAt(pos, length int, msg string, hints ...string) *Error {
	return errorAt(a.text, pos, length, msg, hints...)
}

// ErrorAt returns an [Error] about length bytes at pos of the address as it was
// written, for those who find mistakes that this package cannot know.
func (a Address) ErrorAt(pos, length int, msg string, hints ...string) *Error {
	if a.text == "" {
		a.text = a.String()
		pos, length = 0, 0
	}
	return a.errorAt(pos, length, msg, hints...)
}

// TargetLen is how many bytes of the text the target takes.
func (a Address) TargetLen() int { return a.valueLen(a.Target.Pos) }

// ValueLen is how many bytes of the text the value of o takes.
func (a Address) ValueLen(o Option) int { return a.valueLen(o.ValuePos) }

func (a Address) valueLen(pos int) int {
	p := &scanner{text: a.text, pos: pos}
	if pos > len(a.text) {
		return 0
	}
	if _, _, err := p.value(); err != nil {
		return 0
	}
	return p.pos - pos
}
