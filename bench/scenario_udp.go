package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/bench/internal/figures"
	"github.com/tenon-net/tenon/bench/internal/load"
)

var (
	datagramMetric = figures.Metric{Name: "datagrams/s", Unit: "/s", Baseline: figures.Direct}
	datagramCPU    = figures.Metric{Name: "CPU per datagram, relay", Unit: "s", Baseline: figures.Direct}
)

// drainTime bounds the wait for datagrams that are still on the way after a flood.
const drainTime = 2 * time.Second

func udpCase(how string, size int) figures.Case {
	return figures.Case{Scenario: "udp-relay", Variant: fmt.Sprintf("%s, %d bytes", how, size)}
}

func udpRelay(ctx context.Context, b *bench) error {
	lanes, closeAll, err := b.open(ctx, service{scenario: "udp-relay", list: inUDP, role: "udp"})
	defer closeAll()
	if err != nil {
		return err
	}
	for _, how := range []string{"window", "flood"} {
		for _, size := range []int{64, 1200} {
			b.interleave(ctx, "udp-relay", lanes, func(round int, l *lane) error {
				return b.datagrams(ctx, round, l, how, size)
			})
		}
	}
	return nil
}

// datagrams counts echoes of a window at the client, and a flood at the server.
func (b *bench) datagrams(ctx context.Context, round int, l *lane, how string, size int) error {
	before, err := l.server.Count()
	if err != nil {
		return err
	}
	r, cost, err := b.measure(ctx, l, how, "-size", fmt.Sprint(size))
	if err != nil {
		return err
	}
	if how == "flood" {
		after, err := drained(ctx, l.server)
		if err != nil {
			return err
		}
		if after == before {
			return fmt.Errorf("nothing arrived of %.0f datagrams", r.Count)
		}
		r.Count = float64(after - before)
	} else if r.Lost > 0 {
		b.note("udp-relay", fmt.Sprintf("%s lost about %d of %.0f datagrams of a window, %d bytes", l.name, r.Lost, r.Count, size))
	}
	c := udpCase(how, size)
	b.book.Add(c, datagramMetric, l.name, round, r.Rate())
	b.book.Add(c, datagramCPU, l.name, round, cost.relayOrAll(l)/r.Count)
	return nil
}

// drained waits until the count stands still.
func drained(ctx context.Context, server *load.Remote) (int64, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := int64(-1)
	for start := time.Now(); time.Since(start) < drainTime; {
		n, err := server.Count()
		if err != nil || n == last {
			return n, err
		}
		last = n
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
	}
	return last, nil
}
