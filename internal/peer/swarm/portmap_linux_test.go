package swarm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

const mapEnv = "TENON_TEST_MAP_PORTS"

// TestPortMapClient is no test, but the client of the one below: a process in a network
// namespace of its own, behind a router.
func TestPortMapClient(t *testing.T) {
	if os.Getenv(mapEnv) == "" {
		t.Skip("it is a part of TestMiniupnpd")
	}
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n') //nolint:errcheck // then it ends below
	n := newNet(t, func(c *Config) {
		c.MapPorts = true
		c.Admit = func(peer.ID) peer.Admission { return peer.Known }
		c.Events = func(e Event) {
			if e.What == Mapped {
				fmt.Println("mapped", e.Addr, e.Err)
			}
		}
	}, "/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1")
	in.ReadString('\n') //nolint:errcheck // it is the end
	by, addrs, err := n.PortMapping()
	fmt.Println("by", by, addrs, err)
}

const miniupnpdTables = `table inet filter {
	chain miniupnpd { }
	chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
	chain prerouting_miniupnpd { }
	chain postrouting_miniupnpd { }
	chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
	chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; oifname "wan" masquerade; }
}
`

// Miniupnpd is what many routers have: with UPnP alone, and with PCP.
func TestMiniupnpd(t *testing.T) {
	for _, program := range []string{"miniupnpd", "nft", "ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: miniupnpd-nftables, nftables, iproute2); it is not needed", program)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces and connect them")
	}
	for by, pmp := range map[string]string{"UPnP": "no", "PCP": "yes"} {
		t.Run(by, func(t *testing.T) {
			dir := t.TempDir()
			config := "ext_ifname=wan\nlistening_ip=lan\nenable_upnp=yes\nmin_lifetime=1\nmax_lifetime=86400\nuuid=00000000-0000-0000-0000-000000000001\nenable_natpmp=" + pmp + "\n"
			for name, content := range map[string]string{"tables": miniupnpdTables, "config": config} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			router := inNamespace(t, exec.Command("sh", "-c", fmt.Sprintf(`set -e
				ip link set lo up
				ip link add wan type veth peer name provider
				ip link set provider up
				ip addr add 1.2.3.4/24 dev wan
				ip link set wan up
				read connected
				ip addr add 192.168.9.1/24 dev lan
				ip link set lan up
				ip route add 239.0.0.0/8 dev lan
				nft -f %[1]s/tables
				miniupnpd -d -f %[1]s/config -P %[1]s/pid 2>&1 &
				echo started
				read end || true
				kill $!`, dir)))
			client := exec.Command("/proc/self/exe", "-test.run", "^TestPortMapClient$")
			client.Env = append(os.Environ(), mapEnv+"=1")
			c := inNamespace(t, client)
			c.ip("link set lo up")
			c.ip("link add home type veth peer name lan netns %d", router.cmd.Process.Pid)
			c.ip("addr add 192.168.9.2/24 dev home")
			c.ip("link set home up")
			router.say("connected")
			router.wait("started")
			router.wait("HTTP listening")
			c.ip("route add default via 192.168.9.1")
			c.say("go")
			for range 2 {
				if got := c.wait("mapped "); !strings.Contains(got, "/ip4/1.2.3.4/") {
					t.Error(got)
				}
			}
			c.say("end")
			if got := c.wait("by "); !strings.HasPrefix(got, "by "+by+" ") {
				t.Error(got)
			}
		})
	}
}

// A remote is a process in a network namespace of its own.
type remote struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

func inNamespace(t *testing.T, cmd *exec.Cmd) *remote {
	t.Helper()
	r := &remote{t: t, cmd: cmd, lines: make(chan string, 4096)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	var err error
	if r.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Skip("this machine makes no network namespaces: ", err)
	}
	go func() {
		defer close(r.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			r.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() {
		r.in.Close() //nolint:errcheck // it ends by that
		for range r.lines {
		}
		cmd.Wait() //nolint:errcheck // what it has said counts
	})
	return r
}

func (r *remote) say(line string) { fmt.Fprintln(r.in, line) } //nolint:errcheck // then it says nothing

// wait waits for a line that has some text.
func (r *remote) wait(text string) string {
	r.t.Helper()
	var seen []string
	late := time.After(patience)
	for {
		select {
		case line, ok := <-r.lines:
			if ok && strings.Contains(line, text) {
				return line
			}
			seen = append(seen, line)
			if ok {
				continue
			}
		case <-late:
		}
		r.t.Fatalf("it does not say %q: %s", text, strings.Join(seen, "\n"))
	}
}

func (r *remote) ip(args string, a ...any) {
	r.t.Helper()
	args = fmt.Sprintf("-t %d -n -- ip "+args, append([]any{r.cmd.Process.Pid}, a...)...)
	if out, err := exec.Command("nsenter", strings.Fields(args)...).CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v: %s", args, err, out)
	}
}
