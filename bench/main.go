// Command bench runs Tenon and its peers side by side and prints how they compare.
//
// All of them are measured in turn within each round of one run, and every figure is a ratio to another
// figure of the same round, with its spread over the rounds: machines differ and are shared. Peers that are
// missing are installed, if this is root on Debian; nothing else outside a temporary directory is changed.
// README.md says how to read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/bench/internal/figures"
	"github.com/tenon-net/tenon/bench/internal/load"
)

const (
	// maxFiles is more descriptors than a relay of 10,000 joints needs.
	maxFiles = 100_000
	// filesPerJoint is two sockets, and two pipes for a relay that splices both directions, io.Copy for
	// one; spareFiles is for all else that it opens.
	filesPerJoint = 6
	spareFiles    = 1000
)

// Exit statuses.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

type flags struct {
	run                               string
	rounds, idle                      int
	duration, timeout                 time.Duration
	tenon, node, json                 string
	quick, skipMissing, strict, names bool
	build                             bool
	idleSet                           bool // the user asked for this many
}

func parseFlags() flags {
	var f flags
	flag.StringVar(&f.run, "run", "", "run only the scenarios whose name matches this `regexp`")
	flag.IntVar(&f.rounds, "rounds", 5, "rounds of each scenario")
	flag.DurationVar(&f.duration, "duration", time.Second, "time of one measurement")
	flag.IntVar(&f.idle, "idle", 10_000, "idle joints of tcp-memory and connections of ipc-memory; fewer if descriptors are short, unless set")
	flag.DurationVar(&f.timeout, "timeout", time.Hour, "give up after this time")
	flag.StringVar(&f.tenon, "tenon", "", "the tenon `program`; if empty, ../cmd/tenon is built")
	flag.StringVar(&f.node, "node", "", "the tenon `program` with the tag node, for tunnels; if empty, it is built")
	flag.StringVar(&f.json, "json", "", "also write everything to this `file`")
	flag.BoolVar(&f.quick, "quick", false, "3 rounds of 250ms, 2000 idle connections, unless set otherwise")
	flag.BoolVar(&f.build, "build", false, "build peers that no package has: chisel, frp and kubo, from the Go module proxy, once")
	flag.BoolVar(&f.skipMissing, "skip-missing", false, "leave out peers that are not installed")
	flag.BoolVar(&f.strict, "strict", false, "exit 1 if a target is missed")
	flag.BoolVar(&f.names, "list", false, "list the scenarios and exit")
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(x *flag.Flag) { set[x.Name] = true })
	f.idleSet = set["idle"]
	if f.quick {
		for name, value := range map[string]string{"rounds": "3", "duration": "250ms", "idle": "2000"} {
			if !set[name] {
				_ = flag.Set(name, value)
			}
		}
	}
	return f
}

func main() {
	if status, ran := load.Main(os.Args[1:]); ran {
		os.Exit(status)
	}
	f := parseFlags()
	if flag.NArg() > 0 || f.rounds < 1 || f.duration <= 0 || f.idle < 1 {
		fmt.Fprintln(os.Stderr, "bench: -rounds, -duration and -idle must be positive, and nothing may follow the flags")
		os.Exit(exitUsage)
	}
	chosen, err := choose(f.run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: -run:", err)
		os.Exit(exitUsage)
	}
	if f.names {
		for _, s := range chosen {
			fmt.Printf("%-15s %s\n", s.name, s.doc)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	status, err := bench1(ctx, f, chosen)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(status)
}

func choose(pattern string) ([]scenario, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var out []scenario
	for _, s := range scenarios {
		if re.MatchString(s.name) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no scenario matches %q", pattern)
	}
	return out, nil
}

// bench1 does one run and returns the exit status.
func bench1(ctx context.Context, f flags, chosen []scenario) (int, error) {
	missing := findMissing(chosen)
	if f.build {
		var err error
		if missing, err = missing.build(ctx); err != nil {
			return exitFailed, err
		}
	}
	if !f.skipMissing {
		if err := missing.install(ctx); err != nil {
			return exitFailed, err
		}
		missing = missing.unpackaged()
	}
	dir, err := os.MkdirTemp("", "tenon-bench")
	if err != nil {
		return exitFailed, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return exitFailed, err
	}
	b := &bench{rounds: f.rounds, duration: f.duration, idle: f.idle, conns: f.idle, dir: dir, self: self,
		quick: f.quick, tenon: f.tenon, node: f.node, absent: missing.names(), progress: os.Stderr}
	b.report = newReport(f)
	if b.maxFiles, err = raiseFiles(); err != nil {
		return exitFailed, err
	}
	if most := (b.maxFiles - spareFiles) / filesPerJoint; b.idle > most && !f.idleSet {
		b.note("tcp-memory", fmt.Sprintf("%d idle joints, not %d: a process may have %d descriptors; -idle insists", most, b.idle, b.maxFiles))
		b.idle = most
	}
	if most := b.maxFiles - spareFiles; b.conns > most && !f.idleSet {
		b.note("ipc-memory", fmt.Sprintf("%d idle connections, not %d: a process may have %d descriptors; -idle insists", most, b.conns, b.maxFiles))
		b.conns = most
	}
	if f.tenon == "" {
		b.tenon, b.tenonErr = buildTenon(ctx, dir)
	}
	if f.node == "" && slices.ContainsFunc(chosen, func(s scenario) bool { return slices.Contains(withPeers, s.list) }) {
		b.node, b.nodeErr = buildTenon(ctx, dir, "-tags", "node")
	}
	if slices.ContainsFunc(chosen, func(s scenario) bool { return s.list == inChat || s.list == inMembers }) {
		b.crowd, b.crowdErr = build(ctx, dir, "internal/crowd")
	}
	for _, s := range chosen {
		fmt.Fprintf(b.progress, "%s: %s\n", s.name, s.doc)
		if err := s.run(ctx, b); err != nil && ctx.Err() == nil {
			b.fail(s.name, "all", err)
		}
	}
	if err := ctx.Err(); err != nil {
		b.fail("all", "all", fmt.Errorf("the run was cut short: %w", context.Cause(ctx)))
	}
	return b.finish(f, missing, figures.Judge(&b.book, tenon, concerned(chosen)))
}

// concerned is the targets of the scenarios that were chosen.
func concerned(chosen []scenario) []figures.Target {
	var out []figures.Target
	for _, t := range targets {
		if slices.ContainsFunc(chosen, func(s scenario) bool { return s.name == t.Scenario }) {
			out = append(out, t)
		}
	}
	return out
}

// raiseFiles raises the limit of descriptors, for this process and all it starts, as far as it may, and
// returns it.
func raiseFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	want := syscall.Rlimit{Cur: maxFiles, Max: max(maxFiles, limit.Max)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want) == nil {
		return maxFiles, nil
	}
	// Only root may raise the hard limit. Go gave this process the hard limit when it started, but
	// gives it to a child only if the program has set it itself.
	limit.Cur = limit.Max
	return int(min(limit.Max, maxFiles)), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
