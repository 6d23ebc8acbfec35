package figures

import "slices"

// Direct is the peer that is no relay: client and server joined by the loopback interface alone.
const Direct = "direct"

// Metric says what a figure is.
type Metric struct {
	Name string `json:"name"` // also the heading of its column
	Unit string `json:"unit"` // of the value itself, before any ratio
	// Baseline is the peer whose value of the same round divides every value. Empty: the value is
	// shown as it is, divided by Scale if that is not zero.
	Baseline string  `json:"baseline"`
	Scale    float64 `json:"-"`
}

// Case is what was run: a scenario in one of its variants.
type Case struct {
	Scenario string `json:"scenario"`
	Variant  string `json:"variant"`
}

// Column is one metric of a case and every value it has.
type Column struct {
	Case
	Metric
	Peers []string                   // in order of first appearance
	Value map[string]map[int]float64 // by peer, then round
}

// Book holds all figures of a run. The zero value is empty. It is not safe for concurrent use.
type Book struct {
	columns []*Column
}

// Add records one value. The first Add of a metric's name in a case fixes the metric.
func (b *Book) Add(c Case, m Metric, peer string, round int, value float64) {
	col := b.Column(c, m.Name)
	if col == nil {
		col = &Column{Case: c, Metric: m, Value: map[string]map[int]float64{}}
		b.columns = append(b.columns, col)
	}
	if col.Value[peer] == nil {
		col.Peers = append(col.Peers, peer)
		col.Value[peer] = map[int]float64{}
	}
	col.Value[peer][round] = value
}

// Column finds a column, or returns nil.
func (b *Book) Column(c Case, metric string) *Column {
	for _, col := range b.columns {
		if col.Case == c && col.Name == metric {
			return col
		}
	}
	return nil
}

// Columns are in order of first appearance.
func (b *Book) Columns() []*Column { return b.columns }

// Shown summarizes what a table shows of a peer: ratios to the baseline, or scaled values.
func (c *Column) Shown(peer string) Summary { return Summarize(c.shown(peer)) }

func (c *Column) shown(peer string) []float64 {
	if c.Baseline != "" {
		return c.Ratios(peer, c.Baseline)
	}
	values := c.values(peer)
	if c.Scale != 0 {
		for i := range values {
			values[i] /= c.Scale
		}
	}
	return values
}

// Ratios divides a peer's value by another's of the same round, for the rounds that have both.
func (c *Column) Ratios(peer, by string) []float64 {
	var out []float64
	for _, round := range c.rounds(peer) {
		if d, ok := c.Value[by][round]; ok && d != 0 {
			out = append(out, c.Value[peer][round]/d)
		}
	}
	return out
}

// values are a peer's values in order of rounds, in a slice of their own.
func (c *Column) values(peer string) []float64 {
	var out []float64
	for _, round := range c.rounds(peer) {
		out = append(out, c.Value[peer][round])
	}
	return out
}

func (c *Column) rounds(peer string) []int {
	var out []int
	for round := range c.Value[peer] {
		out = append(out, round)
	}
	slices.Sort(out)
	return out
}
