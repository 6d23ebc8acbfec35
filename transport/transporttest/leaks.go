package transporttest

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// usage is what this process holds.
type usage struct {
	goroutines int
	files      map[string]string // descriptor to what it is; nil where the system does not tell
}

// resources returns what the process holds once it has stopped falling.
func resources(t testing.TB) usage {
	t.Helper()
	u := usage{goroutines: runtime.NumGoroutine(), files: openFiles()}
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(10 * time.Millisecond) // to see that nothing happens
		if n := runtime.NumGoroutine(); n < u.goroutines {
			u.goroutines, quiet = n, 0
		}
	}
	u.files = openFiles()
	return u
}

// check waits until the process holds no more than u. The caller may be a subtest,
// which is one goroutine more.
func (u usage) check(t *testing.T) {
	var left []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left = left[:0]
		for fd, what := range openFiles() {
			if u.files[fd] != what {
				left = append(left, fd+" "+what)
			}
		}
		extra := runtime.NumGoroutine() - u.goroutines - 1
		if extra <= 0 && len(left) <= 0 {
			return
		}
		if time.Now().After(end) {
			if len(left) > 0 {
				t.Errorf("descriptors left open:\n\t%s", strings.Join(left, "\n\t"))
			}
			if extra > 0 {
				stacks := make([]byte, 256<<10)
				t.Errorf("%d goroutines left running, among these:\n\n%s", extra, stacks[:runtime.Stack(stacks, true)])
			}
			return
		}
	}
}

// openFiles returns the descriptors of this process and what they are. Those of
// the runtime's poller and of the look itself do not count.
func openFiles() map[string]string {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	files := map[string]string{}
	for _, e := range dir {
		what, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(what, "anon_inode:[event") || strings.HasPrefix(what, "/proc/") {
			continue
		}
		files[e.Name()] = what
	}
	return files
}
