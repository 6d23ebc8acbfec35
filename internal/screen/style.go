package screen

import (
	"strconv"
	"strings"
)

// A style is how a cell looks. What matters never depends on its color alone: with NO_COLOR the attributes stay.
type style struct {
	tone tone
	attr attr
}

type attr uint8

const (
	bold attr = 1 << iota
	faint
	italic
	underline
	reverse
)

// A tone is what a color means. Which color that is depends on the background.
type tone uint8

const (
	plain  tone = iota
	accent      // what can be chosen
	warning
	bad
	code
	firstPerson // and those after it, people
)

// persons is how many tones people have.
const persons = 8

// The colors of the tones, of the 256 that terminals have; where there are fewer, the nearest is taken. 0 = that of
// the terminal. Each has a contrast of at least 4.5 with black, or with white (WCAG 2.2, 1.4.3).
var (
	onDark  = [...]uint8{0, 81, 220, 210, 180, 39, 214, 78, 177, 203, 141, 149, 116}
	onLight = [...]uint8{0, 25, 94, 124, 88, 25, 130, 22, 90, 124, 56, 58, 23}
)

// person returns the tone of somebody, always the same.
func person(id string) tone {
	var h uint32 = 2166136261 // FNV-1a
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return firstPerson + tone(h%persons)
}

func (s style) with(a attr) style { s.attr |= a; return s }

// sgr returns the sequence that begins the style (ECMA-48, 8.3.117).
func (s style) sgr(light bool) string {
	if s == (style{}) {
		return ""
	}
	var codes []string
	for i, n := range [...]string{"1", "2", "3", "4", "7"} {
		if s.attr&(1<<i) != 0 {
			codes = append(codes, n)
		}
	}
	color := onDark[s.tone]
	if light {
		color = onLight[s.tone]
	}
	if color != 0 {
		codes = append(codes, "38;5;"+strconv.Itoa(int(color)))
	}
	return "\x1b[" + strings.Join(codes, ";") + "m"
}
