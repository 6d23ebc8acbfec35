package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	catchUpCase = figures.Case{Scenario: "chat-catchup", Variant: "100,000 messages of 200 bytes that were said meanwhile"}
	longCase    = figures.Case{Scenario: "chat-long", Variant: "a room of a million messages"}

	caughtRate = figures.Metric{Name: "messages once connected", Unit: "1000/s", Scale: 1e3}
	caughtCPU  = figures.Metric{Name: "CPU per message, both", Unit: "µs", Scale: 1e-6}
	saidRate   = figures.Metric{Name: "messages said", Unit: "1000/s", Scale: 1e3}
	saidCPU    = figures.Metric{Name: "CPU per message said", Unit: "µs", Scale: 1e-6}

	longOpen   = figures.Metric{Name: "open, with a page", Unit: "ms", Scale: 1e-3}
	longPage   = figures.Metric{Name: "a page further up", Unit: "ms", Scale: 1e-3}
	longSearch = figures.Metric{Name: "search", Unit: "ms", Scale: 1e-3}
	longWorst  = figures.Metric{Name: "the slowest search of five", Unit: "ms", Scale: 1e-3}
)

// How many messages, and by -quick.
const (
	missedMessages, quickMissedMessages = 100_000, 20_000
	longMessages, quickLongMessages     = 1_000_000, 100_000
	longRounds                          = 3
)

// chatCatchUp has one of two members away while the other says much.
func chatCatchUp(ctx context.Context, b *bench) error {
	messages := missedMessages
	if b.quick {
		messages = quickMissedMessages
		b.note("chat-catchup", fmt.Sprintf("%d messages", messages))
	}
	var r struct {
		Messages, Made, MadeCPU float64
		Rounds                  []struct{ Met, Seconds, CPU float64 }
	}
	if err := b.runCrowd(ctx, &r, "catchup", "-messages", fmt.Sprint(messages), "-rounds", fmt.Sprint(min(b.rounds, longRounds))); err != nil {
		return err
	}
	b.book.Add(catchUpCase, saidRate, tenon, 0, r.Messages/r.Made)
	b.book.Add(catchUpCase, saidCPU, tenon, 0, r.MadeCPU/r.Messages)
	for round, x := range r.Rounds {
		b.book.Add(catchUpCase, caughtRate, tenon, round, r.Messages/(x.Seconds-x.Met))
		b.book.Add(catchUpCase, caughtCPU, tenon, round, x.CPU/r.Messages)
	}
	return nil
}

// chatLong makes a long room once, and then opens it again and again.
func chatLong(ctx context.Context, b *bench) error {
	messages := longMessages
	if b.quick {
		messages = quickLongMessages
		b.note("chat-long", fmt.Sprintf("%d messages", messages))
	}
	var r struct {
		Made   float64
		Rounds []struct{ Open, Page, Search, Worst float64 }
	}
	if err := b.runCrowd(ctx, &r, "million", "-messages", fmt.Sprint(messages), "-rounds", fmt.Sprint(b.rounds)); err != nil {
		return err
	}
	b.note("chat-long", fmt.Sprintf("the room was made in %.0f s", r.Made))
	for round, x := range r.Rounds {
		b.book.Add(longCase, longOpen, tenon, round, x.Open)
		b.book.Add(longCase, longPage, tenon, round, x.Page)
		b.book.Add(longCase, longSearch, tenon, round, x.Search)
		b.book.Add(longCase, longWorst, tenon, round, x.Worst)
	}
	return nil
}

// runCrowd runs internal/crowd, with a directory of its own, and reads what it has measured.
func (b *bench) runCrowd(ctx context.Context, into any, args ...string) error {
	if b.crowdErr != nil {
		return b.crowdErr
	}
	dir, err := os.MkdirTemp(b.dir, "crowd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, b.crowd, append(args, "-dir", dir)...)
	cmd.Stderr = b.progress
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}
