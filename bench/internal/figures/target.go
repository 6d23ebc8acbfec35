package figures

import (
	"fmt"
	"io"
	"strings"
)

// Op compares a ratio with its limit.
type Op string

// The comparisons a target may ask for.
const (
	AtLeast  Op = ">="
	AtMost   Op = "<="
	LessThan Op = "<"
)

func (op Op) holds(got, limit float64) bool {
	switch op {
	case AtLeast:
		return got >= limit
	case AtMost:
		return got <= limit
	}
	return got < limit
}

// Target is a promise about one subject: its value divided by another peer's, in the same round,
// compared with Limit.
type Target struct {
	Promise string
	Case
	Metric  string
	Against []string // the peers to divide by, each a verdict of its own; none: the shown value itself
	Best    bool     // instead: divide by the best of Against, one verdict; of what is better low
	Op      Op
	Limit   float64
}

// State is how a target came out.
type State string

// The states of a verdict. Unclear verdicts are Met or Missed with Crossed set.
const (
	Met         State = "met"
	Missed      State = "missed"
	NotMeasured State = "not measured"
)

// Verdict is what became of a target against one peer.
type Verdict struct {
	Promise string `json:"promise"`
	Case
	Metric  string  `json:"metric"`
	Against string  `json:"against"`
	Got     Summary `json:"got"`
	Op      Op      `json:"op"`
	Limit   float64 `json:"limit"`
	State   State   `json:"state"`
	Crossed bool    `json:"crossed"` // the limit lies between the lowest and the highest round
}

// Judge compares the subject's figures with every target.
func Judge(b *Book, subject string, targets []Target) []Verdict {
	var out []Verdict
	for _, t := range targets {
		col := b.Column(t.Case, t.Metric)
		if col == nil {
			col = &Column{}
		}
		switch {
		case len(t.Against) == 0:
			out = append(out, t.verdict("", col.shown(subject)))
		case t.Best:
			best, of := col.lowest(t.Against), "best of "+strings.Join(t.Against, ", ")
			if best != "" {
				of += ": " + best
			}
			out = append(out, t.verdict(of, col.Ratios(subject, best)))
		default:
			for _, peer := range t.Against {
				out = append(out, t.verdict(peer, col.Ratios(subject, peer)))
			}
		}
	}
	return out
}

// lowest returns the peer whose median is the lowest over the run, or "" if none was
// measured. To take the lowest of each round instead would compare with whoever had
// luck in it: where values spread, no peer reaches that, not even one of them against
// itself and the others.
func (c *Column) lowest(peers []string) string {
	best, lowest := "", 0.0
	for _, p := range peers {
		s := c.Shown(p)
		if s.N > 0 && (best == "" || s.Median < lowest) {
			best, lowest = p, s.Median
		}
	}
	return best
}

func (t Target) verdict(against string, got []float64) Verdict {
	v := Verdict{Promise: t.Promise, Case: t.Case, Metric: t.Metric, Against: against,
		Got: Summarize(got), Op: t.Op, Limit: t.Limit, State: NotMeasured}
	if v.Got.N == 0 {
		return v
	}
	v.State = Missed
	if t.Op.holds(v.Got.Median, t.Limit) {
		v.State = Met
	}
	v.Crossed = t.Op.holds(v.Got.Min, t.Limit) != t.Op.holds(v.Got.Max, t.Limit)
	return v
}

// WriteVerdicts prints one line per verdict.
func WriteVerdicts(w io.Writer, verdicts []Verdict) error {
	rows := [][]string{{"", "promise", "case", "metric", "against", "got", "wanted"}}
	for _, v := range verdicts {
		state := string(v.State)
		if v.Crossed {
			state += " ~"
		}
		rows = append(rows, []string{state, v.Promise, strings.TrimSpace(v.Scenario + " " + v.Variant), v.Metric, v.Against,
			v.Got.String(), fmt.Sprintf("%s %s", v.Op, number(v.Limit))})
	}
	_, err := fmt.Fprintf(w, "targets  (~ means that the limit lies within the spread: run longer)\n%s\n", Align(rows))
	return err
}
