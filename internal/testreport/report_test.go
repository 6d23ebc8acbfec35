package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the reports in testdata anew")

// TestReport reads recorded output of go test -json, one file for each way in which
// tests end, and compares the report. The passing tests of all of them say LOUD.
func TestReport(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded streams: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			stream, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := reportOf(t, stream)
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if strings.Contains(got, "LOUD") {
				t.Error("a test that passed is in the report")
			}
		})
	}
}

func reportOf(t *testing.T, stream []byte) string {
	t.Helper()
	var out bytes.Buffer
	r := newReport(&out)
	r.took = func() time.Duration { return 61 * time.Second }
	if err := r.read(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	r.finish()
	return out.String()
}

// stream makes a stream of events.
func stream(t *testing.T, events ...event) []byte {
	t.Helper()
	var out []byte
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, line...), '\n')
	}
	return out
}

// The race detector may speak under the name of a test that passes at the same time
// as the one that it means.
func TestRaceUnderAnotherName(t *testing.T) {
	got := reportOf(t, stream(t,
		event{Action: "output", Package: "p", Test: "TestInnocent", Output: "WARNING: DATA RACE\n"},
		event{Action: "pass", Package: "p", Test: "TestInnocent"},
		event{Action: "output", Package: "p", Output: "FAIL\tp\t0.1s\n"},
		event{Action: "fail", Package: "p"}))
	if want := "--- RACE DURING: TestInnocent\nWARNING: DATA RACE\n"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

// What the runtime says when the time is over may be under the name of a test that passes, and who did not end may
// have printed nothing. Those that had not begun are no news.
func TestTimeoutUnderAnotherName(t *testing.T) {
	got := reportOf(t, stream(t,
		event{Action: "run", Package: "p", Test: "TestAll"},
		event{Action: "run", Package: "p", Test: "TestAll/hangs"},
		event{Action: "pause", Package: "p", Test: "TestAll/hangs"},
		event{Action: "run", Package: "p", Test: "TestAll/waits"},
		event{Action: "pause", Package: "p", Test: "TestAll/waits"},
		event{Action: "cont", Package: "p", Test: "TestAll/hangs"},
		event{Action: "run", Package: "p", Test: "TestInnocent"},
		event{Action: "output", Package: "p", Test: "TestInnocent", Output: "panic: test timed out after 1s\n"},
		event{Action: "pass", Package: "p", Test: "TestInnocent"},
		event{Action: "output", Package: "p", Output: "FAIL\tp\t1s\n"},
		event{Action: "fail", Package: "p"}))
	for _, want := range []string{"p 1s: TestAll/hangs, TestInnocent\n", "--- DID NOT END: TestAll/hangs\n", "--- TIMEOUT DURING: TestInnocent\npanic: test timed out after 1s\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A dump of all goroutines is long, and so may be a line; both are bounded, and the
// beginning and the end are there.
func TestLongOutput(t *testing.T) {
	events := []event{{Action: "output", Package: "p", Test: "TestLong", Output: strings.Repeat("x", 100_000) + "\n"}}
	for i := range 10_000 {
		events = append(events, event{Action: "output", Package: "p", Test: "TestLong", Output: fmt.Sprintf("line %d\n", i)})
	}
	events = append(events,
		event{Action: "output", Package: "p", Output: "FAIL\tp\t0.1s\n"},
		event{Action: "fail", Package: "p"})
	got := reportOf(t, stream(t, events...))
	if n := strings.Count(got, "\n"); n > 200 || len(got) > 10_000 {
		t.Errorf("the report has %d lines and %d bytes", n, len(got))
	}
	for _, want := range []string{"xxx... 99000 bytes are left out", "line 0\n", "... 9871 lines are left out ...", "line 9999\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in the report", want)
		}
	}
}
