//go:build node

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// A table is rows of cells under headings. Foreign text in a cell is harmless, and as
// wide as a terminal shows it.
type table struct {
	rows [][]string
}

func newTable(headings ...string) *table { return &table{rows: [][]string{headings}} }

func (t *table) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = neutral.Line(cell)
		if cell == "" {
			cells[i] = "-"
		}
	}
	t.rows = append(t.rows, cells)
}

// empty tells whether there is nothing under the headings.
func (t *table) empty() bool { return len(t.rows) == 1 }

// lines returns the rows with their columns aligned.
func (t *table) lines() []string {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	var lines []string
	for _, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-width(cell)+2))
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// list prints items: as JSON one a line, else as a table, or what to say if there
// are none.
func list[T any](p *program, items []T, none string, headings []string, cells func(T) []string) error {
	if p.json {
		for _, item := range items {
			if err := p.stdout.json(item); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(headings...)
	for _, item := range items {
		t.add(cells(item)...)
	}
	if t.empty() {
		p.stderr.line("tenon: " + none)
		return nil
	}
	for _, line := range t.lines() {
		p.stdout.line(line)
	}
	return nil
}

// ago says how long something is ago, as people do.
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return about(time.Since(t))
}

// about is a time with the two units that matter.
func about(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// trip is a round trip time, for people.
func trip(d api.Duration) string {
	t := time.Duration(d)
	switch {
	case t == 0:
		return ""
	case t < time.Millisecond:
		return t.Round(10 * time.Microsecond).String()
	}
	return t.Round(100 * time.Microsecond).String()
}

// bytesOf is a number of bytes, for people.
func bytesOf(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 {
			if unit == "B" || n >= 100 {
				return fmt.Sprintf("%.0f %s", n, unit)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}
