package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-net/tenon/bench/internal/child"
	"github.com/tenon-net/tenon/bench/internal/figures"
	"github.com/tenon-net/tenon/bench/internal/load"
)

const (
	// startTries is how often a relay is started: another program may have taken the port that was
	// free a moment ago.
	startTries = 3
	readyTime  = 10 * time.Second
	// spareJoints is for probes, and for the busiest scenario that is not about idle joints.
	spareJoints = 100
)

// lane is one way from a client to a server: direct, or through a relay.
type lane struct {
	name   string
	addr   string         // where the client connects
	relay  *child.Process // nil if direct
	server *load.Remote   // shared by lanes, at an address of its own for each
	words  []string       // the command of client and server, with {role} in it; nil if it is this program
	failed int            // how many measurements failed
}

// service is what lanes of a scenario have in common.
type service struct {
	scenario string
	list     string // the peers in this list are relays
	role     string // of the server
	cert     *cert  // for relays that serve TLS, and for the server of the direct lane
}

// open starts the servers and a relay per peer. Peers that do not start are reported and left out.
func (b *bench) open(ctx context.Context, s service) (lanes []*lane, closeAll func(), err error) {
	var stops []func()
	closeAll = func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
	}
	relays := b.peersIn(s.list)
	server, err := load.Start(ctx, b.file(), s.role, "-ports", fmt.Sprint(len(relays)+1))
	if err != nil {
		return nil, closeAll, err
	}
	stops = append(stops, server.Stop)
	first := &lane{name: figures.Direct, addr: server.Addrs[0], server: server}
	if s.cert != nil {
		first.server, err = load.Start(ctx, b.file(), s.role, "-cert", s.cert.cert, "-key", s.cert.key)
		if err != nil {
			return nil, closeAll, err
		}
		stops = append(stops, first.server.Stop)
		first.addr = first.server.Addrs[0]
	}
	lanes = append(lanes, first)
	for i, p := range relays {
		l := &lane{name: p.name, server: server}
		if err := b.startRelay(ctx, l, p, server.Addrs[i+1], s); err != nil {
			b.fail(s.scenario, p.name, err)
			continue
		}
		stops = append(stops, l.relay.Stop)
		lanes = append(lanes, l)
	}
	return lanes, closeAll, ctx.Err()
}

// startRelay starts p and, unless it carries datagrams, waits until it accepts connections.
func (b *bench) startRelay(ctx context.Context, l *lane, p peer, to string, s service) (err error) {
	for range startTries {
		var cmd *exec.Cmd
		cmd, l.addr, err = b.command(p, to, s.cert)
		if err != nil {
			return err
		}
		l.relay, err = child.Start(ctx, cmd, b.file())
		if err != nil {
			return err
		}
		if s.list == inUDP {
			return nil // the client waits for an echo
		}
		err = l.relay.Await(ctx, max(p.ready, readyTime), func() error { return probe(l.addr) })
		if err == nil {
			return nil
		}
		l.relay.Stop()
		if ctx.Err() != nil || errors.Is(err, child.ErrNotReady) {
			break
		}
	}
	return err
}

// probe connects from an address of its own, so that it can never meet itself: a socket that
// connects to a free port of the ephemeral range may be given that very port.
func probe(addr string) error {
	d := net.Dialer{Timeout: readyTime, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// command fills in what p's command and config leave open.
func (b *bench) command(p peer, to string, c *cert) (cmd *exec.Cmd, listen string, err error) {
	text := p.command + p.config
	if strings.Contains(text, "{tenon}") && b.tenonErr != nil {
		return nil, "", b.tenonErr
	}
	if strings.Contains(text, "{crowd}") && b.crowdErr != nil {
		return nil, "", b.crowdErr
	}
	if strings.Contains(text, "{node}") && b.nodeErr != nil {
		return nil, "", b.nodeErr
	}
	listen, between, err := freePorts()
	if err != nil {
		return nil, "", err
	}
	if c == nil && strings.Contains(text, "{cert}") {
		if c, err = newCert(b.dir, ecdsaP256); err != nil {
			return nil, "", err
		}
	}
	dir, err := os.MkdirTemp(b.dir, "relay")
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(listen)
	_, toPort, _ := net.SplitHostPort(to)
	_, betweenPort, _ := net.SplitHostPort(between)
	conf := filepath.Join(dir, "conf")
	pairs := []string{"{listen}", listen, "{port}", port, "{to}", to, "{toport}", toPort,
		"{conf}", conf, "{dir}", dir, "{tenon}", b.tenon, "{node}", b.node, "{between}", between, "{betweenport}", betweenPort,
		"{joints}", strconv.Itoa(b.idle + spareJoints), "{files}", strconv.Itoa(b.maxFiles), "{self}", b.self, "{crowd}", b.crowd}
	if c != nil {
		pairs = append(pairs, "{cert}", c.cert, "{key}", c.key, "{pem}", c.pem)
	}
	fill := strings.NewReplacer(pairs...)
	// Executable, because ncat's is a script.
	if err := os.WriteFile(conf, []byte(fill.Replace(p.config)), 0o700); err != nil {
		return nil, "", err
	}
	words := strings.Fields(p.command)
	for i := range words {
		words[i] = fill.Replace(words[i])
	}
	return exec.Command(words[0], words[1:]...), listen, nil
}

// freePorts returns two addresses that nobody listens at, a moment ago at least.
func freePorts() (one, other string, err error) {
	for _, addr := range []*string{&one, &other} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer l.Close()
		*addr = l.Addr().String()
	}
	return one, other, nil
}
