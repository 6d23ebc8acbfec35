package main

import (
	"context"
	"fmt"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	throughputCase    = figures.Case{Scenario: "tcp-throughput", Variant: "1 connection"}
	tlsThroughputCase = figures.Case{Scenario: "tls-throughput", Variant: "1 connection, ECDSA P-256"}
)

func tcpThroughput(ctx context.Context, b *bench) error {
	return b.throughput(ctx, throughputCase, service{list: inThroughput})
}

// tlsThroughput compares with a server that speaks TLS itself.
func tlsThroughput(ctx context.Context, b *bench) error {
	c, err := newCert(b.dir, ecdsaP256)
	if err != nil {
		return err
	}
	return b.throughput(ctx, tlsThroughputCase, service{list: inTLS, cert: c}, "-tls")
}

func (b *bench) throughput(ctx context.Context, c figures.Case, s service, args ...string) error {
	s.scenario, s.role = c.Scenario, "sink"
	lanes, closeAll, err := b.open(ctx, s)
	defer closeAll()
	if err != nil {
		return err
	}
	b.interleave(ctx, s.scenario, lanes, func(round int, l *lane) error {
		r, cost, err := b.measure(ctx, l, "blast", args...)
		if err != nil {
			return err
		}
		if r.Note != "" && round == 0 {
			b.note(c.Scenario, fmt.Sprintf("%s negotiated %s", l.name, r.Note))
		}
		b.book.Add(c, rateMetric, l.name, round, r.Rate())
		b.book.Add(c, cpuAll, l.name, round, cost.all()/r.Count*1e9)
		b.book.Add(c, cpuRelay, l.name, round, cost.relayOrAll(l)/r.Count*1e9)
		return nil
	})
	return nil
}
