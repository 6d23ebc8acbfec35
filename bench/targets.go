package main

import "github.com/tenon-net/tenon/bench/internal/figures"

// tenon is the name of the subject in tables and targets.
const tenon = "tenon"

var (
	otherTCP     = []string{"socat", "socat -b131072", "ncat", "haproxy", "haproxy splice", "nginx", "nginx 256k", "io.Copy"}
	otherTLS     = []string{"socat", "stunnel", "haproxy", "nginx"}
	proxies      = []string{"haproxy", "nginx"}
	direct       = []string{figures.Direct}
	otherTunnels = []string{"stunnel, 2 ends", "ssh -L", "chisel", "frp", "ipfs p2p"}
	unixOnly     = []string{unixWay}
	unixBoth     = []string{unixWay, unix2M}
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

	{Promise: "0.3 of no tunnel", Case: tunnelBulkCase, Metric: rateMetric.Name,
		Against: direct, Op: figures.AtLeast, Limit: 0.30},
	{Promise: "4 times the CPU of no tunnel", Case: tunnelBulkCase, Metric: cpuAll.Name,
		Against: direct, Op: figures.LessThan, Limit: 4},
	{Promise: "throughput of each tunnel", Case: tunnelBulkCase, Metric: rateMetric.Name,
		Against: otherTunnels, Op: figures.AtLeast, Limit: 1},
	{Promise: "survival costs a tenth", Case: tunnelBulkCase, Metric: rateMetric.Name,
		Against: []string{tenonMortal}, Op: figures.AtLeast, Limit: 0.9},
	{Promise: "round trip of 1.8", Case: tunnelRTTCase, Metric: p50Metric.Name,
		Against: direct, Op: figures.AtMost, Limit: 1.8},
	{Promise: "no wait behind bulk", Case: tunnelBesideCase, Metric: p99Metric.Name,
		Against: []string{tenonTLS}, Op: figures.AtMost, Limit: 1.5},
	{Promise: "a quarter of the connects of none", Case: tunnelConnectCase(1), Metric: connectMetric.Name,
		Against: direct, Op: figures.AtLeast, Limit: 0.25},
	{Promise: "a quarter of the connects of none", Case: tunnelConnectCase(16), Metric: connectMetric.Name,
		Against: direct, Op: figures.AtLeast, Limit: 0.25},
	{Promise: "40 KiB per idle connection", Case: tunnelMemoryCase, Metric: tunnelMemory.Name,
		Op: figures.AtMost, Limit: 40},

	{Promise: "1.5 of a bare cache line", Case: ipcHot, Metric: ipcP50.Name,
		Against: []string{bareLine}, Op: figures.AtMost, Limit: 1.5},
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

	{Promise: "0.7 of a bare copy", Case: ipcThroughputCase(64 << 10), Metric: ipcRate.Name,
		Against: []string{bareRing}, Op: figures.AtLeast, Limit: 0.7},
	{Promise: "0.7 of a bare copy", Case: ipcThroughputCase(1 << 20), Metric: ipcRate.Name,
		Against: []string{bareRing}, Op: figures.AtLeast, Limit: 0.7},
	{Promise: "0.5 of bare messages", Case: ipcMessagesCase, Metric: ipcMsgs.Name,
		Against: []string{bareRing}, Op: figures.AtLeast, Limit: 0.5},

	{Promise: "8 KiB per idle connection", Case: ipcUnread.Case, Metric: ipcTouched.Name,
		Op: figures.AtMost, Limit: 8},
	{Promise: "8 KiB per idle connection", Case: ipcSilent.Case, Metric: ipcTouched.Name,
		Op: figures.AtMost, Limit: 8},
	{Promise: "16 KiB when idle again", Case: ipcRested.Case, Metric: ipcTouched.Name,
		Op: figures.AtMost, Limit: 16},
	{Promise: "16 KiB when idle again", Case: ipcRested.Case, Metric: ipcKernel.Name,
		Op: figures.AtMost, Limit: 16},
	{Promise: "no thread for each", Case: ipcSilent.Case, Metric: ipcThreads.Name,
		Op: figures.LessThan, Limit: 50},
	{Promise: "no thread for each", Case: ipcProved.Case, Metric: ipcThreads.Name,
		Op: figures.LessThan, Limit: 50},

	{Promise: "a file at 0.75 of a TLS copy", Case: fileCase, Metric: fileTime.Name, Against: []string{tlsCopy}, Op: figures.AtMost, Limit: 1.33},
	{Promise: "1.3 times the CPU of a TLS copy", Case: fileCase, Metric: fileCPU.Name, Against: []string{tlsCopy}, Op: figures.AtMost, Limit: 1.30},
	{Promise: "a file before all that seal or verify", Case: fileCase, Metric: fileTime.Name, Against: []string{"scp", "rsync over ssh", "croc"}, Op: figures.LessThan, Limit: 1},
	{Promise: "a tree before the rsync daemon", Case: treeCase, Metric: treeTime.Name, Against: []string{"rsync daemon"}, Op: figures.LessThan, Limit: 1},
	{Promise: "the CPU of tar | TLS | tar", Case: treeCase, Metric: treeCPU.Name, Against: []string{tlsTar}, Op: figures.AtMost, Limit: 1},

	{Promise: "as many deliveries as ngircd", Case: chatFlatCase, Metric: chatRate.Name, Against: []string{ngircd}, Op: figures.AtLeast, Limit: 1},
	{Promise: "20,000 messages/s after an absence", Case: catchUpCase, Metric: caughtRate.Name, Op: figures.AtLeast, Limit: 20},
	{Promise: "open within 200 ms", Case: longCase, Metric: longOpen.Name, Op: figures.LessThan, Limit: 200},
	{Promise: "search within 100 ms", Case: longCase, Metric: longWorst.Name, Op: figures.LessThan, Limit: 100},
	{Promise: "p99 below 20 ms", Case: chatRateCase, Metric: chatP99.Name, Op: figures.LessThan, Limit: 20},
}
