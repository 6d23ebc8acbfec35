package figures

import (
	"slices"
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want Summary
	}{
		{nil, Summary{}},
		{[]float64{7}, Summary{1, 7, 7, 7, 7, 7}},
		{[]float64{4, 1, 3, 2}, Summary{4, 2.5, 1, 1.75, 3.25, 4}},
		{[]float64{5, 1, 3, 2, 4}, Summary{5, 3, 1, 2, 4, 5}},
	} {
		if got := Summarize(tt.in); got != tt.want {
			t.Errorf("%v: got %+v", tt.in, got)
		}
	}
}

func TestSummarizeKeepsItsInput(t *testing.T) {
	in := []float64{3, 1, 2}
	Summarize(in)
	if !slices.Equal(in, []float64{3, 1, 2}) {
		t.Errorf("changed to %v", in)
	}
}

func TestNumbers(t *testing.T) {
	for want, v := range map[string]float64{"0.00": 0, "0.012": 0.0123, "0.12": 0.123, "1.23": 1.234, "12.3": 12.34, "123": 123.4, "10.0": 9.999} {
		if got := number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	for want, v := range map[string]float64{"1.50 GB/s": 1.5e9, "15.0 kB/s": 15000, "12.0 µB/s": 12e-6, "0.00 B/s": 0} {
		if got := scaled(v, "B/s"); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestVerdictLines(t *testing.T) {
	v := Judge(sample(), "tenon", []Target{{Promise: "half", Case: fast, Metric: "rate", Against: []string{Direct}, Op: AtLeast, Limit: 0.75}})
	var got strings.Builder
	if err := WriteVerdicts(&got, v); err != nil {
		t.Fatal(err)
	}
	want := `targets  (~ means that the limit lies within the spread: run longer)
            promise  case     metric  against  got                wanted
  missed ~  half     tcp one  rate    direct   0.70 (0.60..0.80)  >= 0.75

`
	if got.String() != want {
		t.Errorf("got\n%s", got.String())
	}
}

var (
	fast = Case{"tcp", "one"}
	rate = Metric{Name: "rate", Unit: "B/s", Baseline: Direct}
	size = Metric{Name: "memory", Unit: "KiB", Scale: 1024}
)

func sample() *Book {
	b := new(Book)
	for round, v := range []float64{100, 200, 400} {
		b.Add(fast, rate, Direct, round, v)
		b.Add(fast, rate, "nginx", round, v/2)
	}
	b.Add(fast, rate, "tenon", 0, 80)
	b.Add(fast, rate, "tenon", 2, 240) // round 1 failed
	b.Add(fast, size, "tenon", 0, 20480)
	return b
}

// A ratio is taken within a round: the machine was four times faster in the last one.
func TestRatiosAreOfTheSameRound(t *testing.T) {
	c := sample().Column(fast, "rate")
	if got := c.Ratios("tenon", Direct); !slices.Equal(got, []float64{0.8, 0.6}) {
		t.Errorf("tenon: %v", got)
	}
	if got := c.Shown("nginx").String(); got != "0.50" {
		t.Errorf("nginx: %s", got)
	}
	if got := c.Shown("socat").String(); got != "-" {
		t.Errorf("socat: %s", got)
	}
}

func TestTables(t *testing.T) {
	var got strings.Builder
	if err := WriteTables(&got, sample()); err != nil {
		t.Fatal(err)
	}
	want := `tcp  one  [1.00 is: rate 200 B/s]
          rate / direct      memory, KiB
  direct  1.00
  nginx   0.50
  tenon   0.70 (0.60..0.80)  20.0

`
	if got.String() != want {
		t.Errorf("got\n%s", got.String())
	}
}

func TestJudge(t *testing.T) {
	targets := []Target{
		{Promise: "fast", Case: fast, Metric: "rate", Against: []string{"nginx", "socat"}, Op: AtLeast, Limit: 1},
		{Promise: "half", Case: fast, Metric: "rate", Against: []string{Direct}, Op: AtLeast, Limit: 0.75},
		{Promise: "best", Case: fast, Metric: "rate", Against: []string{Direct, "nginx"}, Best: true, Op: AtMost, Limit: 1.5},
		{Promise: "small", Case: fast, Metric: "memory", Op: LessThan, Limit: 20},
		{Promise: "none", Case: Case{"udp", ""}, Metric: "rate", Against: []string{Direct}, Op: AtLeast},
	}
	var got []string
	for _, v := range Judge(sample(), "tenon", targets) {
		s := v.Promise + "|" + v.Against + "|" + v.Got.String() + "|" + string(v.State)
		if v.Crossed {
			s += "|crossed"
		}
		got = append(got, s)
	}
	want := []string{
		"fast|nginx|1.40 (1.20..1.60)|met",
		"fast|socat|-|not measured",
		"half|direct|0.70 (0.60..0.80)|missed|crossed",
		"best|best of direct, nginx: nginx|1.40 (1.20..1.60)|met|crossed",
		"small||20.0|missed",
		"none|direct|-|not measured",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// The best of others is one of them, not whoever had luck in a round: here the three are
// alike, and the lowest of each round would give a ratio of 2.
func TestBestIsOnePeer(t *testing.T) {
	var b Book
	luck := map[string][]float64{"tenon": {1, 2, 3}, "nginx": {2, 3, 1}, "haproxy": {3, 1, 2}}
	for peer, values := range luck {
		for round, v := range values {
			b.Add(fast, Metric{Name: "p99"}, peer, round, v)
		}
	}
	target := Target{Case: fast, Metric: "p99", Against: []string{"nginx", "haproxy"}, Best: true, Op: AtMost, Limit: 1}
	v := Judge(&b, "tenon", []Target{target})[0]
	if v.Against != "best of nginx, haproxy: nginx" || v.Got.String() != "0.67 (0.50..3.00)" {
		t.Errorf("against %s: %s", v.Against, v.Got)
	}
}
