// Package load has the programs that make and take the traffic: servers, clients, and a plain relay.
// Servers and clients of streams can be joined in several ways, TCP if nothing else is said.
//
// They run as processes of their own, so that no two of them share a Go scheduler: the benchmark
// starts itself with a role as its first argument. A server prints its addresses and serves until its
// standard input ends. A client connects, prints that it is ready, waits for a line, does its work,
// prints the result, and keeps its connections until its standard input ends, so that whoever watches
// can look at every process before and after the work. Main is the side of the load program, Start
// the side of the benchmark.
package load

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// prefix marks a role on the command line, so that no flag or file is taken for one.
const prefix = "@"

// Result is what a client measured.
type Result struct {
	Count   float64 `json:"count"`   // bytes, round trips, connections, datagrams
	Seconds float64 `json:"seconds"` // from the start to the last of them
	P50     float64 `json:"p50"`     // seconds per round trip
	P99     float64 `json:"p99"`
	Lost    int     `json:"lost"`
	Note    string  `json:"note"` // what was negotiated
}

// Rate is count per second.
func (r Result) Rate() float64 { return r.Count / r.Seconds }

// message is one line between a load program and the benchmark.
type message struct {
	Addrs  []string `json:"addrs,omitempty"`
	Count  int64    `json:"count,omitempty"`
	Result *Result  `json:"result,omitempty"`
	Error  string   `json:"error,omitempty"`
}

// options are the flags of all roles; each role reads those it needs.
type options struct {
	addr     string
	to       string
	ports    int
	conns    int
	size     int
	duration time.Duration
	cert     string // servers: serve TLS with this certificate
	key      string
	tls      bool // clients: speak TLS
	way      string
	sndbuf   int           // clients: bytes in the send buffer of a unix socket; 0: what the system gives
	block    int           // blast: bytes in a write
	pause    time.Duration // pingpong: between two round trips
	silent   bool          // hold: send nothing

	speaks    string // deliver: the protocol
	receivers int    // deliver: connections that get all
	rate      int    // deliver: messages a second; 0: as many as arrive

	in  *bufio.Reader
	out *json.Encoder
}

// roles by name. A role that returns an error reports it and exits 1.
func roles() map[string]func(*options) error {
	return map[string]func(*options) error{
		"sink": serveSink, "echo": serveEcho, "keep": serveKeep, "mixed": serveMixed, "udp": serveUDP,
		"blast": blast, "pingpong": pingPong, "beside": beside, "connect": connect, "hold": hold,
		"flood": flood, "window": window,
		"copy-relay": copyRelay, "deliver": deliver,
	}
}

// Main runs a role if the arguments name one, and tells whether they did and with which exit status.
func Main(args []string) (status int, ran bool) {
	if len(args) == 0 || len(args[0]) < 2 || args[0][:1] != prefix {
		return 0, false
	}
	if args[0] == prefix+pinRole {
		return pin(args[1:]), true
	}
	o := &options{in: bufio.NewReader(os.Stdin), out: json.NewEncoder(os.Stdout)}
	run, ok := roles()[args[0][1:]]
	if !ok {
		fmt.Fprintln(os.Stderr, "bench: no such role:", args[0])
		return 2, true
	}
	f := flag.NewFlagSet(args[0], flag.ExitOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:0", "address to listen on or to connect to")
	f.StringVar(&o.to, "to", "", "address to relay to")
	f.IntVar(&o.ports, "ports", 1, "number of ports to listen on")
	f.IntVar(&o.conns, "conns", 1, "number of connections or clients")
	f.IntVar(&o.size, "size", 64, "bytes in a message")
	f.DurationVar(&o.duration, "duration", time.Second, "time to work")
	f.StringVar(&o.cert, "cert", "", "certificate to serve TLS with")
	f.StringVar(&o.key, "key", "", "its key")
	f.BoolVar(&o.tls, "tls", false, "speak TLS")
	f.StringVar(&o.way, "way", "tcp", "how client and server are joined")
	f.IntVar(&o.sndbuf, "sndbuf", 0, "bytes in the send buffer of a unix socket")
	f.IntVar(&o.block, "block", blockSize, "bytes in a write")
	f.DurationVar(&o.pause, "pause", 0, "time between two round trips")
	f.BoolVar(&o.silent, "silent", false, "send nothing")
	f.StringVar(&o.speaks, "speaks", "lines", "protocol of a chat")
	f.IntVar(&o.receivers, "receivers", 1, "who get all messages")
	f.IntVar(&o.rate, "rate", 0, "messages a second; 0: as many as arrive")
	_ = f.Parse(args[1:])
	if _, ok := ways()[o.way]; !ok {
		fmt.Fprintln(os.Stderr, "bench: no such way:", o.way)
		return 2, true
	}
	if err := run(o); err != nil {
		_ = o.out.Encode(message{Error: err.Error()})
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// work is a client's life after it has connected: ready, go, result, and the end of standard input.
func (o *options) work(do func() (Result, error)) error {
	if err := o.out.Encode(message{}); err != nil {
		return err
	}
	if _, err := o.in.ReadString('\n'); err != nil {
		return err
	}
	r, err := do()
	if err != nil {
		return err
	}
	if err := o.out.Encode(message{Result: &r}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, o.in)
	return err
}

// serve is a server's life after it listens: each line asks for the count, the end of input ends it.
func (o *options) serve(addrs []string, count func() int64) error {
	if err := o.out.Encode(message{Addrs: addrs}); err != nil {
		return err
	}
	for {
		if _, err := o.in.ReadString('\n'); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := o.out.Encode(message{Count: count()}); err != nil {
			return err
		}
	}
}
