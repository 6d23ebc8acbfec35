package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// An event is a line of go test -json: see "go doc test2json", and "go help
// buildjson" for those of builds.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	ImportPath  string // of a build
	FailedBuild string // the ImportPath of the build for whose failure the package failed
}

// A report is what came of a run of go test.
type report struct {
	out      io.Writer
	took     func() time.Duration // since the beginning
	whole    string               // the file that has all the output, if there is one
	byPath   map[string]*pkg
	packages []*pkg            // in the order in which they began
	builds   map[string]string // what builds printed
}

// A pkg is the tests of one package.
type pkg struct {
	path    string
	tests   map[string]*test
	order   []*test
	output  strings.Builder // what belongs to no test
	closing string          // the line of go test that ends it
	result  string          // "pass", "fail", "skip", or "" while it runs
	build   string          // the build that failed
}

// A test is a test, a subtest, an example or a fuzz target.
type test struct {
	name   string
	result string // as in pkg
	took   float64
	paused bool // it waits for its turn among the parallel ones
	output strings.Builder
}

func newReport(out io.Writer) *report {
	began := time.Now()
	return &report{out: out, took: func() time.Duration { return time.Since(began) }, byPath: map[string]*pkg{}, builds: map[string]string{}}
}

// read takes all events, and prints a line when a package ends. What is not an event
// is printed as it is.
func (r *report) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) == nil && e.Action != "":
			r.take(e)
		default:
			r.out.Write(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	if e.ImportPath != "" && e.Package == "" {
		r.builds[e.ImportPath] += e.Output
		return
	}
	p := r.byPath[e.Package]
	if p == nil {
		p = &pkg{path: e.Package, tests: map[string]*test{}}
		r.byPath[e.Package] = p
		r.packages = append(r.packages, p)
	}
	if e.Test != "" {
		p.take(e)
		return
	}
	switch e.Action {
	case "output":
		if isClosing(e.Output) {
			p.closing = strings.TrimSuffix(e.Output, "\n")
		} else {
			p.output.WriteString(e.Output)
		}
	case "pass", "fail", "skip":
		p.result, p.build = e.Action, e.FailedBuild
		r.progress(p)
	}
}

// isClosing tells the line of a package from what its tests print.
func isClosing(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t") || strings.HasPrefix(line, "?   \t")
}

func (p *pkg) take(e event) {
	t := p.tests[e.Test]
	if t == nil {
		t = &test{name: e.Test}
		p.tests[e.Test] = t
		p.order = append(p.order, t)
	}
	switch e.Action {
	case "pause", "cont":
		t.paused = e.Action == "pause"
	case "output":
		if !isFrame(e.Output) {
			t.output.WriteString(e.Output)
		}
	case "pass", "fail", "skip":
		t.result, t.took = e.Action, e.Elapsed
		if e.Action == "pass" && t.alarm() == "" {
			t.output = strings.Builder{} // nobody will ask for it
		}
	}
}

var frame = regexp.MustCompile(`^(=== (RUN|PAUSE|CONT|NAME) |\s*--- (PASS|FAIL|SKIP): )`)

// isFrame tells the lines that go test puts around the output of a test.
func isFrame(line string) bool { return frame.MatchString(line) }

// alarms are what the runtime says, by what it means. It says it under the name of any test that ran at that time,
// and that may pass.
var alarms = []struct{ name, text string }{
	{"RACE", "WARNING: DATA RACE"},
	{"TIMEOUT", "panic: test timed out after "},
	{"PANIC", "\ngoroutine "}, // a dump of them
}

// alarm returns the name of what the runtime said while the test ran, or "".
func (t *test) alarm() string {
	for _, a := range alarms {
		if strings.Contains(t.output.String(), a.text) {
			return a.name
		}
	}
	return ""
}

// wrong returns the tests that a person has to look at: those that failed by
// themselves and not because a subtest did, those that had not ended when the
// package did, and those during which the runtime spoke.
func (p *pkg) wrong() []*test {
	if p.result == "pass" || p.result == "skip" {
		return nil
	}
	var out []*test
	for _, t := range p.order {
		printed := t.output.Len() > 0
		switch {
		case t.result == "fail" && (printed || !p.below(t, "fail")),
			t.result == "" && (printed || !t.paused && !p.below(t, "")),
			t.result != "fail" && t.alarm() != "":
			out = append(out, t)
		}
	}
	return out
}

// below tells whether a subtest of a test has such a result.
func (p *pkg) below(t *test, result string) bool {
	for _, sub := range p.order {
		if sub.result == result && strings.HasPrefix(sub.name, t.name+"/") {
			return true
		}
	}
	return false
}

// progress is the line for a package that has ended.
func (r *report) progress(p *pkg) {
	line := strings.Join(strings.Fields(p.closing), " ")
	if names := p.failures(); len(names) > 0 {
		line += ": " + strings.Join(names, ", ")
	}
	took := r.took()
	fmt.Fprintf(r.out, "%3d:%02d  %s\n", int(took.Minutes()), int(took.Seconds())%60, line)
}

// failures names some of what went wrong.
func (p *pkg) failures() []string {
	const most = 10
	var names []string
	for i, t := range p.wrong() {
		if i == most {
			return append(names, "...")
		}
		names = append(names, t.name)
	}
	return names
}
