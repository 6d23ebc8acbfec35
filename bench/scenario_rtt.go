package main

import (
	"context"
	"strconv"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	p50Metric = figures.Metric{Name: "p50", Unit: "s", Baseline: figures.Direct}
	p99Metric = figures.Metric{Name: "p99", Unit: "s", Baseline: figures.Direct}
)

func rttCase(conns int) figures.Case {
	return figures.Case{Scenario: "tcp-rtt", Variant: "64 bytes, " + count(conns, "connection")}
}

func tcpRTT(ctx context.Context, b *bench) error {
	lanes, closeAll, err := b.open(ctx, service{scenario: "tcp-rtt", list: inRTT, role: "echo"})
	defer closeAll()
	if err != nil {
		return err
	}
	for _, conns := range []int{1, 50} {
		b.interleave(ctx, "tcp-rtt", lanes, func(round int, l *lane) error {
			r, _, err := b.measure(ctx, l, "pingpong", "-size", "64", "-conns", strconv.Itoa(conns))
			if err != nil {
				return err
			}
			b.book.Add(rttCase(conns), p50Metric, l.name, round, r.P50)
			b.book.Add(rttCase(conns), p99Metric, l.name, round, r.P99)
			return nil
		})
	}
	return nil
}
