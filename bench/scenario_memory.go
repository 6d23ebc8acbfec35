package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/bench/internal/child"
	"github.com/tenon-net/tenon/bench/internal/figures"
	"github.com/tenon-net/tenon/bench/internal/load"
)

var (
	memoryCase   = figures.Case{Scenario: "tcp-memory", Variant: "idle joints"}
	userMemory   = figures.Metric{Name: "relay's memory per joint", Unit: "KiB", Scale: 1024}
	kernelMemory = figures.Metric{Name: "kernel's memory per joint, client and server too", Unit: "KiB", Scale: 1024}
)

const (
	// memoryRounds is enough: memory is not noisy.
	memoryRounds = 2
	openTime     = 60 * time.Second
	// settleTime bounds the wait for memory to stop changing.
	settleTime = 3 * time.Second
)

// tcpMemory opens lanes one after the other, each with a server of its own, so that none has to run
// beside the connections of another.
func tcpMemory(ctx context.Context, b *bench) error {
	return b.idleMemory(ctx, memoryCase, userMemory, inMemory, b.idle)
}

// idleMemory measures the relays of a list with so many idle joints.
func (b *bench) idleMemory(ctx context.Context, c figures.Case, user figures.Metric, list string, idle int) error {
	lanes := []*lane{{name: figures.Direct}}
	joints := map[string]int{figures.Direct: idle}
	byName := map[string]peer{}
	for _, p := range b.peersIn(list) {
		lanes = append(lanes, &lane{name: p.name})
		byName[p.name] = p
		joints[p.name] = idle
		if p.idle > 0 && p.idle < idle {
			joints[p.name] = p.idle
			b.note(c.Scenario, fmt.Sprintf("%s: %d joints, others %d", p.name, p.idle, idle))
		}
	}
	b.interleaveFor(ctx, min(b.rounds, memoryRounds), c.Scenario, lanes, func(round int, l *lane) error {
		return b.memory(ctx, round, l, byName[l.name], joints[l.name], c, user)
	})
	return nil
}

func (b *bench) memory(ctx context.Context, round int, l *lane, p peer, joints int, c figures.Case, user figures.Metric) (err error) {
	l.server, err = load.Start(ctx, b.file(), "echo")
	if err != nil {
		return err
	}
	defer l.server.Stop()
	l.addr = l.server.Addrs[0]
	if l.name != figures.Direct {
		if err := b.startRelay(ctx, l, p, l.addr, service{list: inMemory}); err != nil {
			l.relay = nil
			return err
		}
		defer l.relay.Stop()
	}
	client, err := load.Start(ctx, b.file(), "hold", "-addr", l.addr, "-conns", fmt.Sprint(joints))
	if err != nil {
		return err
	}
	defer client.Stop()
	var relay []*child.Process
	if l.relay != nil {
		relay = append(relay, l.relay)
	}
	userBefore, kernelBefore, err := settled(ctx, relay...)
	if err != nil {
		return err
	}
	if _, err := client.Run(openTime); err != nil {
		return err
	}
	userAfter, kernelAfter, err := settled(ctx, relay...)
	if err != nil {
		return err
	}
	b.book.Add(c, user, l.name, round, float64(userAfter-userBefore)/float64(joints))
	b.book.Add(c, kernelMemory, l.name, round, float64(kernelAfter-kernelBefore)/float64(joints))
	return nil
}

// settled waits until the memory of the programs has stayed the same for a second, or settleTime is over.
func settled(ctx context.Context, programs ...*child.Process) (user, kernel int64, err error) {
	tick := time.NewTicker(settleTime / 6)
	defer tick.Stop()
	same := 0
	for start := time.Now(); same < 2 && time.Since(start) < settleTime; {
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-tick.C:
		}
		var now int64
		for _, p := range programs {
			n, err := p.Memory()
			if err != nil {
				return 0, 0, err
			}
			now += n
		}
		if same++; now-user > user/100 || user-now > user/100 {
			same = 0
		}
		user = now
	}
	kernel, err = child.KernelMemory()
	return user, kernel, err
}
