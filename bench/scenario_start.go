package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/bench/internal/child"
	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	startDialCase   = figures.Case{Scenario: "start", Variant: "dial, one byte, exit"}
	startListenCase = figures.Case{Scenario: "start", Variant: "listen"}
	firstByteMetric = figures.Metric{Name: "exec to first byte", Unit: "s", Baseline: "socat"}
	exitMetric      = figures.Metric{Name: "exec to exit", Unit: "s", Baseline: "socat"}
	acceptsMetric   = figures.Metric{Name: "exec to accepting", Unit: "s", Baseline: "socat"}
)

const (
	// startsPerRound of each program; a round's value is their median.
	startsPerRound = 10
	startLimit     = 10 * time.Second
)

func start(ctx context.Context, b *bench) error {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer l.Close()
	byName := map[string]peer{}
	for _, p := range dialers {
		byName[p.name] = p
	}
	b.interleave(ctx, "start", b.bare(dialers), func(round int, lane *lane) error {
		byte1, exit, err := medians(func() (time.Duration, time.Duration, error) { return b.startDial(ctx, l, byName[lane.name]) })
		if err != nil {
			return err
		}
		b.book.Add(startDialCase, firstByteMetric, lane.name, round, byte1)
		b.book.Add(startDialCase, exitMetric, lane.name, round, exit)
		return nil
	})

	listeners := b.peersIn(inStart)
	for _, p := range listeners {
		byName[p.name] = p
	}
	b.interleave(ctx, "start", b.bare(listeners), func(round int, lane *lane) error {
		accepts, _, err := medians(func() (time.Duration, time.Duration, error) {
			return b.startListen(ctx, byName[lane.name], l.Addr().String())
		})
		if err != nil {
			return err
		}
		b.book.Add(startListenCase, acceptsMetric, lane.name, round, accepts)
		return nil
	})
	return nil
}

// bare makes lanes of which only the name matters.
func (b *bench) bare(peers []peer) []*lane {
	var out []*lane
	for _, p := range peers {
		if !b.absent[p.name] {
			out = append(out, &lane{name: p.name})
		}
	}
	return out
}

// medians calls once startsPerRound times and returns the medians of both times in seconds.
func medians(once func() (time.Duration, time.Duration, error)) (a, b float64, err error) {
	var as, bs []float64
	for range startsPerRound {
		x, y, err := once()
		if err != nil {
			return 0, 0, err
		}
		as, bs = append(as, x.Seconds()), append(bs, y.Seconds())
	}
	slices.Sort(as)
	slices.Sort(bs)
	return figures.Quantile(as, 0.5), figures.Quantile(bs, 0.5), nil
}

// startDial takes the time until the server has a program's first byte, and until the program has ended.
func (b *bench) startDial(ctx context.Context, l *net.TCPListener, p peer) (byte1, exit time.Duration, err error) {
	cmd, _, err := b.command(p, l.Addr().String(), nil)
	if err != nil {
		return 0, 0, err
	}
	cmd.Stdin = strings.NewReader("x")
	if err := l.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	proc, err := child.Start(ctx, cmd, b.file())
	if err != nil {
		return 0, 0, err
	}
	defer proc.Stop()
	c, err := l.Accept()
	if err != nil {
		return 0, 0, errors.Join(err, errors.New(proc.Tail()))
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		c.Close()
		return 0, 0, errors.Join(err, errors.New(proc.Tail()))
	}
	byte1 = time.Since(start)
	c.Close()
	select {
	case <-proc.Done():
		return byte1, time.Since(start), nil
	case <-time.After(startLimit):
		return 0, 0, errors.New(strings.Join(cmd.Args, " ") + ": did not end after the server closed: " + proc.Tail())
	}
}

// startListen takes the time until a listener has accepted a connection.
func (b *bench) startListen(ctx context.Context, p peer, to string) (accepts, _ time.Duration, err error) {
	var cmd *exec.Cmd
	cmd, addr, err := b.command(p, to, nil)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	proc, err := child.Start(ctx, cmd, b.file())
	if err != nil {
		return 0, 0, err
	}
	defer proc.Stop()
	for {
		if err = probe(addr); err == nil {
			return time.Since(start), 0, nil
		}
		select {
		case <-proc.Done():
			return 0, 0, proc.Ended()
		case <-time.After(100 * time.Microsecond):
		}
		if time.Since(start) > startLimit {
			return 0, 0, errors.Join(child.ErrNotReady, err, errors.New(proc.Tail()))
		}
	}
}
