package portmap

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const tables = `table inet filter {
	chain miniupnpd { }
	chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
	chain prerouting_miniupnpd { }
	chain postrouting_miniupnpd { }
	chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
	chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; oifname "wan" masquerade; }
}
`

const config = `ext_ifname=wan
listening_ip=lan
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
min_lifetime=1
max_lifetime=86400
uuid=00000000-0000-0000-0000-000000000001

deny 4002 0.0.0.0/0 4002
`

// Miniupnpd is what many routers have. The client and the router are network namespaces
// of this test.
func TestMiniupnpd(t *testing.T) {
	for _, program := range []string{"miniupnpd", "nft", "ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: miniupnpd-nftables, nftables, iproute2); it is not needed", program)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces and connect them")
	}
	runtime.LockOSThread() // and never unlock: the thread ends with its namespace
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("this machine makes no network namespaces: ", err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf(`set -e
ip link set lo up
ip link add wan type veth peer name provider
ip link set provider up
ip addr add 1.2.3.4/24 dev wan
ip link set wan up
until ip link show lan >/dev/null 2>&1; do :; done
ip addr add 192.168.9.1/24 dev lan
ip link set lan up
nft -f %[1]s/tables
echo ready
exec miniupnpd -d -f %[1]s/config -P %[1]s/pid`, dir)
	for name, content := range map[string]string{"tables": tables, "config": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	router := exec.Command("sh", "-c", script)
	router.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var log strings.Builder
	router.Stdout, router.Stderr = &log, &log
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		router.Process.Kill() //nolint:errcheck // it may have ended
		router.Wait()         //nolint:errcheck // it was killed
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	for _, args := range []string{
		fmt.Sprintf("link add home type veth peer name lan netns %d", router.Process.Pid),
		"addr add 192.168.9.2/24 dev home", "link set home up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("192.168.9.1"), Port)
	var r *Router
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if r, err = Discover(t.Context(), at); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, pcp := range []bool{true, false} {
		r.pcp = pcp
		m, err := r.Map(t.Context(), TCP, 4001, 4001)
		if err != nil || m.External != netip.MustParseAddrPort("1.2.3.4:4001") || m.Lifetime < time.Minute {
			t.Errorf("%s: %+v, %v", r.Protocol(), m, err)
		}
		rules := func() string {
			out, err := exec.Command("nsenter", "-t", fmt.Sprint(router.Process.Pid), "-n", "nft", "list", "ruleset").CombinedOutput()
			if err != nil {
				t.Fatal(err, string(out))
			}
			return string(out)
		}
		if !strings.Contains(rules(), "192.168.9.2:4001") {
			t.Errorf("%s: the router has no rule for it:\n%s", r.Protocol(), rules())
		}
		if err := r.Unmap(t.Context(), TCP, 4001); err != nil {
			t.Error(err)
		}
		if strings.Contains(rules(), "192.168.9.2:4001") {
			t.Errorf("%s: the rule is still there", r.Protocol())
		}
		m, err = r.Map(t.Context(), TCP, 4002, 4002)
		if err != nil || m.External.Port() == 4002 || !strings.Contains(rules(), "192.168.9.2:4002") {
			t.Errorf("%s: the router lets nobody have 4002, so: %+v, %v", r.Protocol(), m, err)
		}
	}
}
