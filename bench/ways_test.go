package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/bench/internal/load"
)

// TestMain is a load program when it is started as one.
func TestMain(m *testing.M) {
	if status, ran := load.Main(os.Args[1:]); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// Every way that is installed measures round trips, pinned and not, and bytes one way.
func TestWaysMeasure(t *testing.T) {
	b := newTestBench(t)
	for _, s := range []pairs{
		{list: inHot, role: "echo"}, {list: inTrips, role: "echo", pinned: true}, {list: inBulk, role: "sink"}, {list: inMessages, role: "sink"},
	} {
		lanes, closeAll, err := b.openPairs(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lanes {
			client, args := "pingpong", []string{"-size", "64", "-pause", "100000ns"}
			if s.role == "sink" {
				client, args = "blast", []string{"-block", "65536"}
			}
			r, cost, err := b.measure(t.Context(), l, client, args...)
			if err != nil || r.Rate() <= 0 || cost.all() <= 0 {
				t.Errorf("%s %s: %+v %+v %v", l.name, client, r, cost, err)
			}
		}
		closeAll()
	}
	for _, f := range b.failures {
		t.Error(f)
	}
	for name := range b.absent {
		t.Logf("not measured, for it is not installed: %s", name)
	}
}

func newTestBench(t *testing.T) *bench {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bench") // t.TempDir is too long for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &bench{rounds: 1, duration: 10 * time.Millisecond, conns: 50, dir: dir, self: self,
		absent: findMissing(scenarios).names(), progress: io.Discard}
}

// Everything that a way's command leaves open is filled in, but the role.
func TestWaysAreFilledIn(t *testing.T) {
	b := newTestBench(t)
	open := regexp.MustCompile(`\{[a-z]+\}`)
	for _, p := range ways {
		if b.absent[p.name] {
			continue
		}
		l := &lane{name: p.name}
		if err := b.startPair(t.Context(), l, p, pairs{role: "echo"}); err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		l.server.Stop()
		all := strings.ReplaceAll(strings.Join(l.words, " "), "{role}", "")
		if left := open.FindString(all); left != "" {
			t.Errorf("%s: %s is left in %s", p.name, left, all)
		}
	}
}

// The memory of idle connections is that of connections which are there.
func TestIdle(t *testing.T) {
	b := newTestBench(t)
	for _, tt := range []struct {
		way    string
		c      idleCase
		shared float64 // KiB per connection, at most; idle memory is given back
	}{{tenon, ipcUnread, 0}, {tenon, ipcProved, 12}, {unixWay, ipcSilent, 0}} {
		i := slices.IndexFunc(ways, func(p peer) bool { return p.name == tt.way && slices.Contains(p.in, inIdle) })
		if err := b.idlePairs(t.Context(), 0, &lane{name: tt.way}, ways[i], tt.c); err != nil {
			t.Errorf("%s: %v", tt.way, err)
			continue
		}
		got := b.book.Column(tt.c.Case, ipcShared.Name).Shown(tt.way).Median
		if got > tt.shared+1 {
			t.Errorf("%s, %s: %.2f KiB of shared memory per connection, want at most %.0f", tt.way, tt.c.Variant, got, tt.shared)
		}
	}
}

// What cannot carry a block is left out, and a note says so.
func TestFitting(t *testing.T) {
	b := new(bench)
	lanes := []*lane{{name: unixWay}, {name: seqpacket2M}}
	if fit := b.fitting(lanes, 1<<40); len(fit) != 1 || fit[0].name != unixWay || len(b.report.Notes) != 1 {
		t.Errorf("%d lanes, notes %q", len(fit), b.report.Notes)
	}
	if fit := b.fitting(lanes, 1); len(fit) != 2 {
		t.Errorf("%d lanes", len(fit))
	}
}

// A way that is not installed says what to install.
func TestMissingWays(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	advice := strings.Join(findMissing(mustChoose(t, "^ipc-rtt")).pairs(), " ")
	for _, want := range []string{"gcc", "libzmq3-dev", "libnng-dev"} {
		if !strings.Contains(advice, want) {
			t.Errorf("no %q in %q", want, advice)
		}
	}
	if m := findMissing(mustChoose(t, "^ipc-memory")); len(m) > 0 {
		t.Errorf("idle connections need nothing that is not Go: %v", m)
	}
}

func mustChoose(t *testing.T, pattern string) []scenario {
	t.Helper()
	chosen, err := choose(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return chosen
}
