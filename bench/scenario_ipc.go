package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	ipcHot    = figures.Case{Scenario: "ipc-rtt", Variant: "64 bytes, hot"}
	ipcParked = figures.Case{Scenario: "ipc-rtt", Variant: "64 bytes, parked: 1 ms between"}
	ipcPinned = figures.Case{Scenario: "ipc-rtt", Variant: "64 bytes, both on one core"}

	ipcMessagesCase = figures.Case{Scenario: "ipc-messages", Variant: "64 bytes"}
)

func ipcThroughputCase(block int) figures.Case {
	return figures.Case{Scenario: "ipc-throughput", Variant: fmt.Sprintf("writes of %d KiB", block>>10)}
}

var (
	ipcP50     = figures.Metric{Name: "p50", Unit: "s", Baseline: unixWay}
	ipcP50Time = figures.Metric{Name: "p50 itself", Unit: "µs", Scale: 1e-6}
	ipcP99     = figures.Metric{Name: "p99", Unit: "s", Baseline: unixWay}
	ipcP99Time = figures.Metric{Name: "p99 itself", Unit: "µs", Scale: 1e-6}
	ipcRTTCPU  = figures.Metric{Name: "CPU per round trip, both", Unit: "s", Baseline: unixWay}

	ipcRate     = figures.Metric{Name: "throughput", Unit: "B/s", Baseline: unixWay}
	ipcRateOf   = figures.Metric{Name: "throughput itself", Unit: "GB/s", Scale: 1e9}
	ipcByteCPU  = figures.Metric{Name: "CPU per byte, both", Unit: "s/GB", Baseline: unixWay}
	ipcMsgs     = figures.Metric{Name: "messages/s", Unit: "/s", Baseline: unixWay}
	ipcMsgsRate = figures.Metric{Name: "messages themselves", Unit: "million/s", Scale: 1e6}
	ipcMsgCPU   = figures.Metric{Name: "CPU per message, both", Unit: "s", Baseline: unixWay}
)

// messageSize is that of round trips and of small messages.
const messageSize = 64

// ipcRTT has both programs free to run where they like, hot and with a pause before each round trip that
// is longer than anybody spins, and then both on one core.
func ipcRTT(ctx context.Context, b *bench) error {
	s := pairs{scenario: "ipc-rtt", list: inHot, role: "echo"}
	if err := b.roundTrips(ctx, s, ipcHot, "0"); err != nil {
		return err
	}
	s.list = inTrips
	if err := b.roundTrips(ctx, s, ipcParked, "1000000ns"); err != nil {
		return err
	}
	s.pinned = true
	return b.roundTrips(ctx, s, ipcPinned, "0")
}

func (b *bench) roundTrips(ctx context.Context, s pairs, c figures.Case, pause string) error {
	lanes, closeAll, err := b.openPairs(ctx, s)
	defer closeAll()
	if err != nil {
		return err
	}
	b.interleave(ctx, s.scenario, lanes, func(round int, l *lane) error {
		r, cost, err := b.measure(ctx, l, "pingpong", "-size", strconv.Itoa(messageSize), "-pause", pause)
		if err != nil {
			return err
		}
		b.noteVersion(l, r.Note)
		b.book.Add(c, ipcP50, l.name, round, r.P50)
		b.book.Add(c, ipcP50Time, l.name, round, r.P50)
		b.book.Add(c, ipcP99, l.name, round, r.P99)
		b.book.Add(c, ipcP99Time, l.name, round, r.P99)
		b.book.Add(c, ipcRTTCPU, l.name, round, cost.all()/r.Count)
		return nil
	})
	return nil
}

// noteVersion keeps what a load program says of its library.
func (b *bench) noteVersion(l *lane, version string) {
	if version != "" {
		b.note("", l.name+" is "+version)
	}
}

func ipcThroughput(ctx context.Context, b *bench) error {
	lanes, closeAll, err := b.openPairs(ctx, pairs{scenario: "ipc-throughput", list: inBulk, role: "sink"})
	defer closeAll()
	if err != nil {
		return err
	}
	for _, block := range []int{64 << 10, 1 << 20} {
		fit := b.fitting(lanes, block)
		b.interleave(ctx, "ipc-throughput", fit, func(round int, l *lane) error {
			r, cost, err := b.measure(ctx, l, "blast", "-block", strconv.Itoa(block))
			if err != nil {
				return err
			}
			b.noteVersion(l, r.Note)
			c := ipcThroughputCase(block)
			b.book.Add(c, ipcRate, l.name, round, r.Rate())
			b.book.Add(c, ipcRateOf, l.name, round, r.Rate())
			b.book.Add(c, ipcByteCPU, l.name, round, cost.all()/r.Count*1e9)
			return nil
		})
	}
	return nil
}

// fitting leaves out lanes that cannot carry blocks of that size: the system's owner bounds send buffers.
func (b *bench) fitting(lanes []*lane, block int) []*lane {
	most, err := os.ReadFile("/proc/sys/net/core/wmem_max")
	room, _ := strconv.Atoi(strings.TrimSpace(string(most)))
	if err != nil || room > block {
		return lanes
	}
	var fit []*lane
	for _, l := range lanes {
		if l.name != seqpacket2M {
			fit = append(fit, l)
		}
	}
	b.note("ipc-throughput", fmt.Sprintf("%s cannot carry %d KiB: net.core.wmem_max is %d", seqpacket2M, block>>10, room))
	return fit
}

func ipcMessages(ctx context.Context, b *bench) error {
	lanes, closeAll, err := b.openPairs(ctx, pairs{scenario: "ipc-messages", list: inMessages, role: "sink"})
	defer closeAll()
	if err != nil {
		return err
	}
	b.interleave(ctx, "ipc-messages", lanes, func(round int, l *lane) error {
		r, cost, err := b.measure(ctx, l, "blast", "-block", strconv.Itoa(messageSize))
		if err != nil {
			return err
		}
		b.noteVersion(l, r.Note)
		c, perByte := ipcMessagesCase, float64(messageSize)
		b.book.Add(c, ipcMsgs, l.name, round, r.Rate()/perByte)
		b.book.Add(c, ipcMsgsRate, l.name, round, r.Rate()/perByte)
		b.book.Add(c, ipcMsgCPU, l.name, round, cost.all()/r.Count*perByte)
		return nil
	})
	return nil
}
