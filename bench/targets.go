package main

import "github.com/tenon-net/tenon/bench/internal/figures"

// tenon is the name of the subject in tables and targets.
const tenon = "tenon"

var (
	otherTCP = []string{"socat", "socat -b131072", "ncat", "haproxy", "haproxy splice", "nginx", "nginx 256k", "io.Copy"}
	otherTLS = []string{"socat", "stunnel", "haproxy", "nginx"}
	proxies  = []string{"haproxy", "nginx"}
	direct   = []string{figures.Direct}
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
}
