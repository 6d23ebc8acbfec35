package load

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Round trips and bytes one way are measured in each way, by a second client as by the first.
func TestWays(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(ways())) {
		for _, tt := range []struct{ server, client string }{{"echo", "pingpong"}, {"sink", "blast"}} {
			t.Run(name+" "+tt.client, func(t *testing.T) {
				server := startRole(t, tt.server, "-way", name, "-addr", addressFor(t, name))
				for range 2 {
					args := []string{"-way", name, "-addr", server.Addrs[0], "-duration", "10000000ns", "-block", "65536"}
					client := startRole(t, tt.client, args...)
					r, err := client.Run(time.Second)
					if err != nil {
						t.Fatal(err)
					}
					if r.Rate() <= 0 || tt.client == "blast" && int(r.Count)%ackEvery != 0 {
						t.Errorf("got %+v", r)
					}
					client.Stop()
				}
			})
		}
	}
}

func addressFor(t *testing.T, way string) string {
	if way == "tcp" {
		return "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "bench") // t.TempDir is too long for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "sock")
}

// Connections that are held are there, whether a byte was sent or not and whether somebody reads or not.
func TestHeld(t *testing.T) {
	const held = 30
	for _, name := range []string{"shm", "unix", "tcp"} {
		for _, tt := range []struct{ server, silent string }{{"keep", "true"}, {"echo", "true"}, {"echo", "false"}} {
			t.Run(name+" "+tt.server+" "+tt.silent, func(t *testing.T) {
				server := startRole(t, tt.server, "-way", name, "-addr", addressFor(t, name))
				client := startRole(t, "hold", "-way", name, "-addr", server.Addrs[0], "-conns", fmt.Sprint(held), "-silent="+tt.silent)
				if _, err := client.Run(time.Second); err != nil {
					t.Fatal(err)
				}
				counted := func() error {
					if n, err := server.Count(); err != nil || n != Warm+held {
						return fmt.Errorf("%d connections, %v", n, err)
					}
					return nil
				}
				if err := server.Await(t.Context(), 10*time.Second, counted); err != nil {
					t.Error(err)
				}
				if n := sockets(t, client.Group()); n < Warm+held {
					t.Errorf("the client has %d sockets", n)
				}
			})
		}
	}
}

func sockets(t *testing.T, pid int) (n int) {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// A pause is between round trips and not in them.
func TestPause(t *testing.T) {
	const pause, work = 20 * time.Millisecond, 200 * time.Millisecond
	server := startRole(t, "echo")
	client := startRole(t, "pingpong", "-addr", server.Addrs[0], "-duration", work.String(), "-pause", pause.String())
	r, err := client.Run(work)
	if err != nil {
		t.Fatal(err)
	}
	if r.Count > float64(work/pause)+1 || r.P50 >= pause.Seconds() {
		t.Errorf("got %+v", r)
	}
}

// A pinned program may use one processor, with all its threads.
func TestPinned(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words := Pinned(self, []string{self, prefix + "echo"})
	server, err := StartProgram(t.Context(), filepath.Join(t.TempDir(), "log"), "echo", exec.Command(words[0], words[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", server.Group()))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(status), "Cpus_allowed_list:")
		list, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		if list == "" || strings.ContainsAny(list, ",-") {
			t.Errorf("%s: may use %q", file, list)
		}
	}
}

func TestNoSuchWay(t *testing.T) {
	if status, ran := Main([]string{prefix + "echo", "-way", "carrier-pigeon"}); status != 2 || !ran {
		t.Errorf("status %d, ran %t", status, ran)
	}
}
