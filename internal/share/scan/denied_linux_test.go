package scan

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What may not be read is left out and named, and all else is shared. Hostile input 19. As
// root may read everything, the test is run again by somebody else.
func TestDenied(t *testing.T) {
	if os.Getuid() == 0 {
		dir, err := os.MkdirTemp("", "denied-")
		must(t, err)
		defer os.RemoveAll(dir)
		must(t, os.Chown(dir, 65534, 65534))
		c := exec.Command("/proc/self/exe", "-test.run=^TestDenied$", "-test.v")
		c.Dir, c.Env = dir, append(os.Environ(), "TMPDIR="+dir)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestDenied") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "d")
	for _, name := range []string{"a", "file", "dir/x", "z"} {
		write(t, filepath.Join(dir, name), []byte("1"))
	}
	must(t, os.Chmod(filepath.Join(dir, "file"), 0))
	must(t, os.Chmod(filepath.Join(dir, "dir"), 0))
	defer os.Chmod(filepath.Join(dir, "dir"), 0o700) //nolint:errcheck // else it cannot be removed
	s := start(t, Config{Paths: []string{dir}})
	if got := strings.Join(s.paths(), " "); got != "d d/a d/z" {
		t.Errorf("%q is shared", got)
	}
	for _, path := range []string{"d/file", "d/dir"} {
		if got := s.note(path); got != "permission denied" {
			t.Errorf("%s: %q", path, got)
		}
	}
	// Of what was asked for by its name nothing is shared instead.
	for _, name := range []string{"file", "dir"} {
		if _, err := New(Config{Paths: []string{filepath.Join(dir, name)}}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("to share %s: %v", name, err)
		}
	}
	if s.Progress().Left != 2 {
		t.Errorf("%d are left out", s.Progress().Left)
	}
}
