//go:build unix

package scan

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// socket makes a socket that nobody listens at.
func socket(t *testing.T, file string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: file, Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
}

// A file that changes after it was hashed is refused, or what is sent of it is still right.
// Notes on sharing, hostile input 13.
func TestChanged(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(t *testing.T, file string, was os.FileInfo)
		same    bool // its bytes are
		refused bool // before a byte is read
		moved   bool // with the directory that it is in
	}{
		{"truncate", func(t *testing.T, file string, _ os.FileInfo) { must(t, os.Truncate(file, 10)) }, false, true, false},
		{"append", func(t *testing.T, file string, _ os.FileInfo) {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString("x")
			must(t, errors.Join(err, f.Close()))
		}, false, true, false},
		{"write in place, time restored", func(t *testing.T, file string, was os.FileInfo) {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte{^random(int(was.Size()))[7]}, 7)
			must(t, errors.Join(err, f.Close(), os.Chtimes(file, was.ModTime(), was.ModTime())))
		}, false, false, false},
		{"mmap, time restored", func(t *testing.T, file string, was os.FileInfo) {
			f, err := os.OpenFile(file, os.O_RDWR, 0)
			must(t, err)
			m, err := unix.Mmap(int(f.Fd()), 0, int(was.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			must(t, err)
			m[len(m)-1] ^= 1
			must(t, errors.Join(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m), f.Close(), os.Chtimes(file, was.ModTime(), was.ModTime())))
		}, false, false, false},
		{"replace by other bytes, time and size kept", func(t *testing.T, file string, was os.FileInfo) {
			write(t, file+".new", make([]byte, was.Size()))
			must(t, errors.Join(os.Chtimes(file+".new", was.ModTime(), was.ModTime()), os.Rename(file+".new", file)))
		}, false, false, false},
		{"replace by the same bytes", func(t *testing.T, file string, was os.FileInfo) {
			write(t, file+".new", random(int(was.Size())))
			must(t, os.Rename(file+".new", file))
		}, true, false, false},
		{"touch", func(t *testing.T, file string, _ os.FileInfo) { must(t, os.Chtimes(file, later(), later())) }, true, false, false},
		{"delete", func(t *testing.T, file string, _ os.FileInfo) { must(t, os.Remove(file)) }, false, true, false},
		{"delete its directory", func(t *testing.T, file string, _ os.FileInfo) { must(t, os.RemoveAll(filepath.Dir(file))) }, false, true, false},
		{"fifo", func(t *testing.T, file string, _ os.FileInfo) {
			must(t, errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)))
		}, false, true, false},
		{"socket", func(t *testing.T, file string, _ os.FileInfo) {
			must(t, os.Remove(file))
			socket(t, file)
		}, false, true, false},
		{"directory", func(t *testing.T, file string, _ os.FileInfo) {
			must(t, errors.Join(os.Remove(file), os.Mkdir(file, 0o700)))
		}, false, true, false},
		{"link to itself, elsewhere", func(t *testing.T, file string, _ os.FileInfo) {
			away := filepath.Join(t.TempDir(), "away")
			must(t, errors.Join(os.Rename(file, away), os.Symlink(away, file)))
		}, true, true, false},
		{"its directory is a link", func(t *testing.T, file string, _ os.FileInfo) {
			away := filepath.Join(t.TempDir(), "away")
			must(t, errors.Join(os.Rename(filepath.Dir(file), away), os.Symlink(away, filepath.Dir(file))))
		}, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, open := range []bool{false, true} {
				for _, size := range []int{100, 3 * tree.Group, 4*tree.Group + 100} {
					dir := filepath.Join(t.TempDir(), "d")
					file := filepath.Join(dir, "sub", "file")
					write(t, file, random(size))
					was, err := os.Stat(file)
					must(t, err)
					s := start(t, Config{Paths: []string{dir}})
					n, e, _ := s.index.Find("d/sub/file")
					if open { // and large files stay so
						b, err := s.Open(n, e)
						must(t, err)
						if !b.Trusted() {
							t.Error("the file is not trusted")
						}
						must(t, b.Close())
					}
					test.change(t, file, was)
					held := len(s.pool.idle) == 1 && test.moved // it is the same file, wherever it is now
					if b, err := s.Open(n, e); (err != nil) != (test.refused && !held) {
						t.Errorf("%d bytes: to open it is %v", size, err)
					} else if err == nil {
						if b.Trusted() && !held {
							t.Errorf("%d bytes: it is trusted", size)
						}
						must(t, b.Close())
					}
					got, _, err := s.send("d/sub/file")
					switch {
					case err == nil && !bytes.Equal(got, random(size)):
						t.Errorf("%d bytes: wrong bytes were sent", size)
					case err != nil && !errors.Is(err, tree.ErrChanged):
						t.Errorf("%d bytes: %v", size, err)
					case err == nil && !test.same, err != nil && test.same && !test.refused:
						t.Errorf("%d bytes: open before: %v, %v", size, open, err)
					}
				}
			}
		})
	}
}

// A file that is written to between the look at it and the read is not sent, though it is trusted.
func TestChangedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, random(5*tree.Group))
	s := start(t, Config{Paths: []string{file}})
	_, e, _ := s.index.Find("file")
	b, err := s.Open(0, e)
	must(t, err)
	defer b.Close()
	p := make([]byte, 100)
	if _, err := b.ReadAt(p, 0); err != nil || !b.Trusted() {
		t.Fatal(err, b.Trusted())
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("xx"), 3*tree.Group)
	must(t, err)
	if _, err := b.ReadAt(p, 3*tree.Group); !errors.Is(err, tree.ErrChanged) {
		t.Error(err)
	}
	if _, err := b.WriteAt(p, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("it is written to: %v", err)
	}
}

// What cannot be shared is left out and named, and all else is shared. Hostile inputs 2, 4, 5.
func TestStrange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	write(t, filepath.Join(dir, "a"), []byte("1"))
	write(t, filepath.Join(dir, "z"), []byte("2"))
	write(t, filepath.Join(dir, "suid"), []byte("3"))
	must(t, os.Chmod(filepath.Join(dir, "suid"), 0o755|os.ModeSetuid|os.ModeSetgid))
	write(t, filepath.Join(dir, "NUL.txt"), []byte("4"))
	write(t, filepath.Join(dir, "dot."), []byte("5"))
	write(t, filepath.Join(dir, "sub", "a:b"), []byte("6"))
	write(t, filepath.Join(dir, "sub", "what?"), []byte("6"))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	socket(t, filepath.Join(dir, "socket"))
	devices := exec.Command("mknod", filepath.Join(dir, "device"), "c", "1", "3").Run() == nil
	for name, target := range map[string]string{"in": "sub/a:b", "gone": "nowhere", "up": "../../x", "out": "/etc/passwd", "self": ".", "beside": "../other"} {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	s := start(t, Config{Paths: []string{dir}})
	if got, want := strings.Join(s.paths(), " "), "d d/NUL.txt d/a d/dot. d/gone d/in d/self d/sub d/sub/a:b d/sub/what? d/suid d/z"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	for path, want := range map[string]string{
		"d/fifo": "it is a named pipe", "d/socket": "it is a socket", "d/up": "it is a symbolic link, and its target is outside of the share",
		"d/out": "it is a symbolic link, and its target is an absolute path", "d/beside": "it is a symbolic link, and its target is beside the share",
		"d/suid": "its mode is shared as 0755, without setuid, setgid and sticky", "d/NUL.txt": "Windows cannot have this name: it is the name of a device",
	} {
		if got := s.note(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := s.note("d/device"); devices && got != "it is a device" {
		t.Errorf("d/device: %q", got)
	}
	if got := s.Progress().Windows; got != 4 {
		t.Errorf("%d names will not do on Windows", got)
	}
	if _, e, _ := s.index.Find("d/suid"); e.Mode != 0o755 {
		t.Errorf("mode %v", e.Mode)
	}
	if _, e, _ := s.index.Find("d/in"); e.Kind != manifest.Symlink || e.Target != "sub/a:b" {
		t.Errorf("%+v", e)
	}
}

// Times are kept to the nanosecond, and holes are known as such.
func TestFields(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	when := time.Unix(1e9, 123456789)
	write(t, filepath.Join(dir, "f"), []byte("1"))
	must(t, errors.Join(os.Chmod(filepath.Join(dir, "f"), 0o640), os.Chtimes(filepath.Join(dir, "f"), when, when)))
	f, err := os.Create(filepath.Join(dir, "holes"))
	must(t, err)
	must(t, errors.Join(f.Truncate(3<<20), f.Close()))
	for range 2 { // from the disk, and from the cache
		s := start(t, Config{Paths: []string{dir}})
		if _, e, _ := s.index.Find("d/f"); e.ModTime != when.UnixNano() || e.Mode != 0o640 || e.Holes {
			t.Errorf("%+v", e)
		}
		if _, e, _ := s.index.Find("d/holes"); runtime.GOOS == "linux" && !e.Holes {
			t.Error("the file has no holes")
		}
	}
}

// Nothing stays open.
func TestNothingLeftOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lists open files in /proc")
	}
	list := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(all)
	}
	before := list()
	t.Run("", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "d")
		write(t, filepath.Join(dir, "small"), random(5))
		for _, name := range []string{"a", "b", "c"} {
			write(t, filepath.Join(dir, name), random(4*tree.Group+1))
		}
		must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
		s := start(t, Config{Paths: []string{dir}})
		for _, name := range []string{"a", "b", "c", "a", "small"} {
			if _, _, err := s.send("d/" + name); err != nil {
				t.Error(err)
			}
		}
		must(t, os.Remove(filepath.Join(dir, "a")))
		if _, _, err := s.send("d/a"); !errors.Is(err, tree.ErrChanged) {
			t.Error(err)
		}
	})
	if after := list(); after != before {
		t.Errorf("%d files are open, and were %d", after, before)
	}
}
