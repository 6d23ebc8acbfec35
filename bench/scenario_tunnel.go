package main

import (
	"context"
	"fmt"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	tunnelBulkCase   = figures.Case{Scenario: "tunnel-throughput", Variant: "1 connection"}
	tunnelRTTCase    = figures.Case{Scenario: "tunnel-rtt", Variant: "64 bytes, 1 connection"}
	tunnelBesideCase = figures.Case{Scenario: "tunnel-beside", Variant: "64 bytes on one connection, bulk on another"}
	tunnelMemoryCase = figures.Case{Scenario: "tunnel-memory", Variant: "idle connections"}
	tunnelMemory     = figures.Metric{Name: "memory per connection, both sides", Unit: "KiB", Scale: 1024}
)

// tunnelIdle is how many idle connections are held: as many as one pair of nodes must carry.
const tunnelIdle = 1000

func tunnelConnectCase(clients int) figures.Case {
	return figures.Case{Scenario: "tunnel-connect", Variant: count(clients, "client")}
}

func tunnelThroughput(ctx context.Context, b *bench) error {
	return b.throughput(ctx, tunnelBulkCase, service{list: inTunnel})
}

func tunnelRTT(ctx context.Context, b *bench) error {
	return b.tunnelTrips(ctx, tunnelRTTCase, "echo", "pingpong", "-size", "64")
}

// tunnelBeside measures whether a small message waits behind the bulk of another connection.
func tunnelBeside(ctx context.Context, b *bench) error {
	return b.tunnelTrips(ctx, tunnelBesideCase, "mixed", "beside", "-size", "64")
}

func (b *bench) tunnelTrips(ctx context.Context, c figures.Case, server, client string, args ...string) error {
	lanes, closeAll, err := b.open(ctx, service{scenario: c.Scenario, list: inTunnel, role: server})
	defer closeAll()
	if err != nil {
		return err
	}
	b.interleave(ctx, c.Scenario, lanes, func(round int, l *lane) error {
		r, _, err := b.measure(ctx, l, client, args...)
		if err != nil {
			return err
		}
		b.book.Add(c, p50Metric, l.name, round, r.P50)
		b.book.Add(c, p99Metric, l.name, round, r.P99)
		return nil
	})
	return nil
}

func tunnelConnect(ctx context.Context, b *bench) error {
	lanes, closeAll, err := b.open(ctx, service{scenario: "tunnel-connect", list: inTunnelConns, role: "echo"})
	defer closeAll()
	if err != nil {
		return err
	}
	for _, clients := range []int{1, 16} {
		b.interleave(ctx, "tunnel-connect", lanes, func(round int, l *lane) error {
			r, _, err := b.measure(ctx, l, "connect", "-conns", fmt.Sprint(clients))
			if err != nil {
				return err
			}
			b.book.Add(tunnelConnectCase(clients), connectMetric, l.name, round, r.Rate())
			return nil
		})
	}
	return nil
}

func tunnelIdleMemory(ctx context.Context, b *bench) error {
	return b.idleMemory(ctx, tunnelMemoryCase, tunnelMemory, inTunnelMemory, min(b.idle, tunnelIdle))
}
