package main

import (
	"context"
	"fmt"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	chatRateCase = figures.Case{Scenario: "chat-delivery", Variant: "1,000 messages/s of 200 bytes to 50"}
	chatFlatCase = figures.Case{Scenario: "chat-delivery", Variant: "200 bytes to 50, flat out"}
	membersCase  = figures.Case{Scenario: "chat-members", Variant: "20 messages/s of 200 bytes to 50 members, each with a node"}

	chatP50     = figures.Metric{Name: "p50 itself", Unit: "ms", Scale: 1e-3}
	chatP99     = figures.Metric{Name: "p99 itself", Unit: "ms", Scale: 1e-3}
	chatRate    = figures.Metric{Name: "deliveries/s", Unit: "/s", Baseline: ngircd}
	chatRateOf  = figures.Metric{Name: "messages themselves", Unit: "1000/s", Scale: 1e3}
	chatCPU     = figures.Metric{Name: "CPU per delivery, server", Unit: "s", Baseline: ngircd}
	chatCPUTime = figures.Metric{Name: "CPU itself", Unit: "µs", Scale: 1e-6}
)

// Speakers say things at once, as people do; receivers get what each says.
const (
	chatSpeakers  = 16
	chatReceivers = 50
	chatSize      = 200
)

// openChats starts those of a list. Those that do not start are reported and left out.
func (b *bench) openChats(ctx context.Context, scenario, list string) (lanes []*lane, speaks map[string]string, closeAll func()) {
	speaks = map[string]string{}
	for _, p := range b.peersIn(list) {
		l := &lane{name: p.name}
		if err := b.startRelay(ctx, l, p, "", service{scenario: scenario, list: list}); err != nil {
			b.fail(scenario, p.name, err)
			continue
		}
		speaks[p.name] = p.speaks
		lanes = append(lanes, l)
	}
	return lanes, speaks, func() {
		for _, l := range lanes {
			l.relay.Stop()
		}
	}
}

// chatMembers has each receiver be a member of its own: what is said is verified, opened and kept fifty times.
func chatMembers(ctx context.Context, b *bench) error {
	lanes, speaks, closeAll := b.openChats(ctx, "chat-members", inMembers)
	defer closeAll()
	b.interleave(ctx, "chat-members", lanes, func(round int, l *lane) error {
		return b.said(ctx, round, l, membersCase, "-speaks", speaks[l.name], "-rate", "20")
	})
	return ctx.Err()
}

// chatDelivery has a few speakers and 50 receivers at one server, or at nodes.
func chatDelivery(ctx context.Context, b *bench) error {
	lanes, speaks, closeAll := b.openChats(ctx, "chat-delivery", inChat)
	defer closeAll()
	b.note("chat-delivery", "none of the others signs, encrypts or keeps what is said; all rows of Tenon do all three")
	for _, c := range []struct {
		figures.Case
		rate string
	}{{chatRateCase, "1000"}, {chatFlatCase, "0"}} {
		b.interleave(ctx, "chat-delivery", lanes, func(round int, l *lane) error {
			return b.said(ctx, round, l, c.Case, "-speaks", speaks[l.name], "-rate", c.rate)
		})
	}
	return ctx.Err()
}

// said is one measurement of a lane.
func (b *bench) said(ctx context.Context, round int, l *lane, c figures.Case, args ...string) error {
	args = append(args, "-conns", fmt.Sprint(chatSpeakers), "-receivers", fmt.Sprint(chatReceivers), "-size", fmt.Sprint(chatSize))
	r, cost, err := b.measure(ctx, l, "deliver", args...)
	if err != nil {
		return err
	}
	if r.Lost > 0 {
		b.note(c.Scenario, fmt.Sprintf("%s has not delivered all in time", l.name))
	}
	if c != membersCase {
		b.book.Add(c, chatRate, l.name, round, r.Rate())
		b.book.Add(c, chatCPU, l.name, round, cost.relay/r.Count)
	}
	b.book.Add(c, chatRateOf, l.name, round, r.Rate()/chatReceivers)
	b.book.Add(c, chatP50, l.name, round, r.P50)
	b.book.Add(c, chatP99, l.name, round, r.P99)
	b.book.Add(c, chatCPUTime, l.name, round, cost.relay/r.Count)
	return nil
}
