package node_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
)

// Another user is refused by what the kernel says of him, though the file would let him.
func TestOtherUser(t *testing.T) {
	if path := os.Getenv("NODE_TEST_SOCKET"); path != "" {
		c, err := net.Dial("unix", path)
		if err != nil {
			fmt.Println("dial:", err)
			os.Exit(0)
		}
		fmt.Fprint(c, "GET /v1/id HTTP/1.1\r\nHost: tenon\r\n\r\n")
		b, _ := io.ReadAll(io.LimitReader(c, 10))
		fmt.Printf("read: %q\n", b)
		os.Exit(0)
	}
	if os.Geteuid() != 0 {
		t.Skip("it takes root to be another user")
	}
	// Below /tmp, where the other user can go.
	dir, err := os.MkdirTemp("/tmp", "tenon-node-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	n := start(t, new(world).config(dir, "alice"))
	if err := n.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	tool := filepath.Join(dir, "tool")
	for path, mode := range map[string]os.FileMode{dir: 0o755, api.SocketPath(dir): 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(tool, self, 0o755); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{0: `read: "HTTP/1.1 2"`, 65534: `read: ""`} {
		cmd := exec.Command(tool, "-test.run=^TestOtherUser$")
		cmd.Env = append(os.Environ(), "NODE_TEST_SOCKET="+api.SocketPath(dir))
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("user %d: %s, %v; want %s", uid, out, err, want)
		}
	}
}

// A state directory may be deeper than the name of a socket can be: the node listens there, and is found there.
func TestDeepStateDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	n := start(t, new(world).config(dir, "alice"))
	if err := n.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it is a test's
	if s, err := c.Status(within(t)); err != nil || s.Dir != dir {
		t.Errorf("%+v, %v", s, err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Dial(dir); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("of a node that has ended: %v", err)
	}
}
