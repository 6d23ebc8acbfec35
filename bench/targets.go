package main

import "github.com/tenon-net/tenon/bench/internal/figures"

// tenon is the name of the subject in tables and targets.
const tenon = "tenon"

var (
	otherTCP = []string{"socat", "socat -b131072", "ncat", "haproxy", "haproxy splice", "nginx", "nginx 256k", "io.Copy"}
	otherTLS = []string{"socat", "stunnel", "haproxy", "nginx"}
	proxies  = []string{"haproxy", "nginx"}
	direct   = []string{figures.Direct}
	unixOnly = []string{unixWay}
	unixBoth = []string{unixWay, unix2M}
)

// targets are what Tenon promises.
var targets = []figures.Target{
	{Promise: "throughput of each peer", Case: throughputCase, Metric: rateMetric.Name,
		Against: otherTCP, Op: figures.AtLeast, Limit: 1},
	{Promise: "CPU per byte below each peer", Case: throughputCase, Metric: cpuAll.Name,
		Against: otherTCP, Op: figures.LessThan, Limit: 1},

	{Promise: "round trip of the best proxy", Case: rttCase(1), Metric: p50Metric.Name,
		Against: proxies, Best: true, Op: figures.AtMost, Limit: 1.10},
	{Promise: "round trip of the best proxy", Case: rttCase(1), Metric: p99Metric.Name,
		Against: proxies, Best: true, Op: figures.AtMost, Limit: 1.10},
	{Promise: "round trip of the best proxy", Case: rttCase(50), Metric: p50Metric.Name,
		Against: proxies, Best: true, Op: figures.AtMost, Limit: 1.10},
	{Promise: "round trip of the best proxy", Case: rttCase(50), Metric: p99Metric.Name,
		Against: proxies, Best: true, Op: figures.AtMost, Limit: 1.10},

	{Promise: "half the connects of none", Case: connectCase(1), Metric: connectMetric.Name,
		Against: direct, Op: figures.AtLeast, Limit: 0.5},
	{Promise: "half the connects of none", Case: connectCase(16), Metric: connectMetric.Name,
		Against: direct, Op: figures.AtLeast, Limit: 0.5},
	{Promise: "connects of 2.5 socats", Case: connectCase(1), Metric: connectMetric.Name,
		Against: []string{"socat"}, Op: figures.AtLeast, Limit: 2.5},
	{Promise: "connects of 2.5 socats", Case: connectCase(16), Metric: connectMetric.Name,
		Against: []string{"socat"}, Op: figures.AtLeast, Limit: 2.5},

	{Promise: "24 KiB per idle joint", Case: memoryCase, Metric: userMemory.Name,
		Op: figures.AtMost, Limit: 24},

	{Promise: "TLS throughput of each peer", Case: tlsThroughputCase, Metric: rateMetric.Name,
		Against: otherTLS, Op: figures.AtLeast, Limit: 1},
	{Promise: "handshakes of stunnel", Case: handshakeCase("ECDSA P-256"), Metric: handshakeMetric.Name,
		Against: []string{"stunnel"}, Op: figures.AtLeast, Limit: 1},
	{Promise: "handshakes of stunnel", Case: handshakeCase("RSA 2048"), Metric: handshakeMetric.Name,
		Against: []string{"stunnel"}, Op: figures.AtLeast, Limit: 1},

	{Promise: "datagrams of 3 socats", Case: udpCase("flood", 64), Metric: datagramMetric.Name,
		Against: []string{"socat"}, Op: figures.AtLeast, Limit: 3},
	{Promise: "datagrams of 3 socats", Case: udpCase("flood", 1200), Metric: datagramMetric.Name,
		Against: []string{"socat"}, Op: figures.AtLeast, Limit: 3},
	{Promise: "datagrams of 3 socats", Case: udpCase("window", 64), Metric: datagramMetric.Name,
		Against: []string{"socat"}, Op: figures.AtLeast, Limit: 3},
	{Promise: "datagrams of 3 socats", Case: udpCase("window", 1200), Metric: datagramMetric.Name,
		Against: []string{"socat"}, Op: figures.AtLeast, Limit: 3},

	{Promise: "start of 2 socats", Case: startDialCase, Metric: firstByteMetric.Name,
		Against: []string{"socat"}, Op: figures.LessThan, Limit: 2},
	{Promise: "start of 2 socats", Case: startListenCase, Metric: acceptsMetric.Name,
		Against: []string{"socat"}, Op: figures.LessThan, Limit: 2},

	// Both: how fast it is here, and that here is not just a fast machine.
	{Promise: "0.8 µs there and back", Case: ipcHot, Metric: ipcP50Time.Name,
		Op: figures.AtMost, Limit: 0.8},
	{Promise: "round trip of unix", Case: ipcHot, Metric: ipcP50.Name,
		Against: unixOnly, Op: figures.AtMost, Limit: 1},
	{Promise: "round trip of unix", Case: ipcParked, Metric: ipcP50.Name,
		Against: unixOnly, Op: figures.AtMost, Limit: 1},
	{Promise: "round trip of unix", Case: ipcPinned, Metric: ipcP50.Name,
		Against: unixOnly, Op: figures.AtMost, Limit: 1},
	{Promise: "no more CPU than unix", Case: ipcHot, Metric: ipcRTTCPU.Name,
		Against: unixOnly, Op: figures.AtMost, Limit: 1},
	{Promise: "no more CPU than unix", Case: ipcParked, Metric: ipcRTTCPU.Name,
		Against: unixOnly, Op: figures.AtMost, Limit: 1},
	{Promise: "no more CPU than unix", Case: ipcPinned, Metric: ipcRTTCPU.Name,
		Against: unixOnly, Op: figures.AtMost, Limit: 1},

	{Promise: "throughput of 1.3 unix", Case: ipcThroughputCase(64 << 10), Metric: ipcRate.Name,
		Against: unixBoth, Op: figures.AtLeast, Limit: 1.3},
	{Promise: "throughput of 1.3 unix", Case: ipcThroughputCase(1 << 20), Metric: ipcRate.Name,
		Against: unixBoth, Op: figures.AtLeast, Limit: 1.3},

	{Promise: "8 million messages/s", Case: ipcMessagesCase, Metric: ipcMsgsRate.Name,
		Op: figures.AtLeast, Limit: 8},

	{Promise: "8 KiB per idle connection", Case: ipcUnread.Case, Metric: ipcTouched.Name,
		Op: figures.AtMost, Limit: 8},
	{Promise: "8 KiB per idle connection", Case: ipcSilent.Case, Metric: ipcTouched.Name,
		Op: figures.AtMost, Limit: 8},
	{Promise: "no thread for each", Case: ipcSilent.Case, Metric: ipcThreads.Name,
		Op: figures.LessThan, Limit: 50},
	{Promise: "no thread for each", Case: ipcProved.Case, Metric: ipcThreads.Name,
		Op: figures.LessThan, Limit: 50},
}
