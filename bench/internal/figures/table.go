package figures

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteTables prints one table per case: a row per peer, a column per metric.
func WriteTables(w io.Writer, b *Book) error {
	var cases []Case
	byCase := map[Case][]*Column{}
	for _, col := range b.Columns() {
		if byCase[col.Case] == nil {
			cases = append(cases, col.Case)
		}
		byCase[col.Case] = append(byCase[col.Case], col)
	}
	for _, c := range cases {
		if err := writeCase(w, c, byCase[c]); err != nil {
			return err
		}
	}
	return nil
}

func writeCase(w io.Writer, c Case, columns []*Column) error {
	head := []string{""}
	var peers, base []string
	rows := map[string][]string{}
	for i, col := range columns {
		head = append(head, col.heading())
		if v := Summarize(col.values(col.Baseline)); col.Baseline != "" && v.N > 0 {
			base = append(base, fmt.Sprintf("%s %s", col.Name, scaled(v.Median, col.Unit)))
		}
		for _, peer := range col.Peers {
			if rows[peer] == nil {
				rows[peer] = make([]string, len(columns)+1)
				rows[peer][0] = peer
				peers = append(peers, peer)
			}
			rows[peer][i+1] = col.Shown(peer).String()
		}
	}
	lines := [][]string{head}
	for _, peer := range peers {
		lines = append(lines, rows[peer])
	}
	title := strings.TrimSpace(c.Scenario + "  " + c.Variant)
	if len(base) > 0 {
		title += fmt.Sprintf("  [1.00 is: %s]", strings.Join(base, ", "))
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", title, Align(lines))
	return err
}

// heading is the metric with what a cell of it means.
func (c *Column) heading() string {
	if c.Baseline != "" {
		return c.Name + " / " + c.Baseline
	}
	return c.Name + ", " + c.Unit
}

// Align pads cells so that columns line up, with two spaces between and none at the end of a line.
func Align(rows [][]string) string {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("  " + cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}
