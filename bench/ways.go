package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tenon-net/tenon/bench/internal/load"
)

// The lists of the scenarios of two programs on one machine.
const (
	inHot      = "ipc round trips, hot"
	inTrips    = "ipc round trips"
	inBulk     = "ipc bulk"
	inMessages = "ipc messages"
	inIdle     = "ipc idle"
)

// unixWay is what the others are compared with.
const unixWay = "unix"

// What is divided by the limits in the same round says how near a way is to what the processors and the
// memory can do, wherever the host has put them.
const (
	bareLine = "bare line" // a cache line that goes there and back
	bareRing = "bare ring" // memory copied into a ring and out of it, with nothing checked
)

// The send buffer of a unix socket has 208 KiB unless it is told otherwise, and a message must fit into it.
const (
	unix2M      = "unix 2M"
	seqpacket2M = "seqpacket 2M"
	sndbuf2M    = " -sndbuf 2097152"
)

// Programs in C need a compiler and a library's header.
const (
	zmqHeader = "/usr/include/zmq.h"
	nngHeader = "/usr/include/nng/nng.h"
)

// ways are how two programs of one machine may be joined. Their commands are load programs: client and
// server are the same program in another role, which stands in {role}; {program} is compiled from the C
// source of the same name in c/, with the library of that name.
var ways = []peer{
	{name: tenon, in: []string{inHot, inTrips, inBulk, inIdle}, command: "{self} @{role} -way shm"},
	{name: tenon, in: []string{inMessages}, command: "{self} @{role} -way shm-msg"},
	{name: "tenon bytes", in: []string{inMessages}, command: "{self} @{role} -way shm"},
	{name: unixWay, in: []string{inHot, inTrips, inBulk, inMessages, inIdle}, command: "{self} @{role} -way unix"},
	{name: unix2M, in: []string{inBulk}, command: "{self} @{role} -way unix" + sndbuf2M},
	{name: "seqpacket", in: []string{inHot, inTrips, inMessages}, command: "{self} @{role} -way seqpacket"},
	{name: seqpacket2M, in: []string{inBulk}, command: "{self} @{role} -way seqpacket" + sndbuf2M},
	{name: "pipes", in: oneConn, command: "{self} @{role} -way pipes"},
	{name: "TCP", in: []string{inHot, inTrips, inBulk, inMessages, inIdle}, command: "{self} @{role} -way tcp"},
	{name: "ZeroMQ", in: oneConn, needs: []string{"gcc", zmqHeader}, debian: "gcc libc6-dev libzmq3-dev",
		command: "{program} {role}", program: "zmq", library: "zmq"},
	{name: "nng", in: oneConn, needs: []string{"gcc", nngHeader}, debian: "gcc libc6-dev libnng-dev",
		command: "{program} {role}", program: "nng", library: "nng"},
	// The limits. They spin, so they have no part in what is measured on one core or with pauses.
	{name: bareLine, in: []string{inHot}, needs: []string{"gcc"}, debian: "gcc libc6-dev", command: "{program} {role}", program: "bareline"},
	{name: bareRing, in: []string{inBulk, inMessages}, needs: []string{"gcc"}, debian: "gcc libc6-dev", command: "{program} {role}", program: "barering"},
	// One session of it takes 32 MiB and carries many connections, so it has no part in memory.
	{name: "shmipc-go", in: oneConn, command: "{self} @{role} -way shmipc"},
}

// oneConn is the lists of the scenarios that have one connection, and so all but inIdle.
var oneConn = []string{inHot, inTrips, inBulk, inMessages}

// cSources is the load programs that are not in Go.
//
//go:embed c
var cSources embed.FS

// compile builds the load program of p, in C, once in a run and returns its path.
func (b *bench) compile(ctx context.Context, p peer) (string, error) {
	name := p.program
	program := filepath.Join(b.dir, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	sources := filepath.Join(b.dir, "source")
	if err := os.RemoveAll(sources); err != nil {
		return "", err
	}
	if err := os.CopyFS(sources, cSources); err != nil {
		return "", err
	}
	source := filepath.Join(sources, "c", name+".c")
	args := []string{"-O2", "-o", program, source, "-lpthread"}
	if p.library != "" {
		args = append(args, "-l"+p.library)
	}
	out, err := exec.CommandContext(ctx, "gcc", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gcc %s.c: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return program, nil
}

// pairs is what the lanes of a scenario of two programs have in common.
type pairs struct {
	scenario string
	list     string // the ways in this list are lanes
	role     string // of the server
	pinned   bool   // both programs on one processor
}

// openPairs starts a server for each way. Those that do not start are reported and left out.
func (b *bench) openPairs(ctx context.Context, s pairs) (lanes []*lane, closeAll func(), err error) {
	closeAll = func() {
		for _, l := range lanes {
			l.server.Stop()
		}
	}
	for _, p := range b.installed(ways, s.list) {
		l := &lane{name: p.name}
		if err := b.startPair(ctx, l, p, s); err != nil {
			b.fail(s.scenario, p.name, err)
			continue
		}
		lanes = append(lanes, l)
	}
	return lanes, closeAll, ctx.Err()
}

// startPair starts a server for p at an address of its own.
func (b *bench) startPair(ctx context.Context, l *lane, p peer, s pairs) (err error) {
	program := ""
	if p.program != "" {
		if program, err = b.compile(ctx, p); err != nil {
			return err
		}
	}
	for _, word := range strings.Fields(p.command) {
		l.words = append(l.words, strings.NewReplacer("{self}", b.self, "{program}", program).Replace(word))
	}
	if s.pinned {
		l.words = load.Pinned(b.self, l.words)
	}
	l.addr = b.file()
	if p.name == "TCP" {
		l.addr = "127.0.0.1:0"
	}
	l.server, err = l.startLoad(ctx, b.file(), s.role, "-addr", l.addr)
	if err != nil {
		return err
	}
	l.addr = l.server.Addrs[0]
	return nil
}

// startLoad starts a load program in a role: this program's own, or that of the lane's way.
func (l *lane) startLoad(ctx context.Context, log, role string, args ...string) (*load.Remote, error) {
	if l.words == nil {
		return load.Start(ctx, log, role, args...)
	}
	var words []string
	for _, word := range l.words {
		words = append(words, strings.ReplaceAll(word, "{role}", role))
	}
	words = append(words, args...)
	return load.StartProgram(ctx, log, role, exec.Command(words[0], words[1:]...))
}
