package swarm

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A kubo is a node of IPFS, which speaks the same libp2p.
type kubo struct {
	t     *testing.T
	path  string
	dir   string
	start func(*exec.Cmd) error // as (*exec.Cmd).Start does
}

// run runs a command of it.
func (k *kubo) run(args ...string) (string, error) {
	cmd := k.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := k.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return strings.TrimSpace(out.String()), err
}

func (k *kubo) command(args ...string) *exec.Cmd {
	cmd := exec.Command(k.path, args...)
	cmd.Env = append(os.Environ(), "IPFS_PATH="+k.dir, "IPFS_TELEMETRY=off")
	return cmd
}

func (k *kubo) must(args ...string) string {
	k.t.Helper()
	out, err := k.run(args...)
	if err != nil {
		k.t.Fatalf("ipfs %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// startKubo starts a node that knows nobody, with settings of its own, where start starts programs. It skips the test if
// there is none.
func startKubo(t *testing.T, start func(*exec.Cmd) error, settings ...string) *kubo {
	t.Helper()
	path, err := filepath.Abs("testdata/kubo/ipfs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath("ipfs"); err != nil {
			t.Skip("kubo is not there: make interop builds it")
		}
	}
	k := &kubo{t: t, path: path, dir: t.TempDir(), start: start}
	k.must("init", "--profile", "test")
	for key, value := range map[string]string{
		"Addresses.Swarm": `["/ip4/127.0.0.1/tcp/0","/ip4/127.0.0.1/udp/0/quic-v1"]`, "Addresses.API": `"/ip4/127.0.0.1/tcp/0"`,
		"Addresses.Gateway": `"/ip4/127.0.0.1/tcp/0"`, "Bootstrap": "[]", "AutoConf.Enabled": "false", "Discovery.MDNS.Enabled": "false",
	} {
		k.must("config", "--json", key, value)
	}
	for pair := range slices.Chunk(settings, 2) {
		k.must("config", "--json", pair[0], pair[1])
	}
	daemon := k.command("daemon")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.start(daemon); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill() //nolint:errcheck // it is gone
		daemon.Wait()         //nolint:errcheck // how does not matter
	})
	late := time.AfterFunc(time.Minute, func() { daemon.Process.Kill() }) //nolint:errcheck // it is gone
	defer late.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Daemon is ready") {
			go func() {
				for lines.Scan() { // so that it is not held up
				}
			}()
			return k
		}
	}
	t.Fatal("kubo does not come up")
	return nil
}

// A node of IPFS that comes to a node of Tenon is refused when it has shown its key, over
// TCP and over QUIC, and is told nothing; and we do not turn to one. One that is let in
// finds no service, and is closed when it is not let in any more.
func TestKuboIsRefused(t *testing.T) {
	k := startKubo(t, (*exec.Cmd).Start)
	info, err := lpeer.Decode(k.must("id", "-f", "<id>"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := ours(info)
	if err != nil {
		t.Fatal(err)
	}
	turned := make(chan Event, 64)
	n := newNet(t, func(c *Config) {
		c.Admit = func(peer.ID) peer.Admission { return peer.Refused }
		c.Events = func(e Event) {
			if e.What == Turned || e.What == Connected {
				turned <- e
			}
		}
	}, loopback, "/ip4/127.0.0.1/udp/0/quic-v1")
	n.Serve("/ipfs/bitswap/1.2.0", func(transport.Stream) { t.Error("a stranger's stream is served") })
	for _, at := range n.Addrs() {
		said, err := k.run("swarm", "connect", at+"/p2p/"+LibID(n.Self()))
		t.Logf("connect %s: %s, %v", at, said, err)
		select {
		case e := <-turned:
			if e.What != Turned || e.Peer != id {
				t.Errorf("%+v", e)
			}
		case <-time.After(patience):
			t.Fatalf("nobody has come to %s", at)
		}
		for late := time.Now().Add(patience); strings.Contains(k.must("swarm", "peers"), LibID(n.Self())); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatal("it stays connected")
			}
		}
		if seen, err := k.run("id", LibID(n.Self())); err == nil && strings.Contains(seen, "tenon") {
			t.Errorf("it has been told who this is: %s", seen)
		}
	}
	addrs := strings.Fields(k.must("swarm", "addrs", "local"))
	n.AddAddrs(id, addrs...)
	if _, err := n.Open(t.Context(), id, "/x"); !errors.Is(err, peer.ErrNotAdmitted) {
		t.Errorf("we turn to it: %v", err)
	}
	// As a peer it would be welcome, and has nothing to say.
	friend := newNet(t, nil, loopback)
	friend.AddAddrs(id, addrs...)
	if _, err := friend.Open(t.Context(), id, "/x"); !errors.Is(err, peer.ErrNoProtocol) {
		t.Errorf("one that is let in: %v", err)
	}
	setAdmit(friend, func(peer.ID) peer.Admission { return peer.Refused })
	friend.Recheck()
	awaitLinks(t, friend, func() bool { return len(friend.links.to(info)) == 0 })
}
