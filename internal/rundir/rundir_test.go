//go:build unix

package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

func TestSocket(t *testing.T) {
	for _, name := range []string{"@video", "/run/x.sock", "./x"} {
		if got, err := Socket(name, ".shm"); err != nil || got != name {
			t.Errorf("Socket(%q) = %q, %v; want it as it is", name, got, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a\x00b", strings.Repeat("x", 61)} {
		if got, err := Socket(name, ".shm"); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("Socket(%q) = %q, %v; want a usage error", name, got, err)
		}
	}
	got, err := Socket("video", ".shm")
	if err != nil || filepath.Base(got) != "video.shm" {
		t.Errorf("Socket(video) = %q, %v", got, err)
	}
}

func TestDirectory(t *testing.T) {
	uid := os.Geteuid()
	run, tmp := t.TempDir(), t.TempDir()
	dir, err := directory(run, tmp, uid)
	if err != nil || filepath.Dir(dir) != tmp {
		t.Fatalf("without a runtime directory: %q, %v; want one in %s", dir, err, tmp)
	}
	if again, err := directory(run, tmp, uid); again != dir || err != nil {
		t.Errorf("the second time: %q, %v", again, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := directory(run, tmp, uid); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("a directory that others can look into: %v; want ErrDenied", err)
	}
	if err := errors.Join(os.Remove(dir), os.Symlink(run, dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := directory(run, tmp, uid); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("a symbolic link: %v; want ErrDenied", err)
	}
	own := filepath.Join(run, filepath.Base(dir)[len("tenon-"):])
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if dir, err := directory(run, tmp, uid); err != nil || dir != filepath.Join(own, "tenon") {
		t.Errorf("with a runtime directory: %q, %v", dir, err)
	}
}
