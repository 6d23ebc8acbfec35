package main

import (
	"fmt"
	"regexp"
	"strings"
)

// How much of the output of one test is printed: a goroutine dump has thousands of
// lines, of which the first say what happened.
const (
	firstLines = 100
	lastLines  = 30
	lineLength = 1000 // in bytes
)

// finish prints what is left to say when all packages have ended.
func (r *report) finish() {
	r.step("skipped, and why")
	skipped := 0
	for _, p := range r.packages {
		skipped += r.skips(p)
	}
	if skipped == 0 {
		fmt.Fprintln(r.out, "nothing")
	}
	failed := false
	for _, p := range r.packages {
		if p.result != "pass" && p.result != "skip" {
			failed = true
			r.failure(p)
		}
	}
	if r.whole != "" {
		r.step("all that was printed")
		fmt.Fprintln(r.out, r.whole)
	}
	r.step("results")
	for _, p := range r.packages {
		switch {
		case p.closing != "":
			fmt.Fprintln(r.out, p.closing)
		case p.result == "":
			fmt.Fprintf(r.out, "FAIL\t%s [did not end]\n", p.path)
		default:
			fmt.Fprintf(r.out, "FAIL\t%s\n", p.path)
		}
	}
	if failed {
		fmt.Fprintln(r.out, "FAIL")
	}
}

func (r *report) step(name string) { fmt.Fprintf(r.out, "\n== %s\n", name) }

// skips prints the tests of a package that were skipped, and returns their number.
func (r *report) skips(p *pkg) int {
	n := 0
	for _, t := range p.order {
		if t.result != "skip" {
			continue
		}
		if n++; n == 1 {
			fmt.Fprintln(r.out, p.path)
		}
		fmt.Fprintf(r.out, "    %s: %s\n", t.name, shorten(t.reason(), lineLength))
	}
	return n
}

var place = regexp.MustCompile(`^\s*[^\s:]+\.go:\d+: `)

// reason is what the test printed, on one line.
func (t *test) reason() string {
	var out []string
	for line := range strings.Lines(t.output.String()) {
		if line = strings.TrimSpace(place.ReplaceAllString(line, "")); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "; ")
}

// failure prints all that a person needs to know of a package that failed.
func (r *report) failure(p *pkg) {
	r.step("failed: " + p.path)
	r.text(r.builds[p.build])
	for _, t := range p.wrong() {
		switch t.result {
		case "fail":
			fmt.Fprintf(r.out, "--- FAIL: %s (%.2fs)\n", t.name, t.took)
		case "":
			fmt.Fprintf(r.out, "--- DID NOT END: %s\n", t.name)
		default:
			fmt.Fprintf(r.out, "--- %s DURING: %s\n", t.alarm(), t.name)
		}
		r.text(t.output.String())
	}
	r.text(plain.ReplaceAllString(p.output.String(), ""))
}

// plain is what a test binary says at its end in any case.
var plain = regexp.MustCompile(`(?m)^(PASS|FAIL|coverage: .*)\n`)

// text prints the output of a test, without its middle if it is long.
func (r *report) text(s string) {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, shorten(strings.TrimSuffix(line, "\n"), lineLength))
	}
	if left := len(lines) - firstLines - lastLines; left > 0 {
		head, tail := lines[:firstLines:firstLines], lines[len(lines)-lastLines:]
		lines = append(append(head, fmt.Sprintf("... %d lines are left out ...", left)), tail...)
	}
	for _, line := range lines {
		fmt.Fprintln(r.out, line)
	}
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + fmt.Sprintf("... %d bytes are left out", len(s)-n)
}
