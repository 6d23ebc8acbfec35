package main

import (
	"context"
	"fmt"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	connectMetric   = figures.Metric{Name: "connections/s", Unit: "/s", Baseline: figures.Direct}
	handshakeMetric = figures.Metric{Name: "handshakes/s", Unit: "/s", Baseline: figures.Direct}
	// handshakeCPU is the relay's; the direct lane's is that of the server, which does the handshake there.
	handshakeCPU = figures.Metric{Name: "CPU per handshake, relay or server", Unit: "s", Baseline: figures.Direct}
)

// handshakeClients at once keep both cores busy.
const handshakeClients = 8

func connectCase(clients int) figures.Case {
	return figures.Case{Scenario: "tcp-connect", Variant: count(clients, "client")}
}

func handshakeCase(kind keyKind) figures.Case {
	return figures.Case{Scenario: "tls-handshake", Variant: string(kind) + ", " + count(handshakeClients, "client")}
}

func tcpConnect(ctx context.Context, b *bench) error {
	lanes, closeAll, err := b.open(ctx, service{scenario: "tcp-connect", list: inConnect, role: "echo"})
	defer closeAll()
	if err != nil {
		return err
	}
	for _, clients := range []int{1, 16} {
		b.interleave(ctx, "tcp-connect", lanes, func(round int, l *lane) error {
			r, _, err := b.measure(ctx, l, "connect", "-conns", fmt.Sprint(clients))
			if err != nil {
				return err
			}
			b.book.Add(connectCase(clients), connectMetric, l.name, round, r.Rate())
			return nil
		})
	}
	return nil
}

func tlsHandshake(ctx context.Context, b *bench) error {
	for _, kind := range []keyKind{ecdsaP256, rsa2048} {
		if err := b.handshakes(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) handshakes(ctx context.Context, kind keyKind) error {
	c, err := newCert(b.dir, kind)
	if err != nil {
		return err
	}
	lanes, closeAll, err := b.open(ctx, service{scenario: "tls-handshake", list: inTLS, role: "echo", cert: c})
	defer closeAll()
	if err != nil {
		return err
	}
	b.interleave(ctx, "tls-handshake", lanes, func(round int, l *lane) error {
		r, cost, err := b.measure(ctx, l, "connect", "-tls", "-conns", fmt.Sprint(handshakeClients))
		if err != nil {
			return err
		}
		b.book.Add(handshakeCase(kind), handshakeMetric, l.name, round, r.Rate())
		b.book.Add(handshakeCase(kind), handshakeCPU, l.name, round, cost.carrier(l)/r.Count)
		return nil
	})
	return nil
}
