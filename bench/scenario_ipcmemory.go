package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/bench/internal/child"
	"github.com/tenon-net/tenon/bench/internal/figures"
	"github.com/tenon-net/tenon/bench/internal/load"
)

// idleCase is how far connections have come before they are left alone.
type idleCase struct {
	figures.Case
	role   string // of the server
	silent bool   // the client sends nothing
	rest   time.Duration
}

func ipcIdle(variant, role string, silent bool, rest time.Duration) idleCase {
	return idleCase{figures.Case{Scenario: "ipc-memory", Variant: variant}, role, silent, rest}
}

var (
	ipcUnread = ipcIdle("nobody reads", "keep", true, 0)
	ipcSilent = ipcIdle("the server reads, nothing was sent", "echo", true, 0)
	ipcProved = ipcIdle("the server reads, a byte went each way", "echo", false, 0)
	ipcRested = ipcIdle("the server reads, a byte went each way 5 s ago", "echo", false, 5*time.Second)

	ipcTouched = figures.Metric{Name: "both programs' memory per connection", Unit: "KiB", Scale: 1024}
	ipcShared  = figures.Metric{Name: "of it shared", Unit: "KiB", Scale: 1024}
	ipcKernel  = figures.Metric{Name: "kernel's memory per connection", Unit: "KiB", Scale: 1024}
	ipcThreads = figures.Metric{Name: "threads", Unit: "both"}
)

// ipcMemory opens one lane after the other, each with programs of its own.
func ipcMemory(ctx context.Context, b *bench) error {
	for _, c := range []idleCase{ipcUnread, ipcSilent, ipcProved, ipcRested} {
		byName := map[string]peer{}
		var lanes []*lane
		for _, p := range b.installed(ways, inIdle) {
			lanes = append(lanes, &lane{name: p.name})
			byName[p.name] = p
		}
		b.interleaveFor(ctx, min(b.rounds, memoryRounds), c.Scenario, lanes, func(round int, l *lane) error {
			return b.idlePairs(ctx, round, l, byName[l.name], c)
		})
	}
	return nil
}

// footprint is what two programs have.
type footprint struct{ touched, shared, kernel, threads int64 }

// idlePairs holds connections. Of the client, nobody ever waits for one of them.
func (b *bench) idlePairs(ctx context.Context, round int, l *lane, p peer, c idleCase) error {
	l.words = nil
	if err := b.startPair(ctx, l, p, pairs{role: c.role}); err != nil {
		return err
	}
	defer l.server.Stop()
	client, err := l.startLoad(ctx, b.file(), "hold", "-addr", l.addr, "-conns", fmt.Sprint(b.conns), fmt.Sprintf("-silent=%t", c.silent))
	if err != nil {
		return err
	}
	defer client.Stop()
	if err := awaitCount(ctx, l.server, load.Warm); err != nil {
		return err
	}
	both := []*child.Process{l.server.Process, client.Process}
	before, err := footprintOf(ctx, both)
	if err != nil {
		return err
	}
	if _, err := client.Run(openTime); err != nil {
		return err
	}
	if err := awaitCount(ctx, l.server, load.Warm+b.conns); err != nil {
		return err
	}
	select {
	case <-time.After(c.rest):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := footprintOf(ctx, both)
	if err != nil {
		return err
	}
	n := float64(b.conns)
	b.book.Add(c.Case, ipcTouched, l.name, round, float64(after.touched-before.touched)/n)
	b.book.Add(c.Case, ipcShared, l.name, round, float64(after.shared-before.shared)/n)
	b.book.Add(c.Case, ipcKernel, l.name, round, float64(after.kernel-before.kernel)/n)
	b.book.Add(c.Case, ipcThreads, l.name, round, float64(after.threads))
	return nil
}

// awaitCount waits until a server has accepted so many connections.
func awaitCount(ctx context.Context, server *load.Remote, want int) error {
	accepted := func() error {
		n, err := server.Count()
		if err == nil && n != int64(want) {
			err = fmt.Errorf("the server has %d connections of %d", n, want)
		}
		return err
	}
	return server.Await(ctx, readyTime, accepted)
}

// footprintOf waits until the memory of the programs stands still.
func footprintOf(ctx context.Context, both []*child.Process) (f footprint, err error) {
	f.touched, f.kernel, err = settled(ctx, both...)
	if err != nil {
		return f, err
	}
	for _, p := range both {
		shared, err := p.Shared()
		if err != nil {
			return f, err
		}
		threads, err := p.Threads()
		if err != nil {
			return f, err
		}
		f.shared += shared
		f.threads += int64(threads)
	}
	return f, nil
}
