package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/tenon-net/tenon/internal/inherit"
	"github.com/tenon-net/tenon/internal/neutral"
)

// A console is the program's standard output or standard error, for lines that
// people or scripts read. It has no Write: whatever goes to it is one line at a
// time and has passed [neutral.Line], so that nothing that a peer says can move a
// cursor or look like a line of the program's own. What a joint carries does not
// pass here: that is the kind stdio.
type console struct {
	mu   sync.Mutex // guards what stands below, and keeps lines whole
	w    io.Writer
	live bool  // the terminal shows a line that the next one replaces
	err  error // the first error of writing
}

// A constant is text of the program's own. Only constants become one by
// themselves.
type constant string

func newConsole(w io.Writer) *console { return &console{w: w} }

// standard returns standard output, 1, or standard error, 2. Writing to one that was
// closed when the program was started fails, and is not lost in the /dev/null that
// stands there since.
func standard(fd int) io.Writer {
	switch {
	case inherit.WasClosed(fd):
		return closed{}
	case fd == 1:
		return os.Stdout
	}
	return os.Stderr
}

// closed is a descriptor that was closed.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, inherit.ErrClosed }

// linef prints one line.
func (c *console) linef(format string, args ...any) {
	c.line(fmt.Sprintf(format, args...))
}

// line prints one line.
func (c *console) line(text string) { c.lineBy(text, neutral.Line) }

func (c *console) lineBy(text string, harmless func(string) string) {
	_ = c.put(harmless(text)+"\n", false) // failed tells
}

// text prints lines of the program's own.
func (c *console) text(t constant) { _ = c.put(harmlessLines(string(t)), false) }

// harmlessLines applies [neutral.Line] to each line of text.
func harmlessLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(neutral.Line(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}

// json prints v as one line of JSON. The strings in it are made harmless, too,
// because the next program may print them.
func (c *console) json(v any) error { return c.jsonBy(v, neutral.Line) }

func (c *console) jsonBy(v any, harmless func(string) string) error {
	b, err := json.Marshal(v)
	if err == nil {
		c.lineBy(string(harmlessJSON(b, harmless)), harmless)
	}
	return err
}

// harmlessJSON makes each string in b, which is valid JSON, harmless.
func harmlessJSON(b []byte, harmless func(string) string) []byte {
	out := make([]byte, 0, len(b))
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return append(out, b...)
		}
		end := i + 1
		for b[end] != '"' {
			if b[end] == '\\' {
				end++
			}
			end++
		}
		literal := b[i : end+1]
		var s string
		if json.Unmarshal(literal, &s) == nil && harmless(s) != s {
			literal, _ = json.Marshal(harmless(s)) // a string is always JSON
		}
		out = append(append(out, b[:i]...), literal...)
		b = b[end+1:]
	}
}

// draw shows a line on the terminal that the next one replaces.
func (c *console) draw(text string) { _ = c.put(neutral.Line(text), true) }

// clear takes the line that was drawn off the terminal.
func (c *console) clear() { _ = c.put("", false) }

// put is the only place that writes.
func (c *console) put(text string, live bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live {
		text = "\r\x1b[K" + text
	}
	c.live = live
	if text == "" {
		return nil
	}
	_, err := io.WriteString(c.w, text)
	if c.err == nil {
		c.err = err
	}
	return err
}

// failed returns the first error of writing, or nil.
func (c *console) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// terminal tells whether a person reads what is printed.
func (c *console) terminal() bool {
	f, ok := c.w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// lines returns a writer for others who write whole lines, such as a dump or
// package log: each becomes a line of the console.
func (c *console) lines() io.Writer { return lineWriter{c} }

type lineWriter struct{ c *console }

func (w lineWriter) Write(p []byte) (int, error) {
	if err := w.c.put(harmlessLines(string(p)), false); err != nil {
		return 0, err
	}
	return len(p), nil
}
