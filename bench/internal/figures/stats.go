// Package figures keeps what was measured, turns it into ratios with their spread, and judges targets.
//
// It knows nothing of how a figure was measured. Add figures to a Book as they come; ask it for
// summaries, tables and verdicts when the run is over.
package figures

import (
	"fmt"
	"math"
	"slices"
)

// Summary is the middle and the spread of some values. N is 0 if there were none.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	Max    float64 `json:"max"`
}

// Summarize does not change values.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	s := slices.Sorted(slices.Values(values))
	return Summary{
		N: len(s), Min: s[0], Max: s[len(s)-1],
		Q1: Quantile(s, 0.25), Median: Quantile(s, 0.5), Q3: Quantile(s, 0.75),
	}
}

// Quantile interpolates linearly between the neighbours; sorted must be ascending and not empty.
func Quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := math.Floor(at)
	i := int(low)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-low)*(sorted[i+1]-sorted[i])
}

// String is "median (min..max)", or the value alone if there is no spread.
func (s Summary) String() string {
	switch {
	case s.N == 0:
		return "-"
	case number(s.Min) == number(s.Max):
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s..%s)", number(s.Median), number(s.Min), number(s.Max))
}

// number prints about three significant digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.0995 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// scaled prints v with its unit and a prefix: 1.23 G + "B/s".
func scaled(v float64, unit string) string {
	prefixes := []struct {
		factor float64
		name   string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {1e-12, "p"}}
	for _, p := range prefixes {
		if math.Abs(v) >= p.factor {
			return number(v/p.factor) + " " + p.name + unit
		}
	}
	return number(v) + " " + unit
}
