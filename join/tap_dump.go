package join

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
)

// A Dump writes what passes through joints for people to read. Each line or block
// begins with the time, the joint's name and an arrow: > from a to b, < from b to
// a. Many joints may write to one Dump.
type Dump struct {
	sink   sink
	format func(head string, offset int64, p []byte) []byte
}

// HexDump returns a Dump of hexadecimal digits and ASCII characters, sixteen bytes
// a line, with the place of each line in its direction.
func HexDump(w io.Writer) *Dump { return &Dump{sink: sink{w: w}, format: hexBlock} }

// TextDump returns a Dump of text. What could change a terminal, and what is not
// UTF-8, is shown in the manner of Go: \r, \x1b, \u202e.
func TextDump(w io.Writer) *Dump { return &Dump{sink: sink{w: w}, format: textLines} }

// Err returns why writing has stopped, or nil.
func (d *Dump) Err() error { return d.sink.Err() }

// Joint returns a Tap for one joint, which the dump calls name.
func (d *Dump) Joint(name string) Tap { return &dumpTap{dump: d, name: name} }

type dumpTap struct {
	dump    *Dump
	name    string
	offsets [2]atomic.Int64
}

var _ Failer = (*dumpTap)(nil)

// Err is that of the dump.
func (t *dumpTap) Err() error { return t.dump.Err() }

func (t *dumpTap) head(d Direction) string {
	now := time.Now().Format("2006-01-02 15:04:05.000000")
	if t.name == "" {
		return now + " " + d.String()
	}
	return now + " " + t.name + " " + d.String()
}

// Data writes p as one block.
func (t *dumpTap) Data(d Direction, p []byte, msg bool) {
	offset := t.offsets[d].Add(int64(len(p))) - int64(len(p))
	head := t.head(d)
	if msg && len(p) == 0 {
		head += " empty message"
	}
	t.dump.sink.write(t.dump.format(head, offset, p))
}

// End writes how the direction ended.
func (t *dumpTap) End(d Direction, err error) {
	line := t.head(d) + " end\n"
	if err != nil && err != io.EOF {
		line = t.head(d) + " ended: " + neutral.Text(err.Error()) + "\n"
	}
	t.dump.sink.write([]byte(line))
}

// hexBlock is a line about the block and sixteen bytes in each that follows.
func hexBlock(head string, offset int64, p []byte) []byte {
	out := fmt.Appendf(nil, "%s %d bytes\n", head, len(p))
	for ; len(p) > 0; offset += 16 {
		row := p[:min(16, len(p))]
		p = p[len(row):]
		out = fmt.Appendf(out, "%08x ", offset)
		for i := range 16 {
			if i == 8 {
				out = append(out, ' ')
			}
			if i < len(row) {
				out = hex.AppendEncode(append(out, ' '), row[i:i+1])
			} else {
				out = append(out, "   "...)
			}
		}
		out = append(out, "  |"...)
		for _, c := range row {
			if c < ' ' || c > '~' {
				c = '.'
			}
			out = append(out, c)
		}
		out = append(out, "|\n"...)
	}
	return out
}

// textLines puts the head before each line. A newline in the bytes is shown, so
// that a line that goes on in the next block can be told from one that ended.
func textLines(head string, _ int64, p []byte) []byte {
	if len(p) == 0 {
		return append([]byte(head), '\n')
	}
	var out []byte
	for len(p) > 0 {
		n := len(p)
		end := "" // what stands for the newline, if there is one
		for i, c := range p {
			if c == '\n' {
				n, end = i, `\n`
				break
			}
		}
		out = append(append(append(out, head...), ' '), neutral.Text(string(p[:n]))...)
		out = append(append(out, end...), '\n')
		p = p[n+len(end)/2:] // with the newline
	}
	return out
}
