package main

import (
	"strings"
	"unicode"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/neutral"
)

// caret returns the text of an address as a terminal shows it, and the line beneath
// it that points at the mistake; "" if there is nothing to point at. What is made
// harmless grows, so the three parts are measured when that is done.
func caret(at *address.Error) (text, mark string) {
	if at.Text == "" || at.Len == 0 {
		return "", ""
	}
	pos := min(at.Pos, len(at.Text))
	end := min(pos+at.Len, len(at.Text))
	before, wrong := neutral.Line(at.Text[:pos]), neutral.Line(at.Text[pos:end])
	return before + wrong + neutral.Line(at.Text[end:]), strings.Repeat(" ", width(before)) + strings.Repeat("^", max(width(wrong), 1))
}

// width is how many columns of a terminal s takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.In(r, wide):
			n += 2
		default:
			n++
		}
	}
	return n
}

// wide is what takes two columns: the classes W and F of UAX 11, in large steps.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}
