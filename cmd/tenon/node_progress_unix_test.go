//go:build unix && node

package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// On a terminal one line changes, and is never longer than the terminal is wide. It is gone when
// something else is printed, and at the end.
func TestNodeProgressOnATerminal(t *testing.T) {
	near, far, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	if err := pty.Setsize(far, &pty.Winsize{Rows: 24, Cols: 40}); err != nil {
		t.Fatal(err)
	}
	p := &program{ctx: t.Context(), stderr: newConsole(far)}
	t.Setenv("TERM", "dumb")
	if p.newProgress(new(call)).live {
		t.Error("it goes back in a line of a terminal that cannot")
	}
	t.Setenv("TERM", "xterm")
	g := p.newProgress(new(call))
	g.show(time.Now(), func(columns int) string { return "a\x1b\n" + strings.Repeat("x", columns) })
	p.stderr.line("a line")
	g.show(time.Now(), func(int) string { return "short" })
	g.end()
	p.stderr.line("the end")
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(near) // which fails when the other side is closed
	want := `a\x1b\n` + strings.Repeat("x", 31) + "…\r\x1b[Ka line\r\nshort\r\x1b[Kthe end\r\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
