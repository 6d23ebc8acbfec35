package reach

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/swarm"
)

var (
	full = flag.Bool("natlab", false, "every pair of NATs, and every scenario: make natlab")
	long = flag.Int("survive", 0, "so many scenarios of TestSurvival, with 1 GiB each: make survive")
)

func TestMain(m *testing.M) {
	natlab.Main(m, nil, func() {
		if imageDir != "" {
			_ = os.RemoveAll(imageDir)
		}
	})
}

// imageDir is where image has built, once it has.
var imageDir string

// image builds the program with all that peers need.
var image = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "reach")
	if err != nil {
		return "", err
	}
	imageDir = dir
	path := filepath.Join(dir, "tenon")
	out, err := exec.Command("go", "build", "-tags", "node", "-o", path, "github.com/tenon-net/tenon/cmd/tenon").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// A computer is a host with an identity and a configuration.
type computer struct {
	t    testing.TB
	name string
	host *natlab.Host
	dir  string
	up   *exec.Cmd
	log  lines
}

// lines collects what a program says.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newComputer(t testing.TB, name string, h *natlab.Host) *computer {
	t.Helper()
	c := &computer{t: t, name: name, host: h, dir: t.TempDir()}
	t.Cleanup(func() {
		c.down()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, c.log.String())
		}
	})
	return c
}

// configure writes the configuration.
func (c *computer) configure(text string) {
	c.t.Helper()
	dir := filepath.Join(c.dir, "config", "tenon")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tenon.toml"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// command returns the program, to be started in the host.
func (c *computer) command(args ...string) *exec.Cmd {
	c.t.Helper()
	path, err := image()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "TENON_DIR="+filepath.Join(c.dir, "state"), "XDG_CONFIG_HOME="+filepath.Join(c.dir, "config"), "HOME="+c.dir)
	cmd.Stderr = &c.log
	return cmd
}

// run runs the program to its end and returns what it prints.
func (c *computer) run(args ...string) (string, error) {
	c.t.Helper()
	cmd := c.command(args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := c.host.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%s: tenon %s: %w", c.name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(out.String()), err
}

func (c *computer) must(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// start starts the node and waits until it is up.
func (c *computer) start() {
	c.t.Helper()
	c.up = c.command("up", "--ready-fd", "3")
	c.ready(c.up)
}

// ready starts a program that has --ready-fd 3, and waits until it says that it is.
func (c *computer) ready(cmd *exec.Cmd) {
	c.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{w}
	err = c.host.Start(cmd)
	w.Close()
	if err != nil {
		c.t.Fatal(err)
	}
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil && line == "" {
		c.t.Fatalf("%s: %v does not get ready: %v\n%s", c.name, cmd.Args, err, c.log.String())
	}
}

// down ends the node.
func (c *computer) down() {
	if c.up == nil {
		return
	}
	_ = c.up.Process.Signal(os.Interrupt)
	stop := time.AfterFunc(10*time.Second, func() { _ = c.up.Process.Kill() })
	_ = c.up.Wait()
	stop.Stop()
	c.up = nil
}

// A peerState is what the node says of a peer.
type peerState struct {
	Name  string `json:"name"`
	State string `json:"state"` // "direct" or "relayed", among others
	Addr  string `json:"addr"`
}

func (c *computer) peers() (all []peerState) {
	out, err := c.run("--json", "peers")
	if err != nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(out))
	for {
		var p peerState
		if d.Decode(&p) != nil {
			return all
		}
		all = append(all, p)
	}
}

// relayText are the addresses of a relay, as in a configuration.
func relayText(t testing.TB, id string, addrs []netip.Addr) string {
	t.Helper()
	who, err := peer.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range addrs {
		family := "ip4"
		if a.Is6() {
			family = "ip6"
		}
		for _, over := range []string{"tcp/443", "udp/443/quic-v1"} {
			all = append(all, fmt.Sprintf("%q", fmt.Sprintf("/%s/%s/%s/p2p/%s", family, a, over, swarm.LibID(who))))
		}
	}
	return "relays = [" + strings.Join(all, ", ") + "]\n"
}

var relayConfig = `relay = "anyone"
discovery = ["none"]
listen = ["/ip4/0.0.0.0/tcp/443", "/ip4/0.0.0.0/udp/443/quic-v1", "/ip6/::/tcp/443", "/ip6/::/udp/443/quic-v1"]
`

// ownRelay is what one adds who pays for it himself.
const ownRelay = `relay-rate = "1GiB"
relay-bytes = "1TiB"
relay-day = "1TiB"
relay-time = "24h"
`

// An internet is a laboratory with a relay that is a node.
type internet struct {
	*natlab.Lab
	t      testing.TB
	relay  *computer
	relays string // of the configuration of others
	blob   string // a file that alice has
}

func newInternet(t testing.TB) *internet {
	if testing.Short() {
		t.Skip("skipped because of -short: builds the program, and runs it on three computers")
	}
	i := &internet{Lab: natlab.New(t), t: t}
	i.relay = newComputer(t, "relay", i.Relay)
	i.relay.configure(relayConfig)
	id := i.relay.must("id")
	a := i.Relay.Addrs()
	i.relays = relayText(t, id, []netip.Addr{a[0], a[2]})
	i.relay.start()
	return i
}

// pair makes two computers that know each other from a local network, where they are still. bob may use
// what alice serves.
func (i *internet) pair() (alice, bob *computer) {
	i.t.Helper()
	home := i.Router(natlab.Port)
	alice, bob = newComputer(i.t, "alice", i.Host("alice", home)), newComputer(i.t, "bob", i.Host("bob", home))
	alice.configure("name = \"alice\"\n")
	bob.configure("name = \"bob\"\n")
	alice.start()
	bob.start()
	offer := alice.command("pair")
	out, err := offer.StdoutPipe()
	if err == nil {
		err = alice.host.Start(offer)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	code, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		i.t.Fatalf("no code: %v\n%s", err, alice.log.String())
	}
	bob.must("pair", "--join", strings.TrimSpace(code))
	if err := offer.Wait(); err != nil {
		i.t.Fatalf("pair: %v\n%s", err, alice.log.String())
	}
	alice.down()
	bob.down()
	alice.configure("name = \"alice\"\n" + i.relays + fmt.Sprintf(services, i.blob))
	bob.configure("name = \"bob\"\n" + i.relays + "discovery = [\"none\"]\n")
	return alice, bob
}

// services are what alice has for bob: something that answers, and a file that can be checked.
const services = `discovery = ["none"]
[services.echo]
address = "echo:"
to = ["paired"]
[services.blob]
address = "exec:cat %s"
to = ["paired"]
`

// move plugs both in where they are to be, and starts their nodes.
func (i *internet) move(alice, bob *computer, a, b *natlab.Router) {
	i.t.Helper()
	alice.down()
	bob.down()
	alice.host.Plug(a)
	bob.host.Plug(b)
	alice.start()
	bob.start()
}
