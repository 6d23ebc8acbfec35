//go:build linux

package c

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/rundir"
)

// C to C: both directions at once, with a half-close, verified, by copying, in
// place, and in an event loop.
func TestCToC(t *testing.T) {
	for _, messages := range []bool{false, true} {
		for _, ring := range []int{4096, 1 << 18} {
			for _, actions := range [][2]string{{"pump", "pump"}, {"place", "place"}, {"loop", "loop"}, {"loop", "place"}} {
				t.Run(fmt.Sprintf("%s-%s,messages=%v,ring=%d", actions[0], actions[1], messages, ring), func(t *testing.T) {
					t.Parallel()
					out, back := 4_000_000, 3_000_000
					if messages {
						out, back = 4_000, 3_000
					}
					name := filepath.Join(t.TempDir(), "s")
					l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, messages: messages, ring: ring, action: actions[0], n: out})
					d := startEnd(t, end(t), howto{role: "dial", name: name, action: actions[1], n: back})
					l.ok(t, back)
					d.ok(t, out)
				})
			}
		}
	}
}

// Two programs that have one processor between them, where to spin is to keep the
// other one from working.
func TestOneProcessor(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	var cpus, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		t.Fatal(err)
	}
	for cpu := range len(cpus) * 64 {
		if cpus.IsSet(cpu) {
			first.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "s")
	l := startEnd(t, end(t), howto{role: "listen", name: name, messages: true, ring: 4096, action: "pump", n: 3000})
	d := startEnd(t, end(t), howto{role: "dial", name: name, action: "pump", n: 3000})
	l.ok(t, 3000)
	d.ok(t, 3000)
}

// Three threads on one connection, under the eyes of the compiler.
func TestThreads(t *testing.T) {
	path, err := threadedEnd()
	if errors.Is(err, errNoSanitizers) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"pump", "place"} {
		name := filepath.Join(t.TempDir(), "s")
		l := startEnd(t, path, howto{role: "listen", name: name, ring: 4096, action: action, n: 300_000})
		startEnd(t, path, howto{role: "dial", name: name, action: action, n: 300_000}).ok(t, 300_000)
		l.ok(t, 300_000)
	}
	name := filepath.Join(t.TempDir(), "s")
	l := startEnd(t, path, howto{role: "listen", name: name, action: "abort-others"})
	startEnd(t, path, howto{role: "dial", name: name, action: "descriptors"}).ends(t, "recv_fd: ECONNRESET", 3)
	l.ok(t, 0)
}

// An end that has died, has aborted or has closed is told from one that has said
// that it is at its end.
func TestEnds(t *testing.T) {
	for _, v := range []struct {
		action, other, want string
		status              int
	}{
		{"close", "sink", "ok 0", 0},
		{"abort", "sink", "read: ECONNRESET", 3},
		{"die", "sink", "read: ECONNRESET", 3},
		{"die", "flood", "write: EPIPE", 3},
		{"close", "flood", "write: EPIPE", 3},
		{"close", "descriptors", "ok 0", 0},
		{"die", "descriptors", "recv_fd: ECONNRESET", 3},
		{"sink", "abort-others", "ok 0", 0},
	} {
		t.Run(v.action+" "+v.other, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "s")
			l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: v.other})
			startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: v.action})
			l.ends(t, v.want, v.status)
		})
	}
}

func TestTimeout(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: "sink", timeout: 50e6})
	startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "sink"})
	l.ends(t, "read: ETIMEDOUT", 3)

	l = startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: "flood", timeout: 50e6})
	startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "descriptors"})
	l.ends(t, "write: ETIMEDOUT", 3)
}

func TestDescriptors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: "descriptors"})
	d := startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "give"})
	d.line(t, "through a descriptor")
	d.ok(t, 0)
	l.ok(t, 1)
}

// The names mean the same places as for Go programs.
func TestPath(t *testing.T) {
	for _, name := range []string{"video", "a b", "@video", "/run/x.sock", "./x", strings.Repeat("x", 60)} {
		want, err := rundir.Socket(name, ".shm")
		if err != nil {
			t.Fatal(err)
		}
		start(t, end(t), "path", name).ends(t, want, 0)
	}
	for name, want := range map[string]string{"": "EINVAL", ".": "EINVAL", "..": "EINVAL", strings.Repeat("x", 61): "ENAMETOOLONG"} {
		start(t, end(t), "path", name).ends(t, "path: "+want, 3)
	}
}

// A socket file is this user's alone, and gone at the end. One that a dead program has
// left is replaced, anything else stays.
func TestSocketFile(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{t.TempDir(), long} {
		name := filepath.Join(dir, "s")
		listen := howto{role: "listen", name: name, action: "sink"}
		first := startEnd(t, checkedEnd(t), listen)
		fi, err := os.Stat(name)
		if err != nil || fi.Mode() != os.ModeSocket|0o600 {
			t.Errorf("the socket is %v, %v; want one of mode 0600", fi.Mode(), err)
		}
		inUse := start(t, checkedEnd(t), "listen", name, "bytes", "0", "0", "sink")
		inUse.ends(t, "listen: EADDRINUSE", 3)
		// It may have failed already: who asks whether somebody listens there
		// has connected, and is gone.
		_ = first.cmd.Process.Kill()
		_ = first.cmd.Wait()
		second := startEnd(t, checkedEnd(t), listen)
		startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "close"}).ok(t, 0)
		second.ok(t, 0)
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := os.WriteFile(name, []byte("a file"), 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, checkedEnd(t), "listen", name, "bytes", "0", "0", "sink").ends(t, "listen: EADDRINUSE", 3)
		if text, err := os.ReadFile(name); string(text) != "a file" {
			t.Errorf("the file is %q, %v; want it left alone", text, err)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	start(t, checkedEnd(t), "dial", none, "bytes", "0", "0", "sink").ends(t, "dial: ENOENT", 3)
	start(t, checkedEnd(t), "listen", none, "bytes", "5000", "0", "sink").ends(t, "listen: EINVAL", 3)
}

// Abstract names let this user in.
func TestAbstractName(t *testing.T) {
	name := fmt.Sprintf("@tenon-shm-c-test-%d", os.Getpid())
	l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: "sink"})
	startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "pump", n: 1000}).ok(t, 0)
	l.ok(t, 1000)
}
