package main

import (
	"context"
	"fmt"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

// scenario is one thing to measure. Run reports what goes wrong with a peer to the bench; an error
// means that nothing can be measured.
type scenario struct {
	name string
	list string // the peers it needs
	doc  string
	run  func(context.Context, *bench) error
}

var scenarios = []scenario{
	{"tcp-throughput", inThroughput, "bytes per second and CPU per byte, one connection", tcpThroughput},
	{"tcp-rtt", inRTT, "round trips of 64 bytes, 1 and 50 connections", tcpRTT},
	{"tcp-connect", inConnect, "connect, exchange a byte, close; 1 and 16 clients", tcpConnect},
	{"tcp-memory", inMemory, "memory of a relay per idle joint", tcpMemory},
	{"tls-throughput", inTLS, "TLS from the client to the relay, plain TCP behind it", tlsThroughput},
	{"tls-handshake", inTLS, "full handshakes, ECDSA P-256 and RSA 2048", tlsHandshake},
	{"udp-relay", inUDP, "datagrams of 64 and 1200 bytes that arrive, flood and window", udpRelay},
	{"tunnel-throughput", inTunnel, "two sides and a sealed connection: bytes per second and CPU per byte", tunnelThroughput},
	{"tunnel-rtt", inTunnel, "two sides and a sealed connection: round trips of 64 bytes", tunnelRTT},
	{"tunnel-beside", inTunnel, "two sides and a sealed connection: round trips of 64 bytes beside bulk", tunnelBeside},
	{"tunnel-connect", inTunnelConns, "two sides and a sealed connection: connect, exchange a byte, close", tunnelConnect},
	{"tunnel-memory", inTunnelMemory, "two sides and a sealed connection: memory of both per idle connection", tunnelIdleMemory},
	{"share-file", inFile, "a file from one directory to another, through a connection", shareFile},
	{"share-tree", inTree, "a directory of small files from one place to another, through a connection", shareTree},
	{"chat-delivery", inChat, "what is said goes to 50 receivers: 1,000 messages a second, and flat out", chatDelivery},
	{"chat-members", inMembers, "what is said goes to 50 members with a node each", chatMembers},
	{"chat-catchup", inMembers, "who was away gets what was said meanwhile", chatCatchUp},
	{"chat-long", inMembers, "a room of a million messages: opened, paged, searched", chatLong},
	{"ipc-rtt", inHot, "two programs of one machine: round trips of 64 bytes, hot, parked, and on one core", ipcRTT},
	{"ipc-throughput", inBulk, "two programs of one machine: bytes one way, in writes of 64 KiB and 1 MiB", ipcThroughput},
	{"ipc-messages", inMessages, "two programs of one machine: 64 bytes at a time, one way", ipcMessages},
	{"ipc-memory", inIdle, "two programs of one machine: what an idle connection costs", ipcMemory},
	{"start", inStart, "from exec to the first byte, to exit, and to accepting", start},
}

// count is "1 client" or "2 clients".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Metrics that more than one scenario has.
var (
	rateMetric = figures.Metric{Name: "throughput", Unit: "B/s", Baseline: figures.Direct}
	cpuAll     = figures.Metric{Name: "CPU per byte, all", Unit: "s/GB", Baseline: figures.Direct}
	cpuRelay   = figures.Metric{Name: "CPU per byte, relay", Unit: "s/GB", Baseline: figures.Direct}
)
