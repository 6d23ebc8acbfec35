package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/bench/internal/figures"
	"github.com/tenon-net/tenon/bench/internal/load"
)

// lanePatience is how many failed measurements of a lane end it for the scenario.
const lanePatience = 2

// bench is one run.
type bench struct {
	rounds   int
	duration time.Duration // of one measurement
	idle     int           // joints of tcp-memory
	conns    int           // connections of ipc-memory
	quick    bool          // less is moved
	maxFiles int           // descriptors that a process may have

	dir      string // for everything that is written; removed at the end
	self     string
	tenon    string
	tenonErr error // why there is no tenon to run
	node     string
	nodeErr  error // the same of the image that knows peers
	crowd    string
	crowdErr error // the same of internal/crowd
	absent   map[string]bool
	progress io.Writer

	book     figures.Book
	report   report
	failures []failure
	files    int
}

// failure is something that should have been measured and was not.
type failure struct {
	Scenario string `json:"scenario"`
	Peer     string `json:"peer"`
	Error    string `json:"error"`
}

func (b *bench) fail(scenario, peer string, err error) {
	line, _, _ := strings.Cut(err.Error(), "\n")
	b.failures = append(b.failures, failure{scenario, peer, err.Error()})
	fmt.Fprintf(b.progress, "  failed: %s, %s: %s\n", scenario, peer, line)
}

// file names a new file in the directory of the run.
func (b *bench) file() string {
	b.files++
	return filepath.Join(b.dir, fmt.Sprintf("log%d", b.files))
}

// peersIn is the peers of a list that are installed.
func (b *bench) peersIn(list string) []peer { return b.installed(peers, list) }

// installed is those of all that are in a list and installed.
func (b *bench) installed(all []peer, list string) []peer {
	var out []peer
	for _, p := range all {
		if slices.Contains(p.in, list) && !b.absent[p.name] {
			out = append(out, p)
		}
	}
	return out
}

// interleave calls measure for every lane in every round, beginning with another lane each time.
func (b *bench) interleave(ctx context.Context, scenario string, lanes []*lane, measure func(int, *lane) error) {
	b.interleaveFor(ctx, b.rounds, scenario, lanes, measure)
}

func (b *bench) interleaveFor(ctx context.Context, rounds int, scenario string, lanes []*lane, measure func(int, *lane) error) {
	for round := range rounds {
		fmt.Fprintf(b.progress, "  %s: round %d of %d\n", scenario, round+1, rounds)
		for i := range lanes {
			l := lanes[(i+round)%len(lanes)]
			if l.failed >= lanePatience || ctx.Err() != nil {
				continue
			}
			if err := measure(round, l); err != nil && ctx.Err() == nil {
				l.failed++
				b.fail(scenario, l.name, fmt.Errorf("round %d: %w", round+1, l.explain(err)))
			}
		}
	}
}

// explain adds to the error of a client what the relay has to say.
func (l *lane) explain(err error) error {
	if l.relay == nil {
		return err
	}
	select {
	case <-l.relay.Done():
		return fmt.Errorf("%w; %w", err, l.relay.Ended())
	default:
	}
	if tail := l.relay.Tail(); tail != "" {
		return fmt.Errorf("%w; the relay says: %s", err, tail)
	}
	return err
}

// cost is the CPU time that each side of a measurement took, in seconds.
type cost struct{ client, relay, server float64 }

func (c cost) all() float64 { return c.client + c.relay + c.server }

// carrier is what carries the traffic: the relay, or in the direct lane the server.
func (c cost) carrier(l *lane) float64 {
	if l.relay == nil {
		return c.server
	}
	return c.relay
}

// relayOrAll is the relay's cost, or in the direct lane everything's, which is what it is divided by.
func (c cost) relayOrAll(l *lane) float64 {
	if l.relay == nil {
		return c.all()
	}
	return c.relay
}

// measure runs a client through a lane.
func (b *bench) measure(ctx context.Context, l *lane, role string, args ...string) (load.Result, cost, error) {
	duration := fmt.Sprintf("%dns", b.duration.Nanoseconds()) // which programs in C can read too
	args = append([]string{"-addr", l.addr, "-duration", duration}, args...)
	client, err := l.startLoad(ctx, b.file(), role, args...)
	if err != nil {
		return load.Result{}, cost{}, err
	}
	defer client.Stop()
	before, err := costs(l, client)
	if err != nil {
		return load.Result{}, cost{}, err
	}
	r, err := client.Run(b.duration)
	if err != nil {
		return r, cost{}, err
	}
	after, err := costs(l, client)
	return r, cost{after.client - before.client, after.relay - before.relay, after.server - before.server}, err
}

func costs(l *lane, client *load.Remote) (c cost, err error) {
	d, err := client.CPU()
	if err != nil {
		return c, err
	}
	c.client = d.Seconds()
	if l.server != nil {
		if d, err = l.server.CPU(); err != nil {
			return c, err
		}
		c.server = d.Seconds()
	}
	if l.relay != nil {
		d, err = l.relay.CPU()
		c.relay = d.Seconds()
	}
	return c, err
}

// loadAverage is a hint how busy the machine was.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
