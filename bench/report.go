package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

// report is everything about a run but the figures; it is the JSON file.
type report struct {
	Start      time.Time         `json:"start"`
	Seconds    float64           `json:"seconds"`
	System     string            `json:"system"`
	CPUs       int               `json:"cpus"`
	LoadBefore string            `json:"load_before"`
	LoadAfter  string            `json:"load_after"`
	Versions   []string          `json:"versions"`
	Rounds     int               `json:"rounds"`
	Duration   string            `json:"duration"`
	Idle       int               `json:"idle"`
	Figures    []figure          `json:"figures"`
	Targets    []figures.Verdict `json:"targets"`
	Failures   []failure         `json:"failures"`
	Skipped    missing           `json:"skipped"`
	Notes      []string          `json:"notes"`
}

// figure is one cell of a table, with every value that it was made of.
type figure struct {
	figures.Case
	Metric figures.Metric  `json:"metric"`
	Peer   string          `json:"peer"`
	Shown  figures.Summary `json:"shown"`  // what the table says
	Values map[int]float64 `json:"values"` // by round, in the metric's unit, or that times its scale
}

// versions are the commands that tell which peers these are; the first line of each is kept.
var versions = []string{"socat -V", "ncat --version", "haproxy -v", "nginx -v", "stunnel4 -version", "openssl version"}

func newReport(f flags) report {
	r := report{Start: time.Now().UTC(), CPUs: runtime.NumCPU(), LoadBefore: loadAverage(),
		Rounds: f.rounds, Duration: f.duration.String(), Idle: f.idle}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		r.System = "linux " + strings.TrimSpace(string(b)) + " " + runtime.GOARCH + ", " + runtime.Version()
	}
	for _, v := range versions {
		words := strings.Fields(v)
		out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			continue
		}
		lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool {
			return !strings.Contains(strings.ToLower(s), "version") && !strings.ContainsAny(s, "0123456789")
		})
		if len(lines) > 0 {
			r.Versions = append(r.Versions, strings.TrimSpace(lines[0]))
		}
	}
	return r
}

// note keeps something that a reader of the figures must know, once.
func (b *bench) note(scenario, text string) {
	if scenario != "" {
		text = scenario + ": " + text
	}
	if !slices.Contains(b.report.Notes, text) {
		b.report.Notes = append(b.report.Notes, text)
	}
}

// finish prints and writes everything and returns the exit status.
func (b *bench) finish(f flags, skipped missing, verdicts []figures.Verdict) (int, error) {
	r := &b.report
	r.Seconds = time.Since(r.Start).Seconds()
	r.LoadAfter = loadAverage()
	r.Targets, r.Failures, r.Skipped = verdicts, b.failures, skipped
	for _, col := range b.book.Columns() {
		for _, peer := range col.Peers {
			r.Figures = append(r.Figures, figure{col.Case, col.Metric, peer, col.Shown(peer), col.Value[peer]})
		}
	}
	if err := b.print(); err != nil {
		return exitFailed, err
	}
	if f.json != "" {
		out, err := json.MarshalIndent(r, "", "\t")
		if err == nil {
			err = os.WriteFile(f.json, append(out, '\n'), 0o644)
		}
		if err != nil {
			return exitFailed, err
		}
	}
	if len(b.failures) > 0 {
		return exitFailed, nil
	}
	if f.strict && slices.ContainsFunc(verdicts, func(v figures.Verdict) bool { return v.State != figures.Met }) {
		return exitFailed, nil
	}
	return exitOK, nil
}

func (b *bench) print() error {
	r, w := &b.report, os.Stdout
	fmt.Fprintf(w, "\n%s, %d CPUs, load before %s, after %s\n", r.System, r.CPUs, r.LoadBefore, r.LoadAfter)
	fmt.Fprintf(w, "%d rounds of %s in %.0f s; median (lowest..highest) over the rounds\n\n", r.Rounds, r.Duration, r.Seconds)
	if err := figures.WriteTables(w, &b.book); err != nil {
		return err
	}
	if err := figures.WriteVerdicts(w, r.Targets); err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note:", n)
	}
	for _, m := range r.Skipped {
		fmt.Fprintf(w, "skipped: %s, for want of %s\n", m.Name, strings.Join(m.Needs, ", "))
		if m.Why != "" {
			fmt.Fprintf(w, "  %s\n", m.Why)
		}
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "failed: %s, %s: %s\n", f.Scenario, f.Peer, f.Error)
	}
	return nil
}
