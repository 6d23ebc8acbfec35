//go:build linux

package c

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A program does not talk to a listener of another user, nor a listener to a client of
// another user, where anybody may be the first to listen.
func TestStrangers(t *testing.T) {
	m, _ := os.ReadFile("/proc/self/uid_map")
	if f := strings.Fields(string(m)); os.Geteuid() != 0 || len(f) != 3 || f[2] == "1" {
		t.Skip("there is one user only; run the tests as root")
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{fmt.Sprintf("@tenon-shm-c-stranger-%d", os.Getpid()), filepath.Join(dir, "s")} {
		startStranger(t, "listen", name, "bytes", "0", "30000", "sink").line(t, "ready")
		start(t, end(t), "dial", name, "bytes", "0", "30000", "pump", "1000").ends(t, "dial: EACCES", 3)
	}
	name := fmt.Sprintf("@tenon-shm-c-mine-%d", os.Getpid())
	startEnd(t, end(t), howto{role: "listen", name: name, action: "sink"})
	// Root listens, whom everybody trusts, but root lets nobody else in.
	startStranger(t, "dial", name, "bytes", "0", "30000", "pump", "1000").ends(t, "dial: ECONNRESET", 3)
}

// startStranger starts testdata/end.c as another user.
func startStranger(t *testing.T, args ...string) *program {
	t.Helper()
	f, err := os.Open(end(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("/proc/self/fd/3", args...) // the way to the program is closed to others
	cmd.ExtraFiles = []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return run(t, cmd)
}
