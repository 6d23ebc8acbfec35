//go:build node

package main

import (
	"strings"

	"rsc.io/qr"
)

// qrMargin is how many modules of white are around a QR code drawn: two are enough
// for every reader at hand, where ISO/IEC 18004 asks for four.
const qrMargin = 2

// qrLines draws text as a QR code, two modules to a character. What is white is drawn,
// for terminals are dark; inverted is for those that are not.
func qrLines(text string, inverted bool) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, err
	}
	drawn := func(x, y int) bool { return code.Black(x, y) == inverted }
	var lines []string
	for y := -qrMargin; y < code.Size+qrMargin; y += 2 {
		var b strings.Builder
		for x := -qrMargin; x < code.Size+qrMargin; x++ {
			switch top, bottom := drawn(x, y), drawn(x, y+1); {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteRune(' ')
			}
		}
		lines = append(lines, b.String())
	}
	return lines, nil
}

// showQR draws text on the terminal, where a person is who did not ask for something
// else.
func (p *program) showQR(c *call, text string) error {
	if !c.peer.qr && !p.stdout.terminal() || p.json {
		return nil
	}
	lines, err := qrLines(strings.ToUpper(text), c.peer.invert)
	if err != nil {
		return err
	}
	for _, line := range lines {
		p.stdout.line(line)
	}
	return nil
}
