package main

import "time"

// peer is a program that relays. Everything that is particular to one is in this table.
//
// In command and config these stand for what is known only at run time: {listen} is the address to
// listen on and {port} its port; {to} is the address to relay to and {toport} its port; {cert}, {key} and {pem} are files with
// the certificate, its key, and both; {conf} is a file with config; {dir} is a directory to write to;
// {joints} is how many joints it must carry and {files} how many descriptors it may have; {tenon} and
// {self} are Tenon's program and this one, {crowd} is internal/crowd.
type peer struct {
	name    string
	in      []string // the scenarios' lists that it is in
	needs   []string // programs, or files by their path, that must be there
	debian  string   // the packages that have them
	command string   // split at spaces, then filled in
	config  string
	program string        // the name of the source in C that {program} stands for
	library string        // what it is linked with
	idle    int           // how many idle joints to try, if fewer than asked for
	speaks  string        // the protocol of a chat
	ready   time.Duration // how long it may take until it listens, if that is long
}

// The lists that a peer may be in.
const (
	inThroughput = "throughput"
	inRTT        = "rtt"
	inConnect    = "connect"
	inMemory     = "memory"
	inTLS        = "tls"
	inUDP        = "udp"
	inStart      = "start"
)

const streamModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

var (
	everyTCP  = []string{inThroughput, inRTT, inConnect, inMemory}
	bulkTCP   = []string{inThroughput, inRTT}
	startTCP  = []string{inThroughput, inRTT, inConnect, inMemory, inStart}
	nginxIs   = []string{"nginx", streamModule}
	nginxFrom = "nginx libnginx-mod-stream"
)

// haproxyConf and nginxConf raise the limits that an idle test needs and leave the rest as it comes.
const (
	haproxyConf = `global
  maxconn {joints}
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
`
	nginxConf = `load_module ` + streamModule + `;
daemon off;
user root;
worker_processes auto;
worker_rlimit_nofile {files};
error_log stderr;
pid {dir}/nginx.pid;
events { worker_connections {files}; }
`
)

// peers in the order of the tables. A backlog is given to socat because its default of 5 makes clients
// that come at once wait a second.
var peers = []peer{
	{
		name: "socat", in: startTCP, needs: []string{"socat"}, debian: "socat", idle: 500,
		command: "socat TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=1024 TCP:{to}",
	}, {
		name: "socat -b131072", in: bulkTCP, needs: []string{"socat"}, debian: "socat",
		command: "socat -b 131072 TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=1024 TCP:{to}",
	}, {
		name: "ncat", in: []string{inThroughput, inRTT, inConnect, inStart}, needs: []string{"ncat"}, debian: "ncat",
		command: "ncat -l 127.0.0.1 {port} -k -m 1000 --exec {conf}",
		config:  "#!/bin/sh\nexec ncat 127.0.0.1 {toport}\n",
	}, {
		name: "haproxy", in: everyTCP, needs: []string{"haproxy"}, debian: "haproxy",
		command: "haproxy -db -f {conf}",
		config:  haproxyConf + "listen l\n  bind {listen}\n  server s {to}\n",
	}, {
		name: "haproxy splice", in: bulkTCP, needs: []string{"haproxy"}, debian: "haproxy",
		command: "haproxy -db -f {conf}",
		config:  haproxyConf + "  option splice-auto\nglobal\n  maxpipes 100\nlisten l\n  bind {listen}\n  server s {to}\n",
	}, {
		name: "nginx", in: everyTCP, needs: nginxIs, debian: nginxFrom,
		command: "nginx -p {dir} -e stderr -c {conf}",
		config:  nginxConf + "stream { server { listen {listen}; proxy_pass {to}; } }\n",
	}, {
		name: "nginx 256k", in: bulkTCP, needs: nginxIs, debian: nginxFrom,
		command: "nginx -p {dir} -e stderr -c {conf}",
		config:  nginxConf + "stream { server { listen {listen}; proxy_pass {to}; proxy_buffer_size 256k; } }\n",
	}, {
		name: "io.Copy", in: startTCP,
		command: "{self} @copy-relay -addr {listen} -to {to}",
	}, {
		name: tenon, in: startTCP,
		command: "{tenon} tcp-listen:{listen},max=20000,max-per-ip=20000 tcp:{to}",
	},

	{
		name: "socat", in: []string{inTLS}, needs: []string{"socat"}, debian: "socat",
		command: "socat OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=1024,cert={cert},key={key},verify=0 TCP:{to}",
	}, {
		name: "stunnel", in: []string{inTLS}, needs: []string{"stunnel4"}, debian: "stunnel4",
		command: "stunnel4 {conf}",
		config:  "foreground = yes\npid =\ndebug = 3\n[l]\naccept = {listen}\nconnect = {to}\ncert = {cert}\nkey = {key}\n",
	}, {
		name: "haproxy", in: []string{inTLS}, needs: []string{"haproxy"}, debian: "haproxy",
		command: "haproxy -db -f {conf}",
		// The suite that all others agree on with the client; haproxy's own first choice is AES 256.
		config: haproxyConf + "listen l\n  bind {listen} ssl crt {pem} ciphersuites TLS_AES_128_GCM_SHA256\n  server s {to}\n",
	}, {
		name: "nginx", in: []string{inTLS}, needs: nginxIs, debian: nginxFrom,
		command: "nginx -p {dir} -e stderr -c {conf}",
		config: nginxConf + "stream { server { listen {listen} ssl; proxy_pass {to};" +
			" ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key}; } }\n",
	}, {
		name: tenon, in: []string{inTLS},
		command: "{tenon} tls-listen:{listen},cert={cert},key={key},max=20000,max-per-ip=20000 tcp:{to}",
	},

	{ // ncat is not here: it relays through pipes, which join datagrams
		name: "socat", in: []string{inUDP}, needs: []string{"socat"}, debian: "socat",
		command: "socat UDP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork UDP:{to}",
	}, {
		name: "nginx", in: []string{inUDP}, needs: nginxIs, debian: nginxFrom,
		command: "nginx -p {dir} -e stderr -c {conf}",
		config:  nginxConf + "stream { server { listen {listen} udp; proxy_pass {to}; } }\n",
	}, {
		name: tenon, in: []string{inUDP},
		command: "{tenon} udp-listen:{listen} udp:{to}",
	},
}

// dialers join standard input to a server and end; the scenario start runs them.
var dialers = []peer{
	{name: "socat", in: []string{inStart}, needs: []string{"socat"}, debian: "socat", command: "socat - TCP:{to}"},
	{name: "ncat", in: []string{inStart}, needs: []string{"ncat"}, debian: "ncat", command: "ncat 127.0.0.1 {toport}"},
	{name: tenon, in: []string{inStart}, command: "{tenon} - tcp:{to}"},
}
