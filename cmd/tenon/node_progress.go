//go:build node

package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tenon-net/tenon/internal/neutral"
)

// plainInterval is how often a line says how far something is where nobody looks at a
// terminal.
const plainInterval = 30 * time.Second

// A progress shows on standard error how far something is: in a line that changes, on a
// terminal, or else in a new line now and then.
type progress struct {
	out   *console
	live  bool
	quiet bool
	due   time.Time // of the next line, where none changes
}

// newProgress begins one. A terminal that cannot go back in a line, or is read aloud, is
// called dumb. There are no colors that NO_COLOR could be about.
func (p *program) newProgress(c *call) *progress {
	quiet := p.json || c.global.quiet
	return &progress{out: p.stderr, quiet: quiet, live: !quiet && p.stderr.terminal() && os.Getenv("TERM") != "dumb"}
}

// show draws what line returns for a terminal of so many columns.
func (g *progress) show(now time.Time, line func(columns int) string) {
	switch {
	case g.quiet:
	case g.live:
		columns := g.out.columns()
		g.out.draw(clip(neutral.Line(line(columns)), columns))
	case g.due.IsZero():
		g.due = now.Add(plainInterval)
	case !now.Before(g.due):
		g.due = now.Add(plainInterval)
		g.out.line("tenon: " + line(0))
	}
}

// end takes the line off the terminal.
func (g *progress) end() {
	if g.live {
		g.out.clear()
	}
}

// columns is how wide the terminal is, without the last column, behind which many move to
// the next line; 0 is unknown.
func (c *console) columns() int {
	f, ok := c.w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 1 {
		return 0
	}
	return max(columns-1, 1)
}

// bar draws a part of 1, for as many columns as a line that has so many can spare.
func bar(part float64, columns int) string {
	n := min((columns-70)/2, 30)
	if n < 8 {
		return ""
	}
	full := int(part * float64(n))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", n-full) + "]"
}

// percent is a part of 1, for people: 100% is all of it.
func percent(part float64) string { return fmt.Sprintf("%d%%", int(part*100)) }

// partOf is how much of a whole there is.
func partOf(n, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(max(float64(n)/float64(whole), 0), 1)
}

// paceTime is how long a pace remembers a rate.
const paceTime = 5 * time.Second

// A pace is a rate, smoothed so that the time that is left does not jump.
type pace struct {
	rate float64
	last time.Time
}

func (p *pace) add(now time.Time, rate float64) {
	weight := 1.0 // of the first
	if p.rate > 0 {
		weight -= math.Exp(-now.Sub(p.last).Seconds() / paceTime.Seconds())
	}
	p.rate, p.last = p.rate+weight*(rate-p.rate), now
}

// left says how long so many bytes will take; "" if that cannot be told.
func (p *pace) left(n int64) string {
	seconds := float64(n) / p.rate
	if n <= 0 || p.rate < 1 || seconds > (1000*24*time.Hour).Seconds() {
		return ""
	}
	return about(time.Duration(math.Ceil(seconds))*time.Second) + " left"
}

// phrases joins those that say something.
func phrases(all ...string) string {
	var some []string
	for _, text := range all {
		if text != "" {
			some = append(some, text)
		}
	}
	return strings.Join(some, ", ")
}
