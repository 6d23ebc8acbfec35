//go:build !node && !nopeer

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A watcher looks at what gets a name in a directory, as the kernel tells, and compares it at once with what it should
// be.
type watcher struct {
	*testing.T
	dir, like string
	f         *os.File
	came      chan string // names at the top

	mu    sync.Mutex // guards what follows
	dirs  map[int32]string
	seen  int // files
	wrong []string
}

// watch begins to watch a directory, which gets what is in another.
func watch(t *testing.T, dir, like string) *watcher {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{T: t, dir: dir, like: like, f: os.NewFile(uintptr(fd), "inotify"), came: make(chan string, 1000), dirs: map[int32]string{}}
	w.add("")
	var done sync.WaitGroup
	done.Go(w.run)
	t.Cleanup(func() {
		w.f.Close()
		done.Wait()
	})
	return w
}

// add watches one directory more. Whoever calls it holds mu, or is alone.
func (w *watcher) add(name string) {
	conn, err := w.f.SyscallConn()
	if err != nil {
		w.Error(err)
		return
	}
	conn.Control(func(fd uintptr) { //nolint:errcheck // it is closed
		wd, err := unix.InotifyAddWatch(int(fd), filepath.Join(w.dir, name), unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_MODIFY)
		if err != nil {
			w.Error(err)
		}
		w.dirs[int32(wd)] = name
	})
}

func (w *watcher) run() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if err != nil {
			return
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			wd, mask := int32(binary.NativeEndian.Uint32(buf[at:])), binary.NativeEndian.Uint32(buf[at+4:])
			length := int(binary.NativeEndian.Uint32(buf[at+12:]))
			name := string(bytes.TrimRight(buf[at+unix.SizeofInotifyEvent:][:length], "\x00"))
			at += unix.SizeofInotifyEvent + length
			w.event(wd, name, mask)
		}
	}
}

// event looks at what has got a name, or has changed under it.
func (w *watcher) event(wd int32, name string, mask uint32) {
	w.mu.Lock()
	name = filepath.Join(w.dirs[wd], name)
	w.mu.Unlock()
	if strings.HasPrefix(name, ".tenon-") {
		return
	}
	w.mu.Lock()
	if mask&(unix.IN_MODIFY|unix.IN_Q_OVERFLOW) != 0 {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: it is written to, or too much happens: %x", name, mask))
	}
	w.look(name)
	w.mu.Unlock()
	if mask&unix.IN_MOVED_TO != 0 && !strings.Contains(name, "/") {
		w.came <- name
	}
}

// look compares a name, and what is below it, with what it should be.
func (w *watcher) look(name string) {
	err := filepath.WalkDir(filepath.Join(w.dir, name), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(w.dir, path)
		if err != nil || d.IsDir() {
			if d.IsDir() {
				w.add(name)
			}
			return err
		}
		got, err := os.ReadFile(path)
		want, err2 := os.ReadFile(filepath.Join(w.like, name))
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if w.seen++; !bytes.Equal(got, want) {
			w.wrong = append(w.wrong, fmt.Sprintf("%s: %d bytes, of %d", name, len(got), len(want)))
		}
		return nil
	})
	if err != nil {
		w.wrong = append(w.wrong, err.Error())
	}
}

// Whenever the program is killed, what has a final name has the right bytes in it, from the first moment.
func TestWatched(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the other image")
	}
	t.Parallel()
	if _, err := nodeImage(); err != nil {
		t.Fatal(err)
	}
	like, target := t.TempDir(), t.TempDir()
	random := rand.NewChaCha8([32]byte{9})
	var paths []string
	var bytesInAll int64
	write := func(name string, size int) {
		p := make([]byte, size)
		random.Read(p) //nolint:errcheck // it does not fail
		path := filepath.Join(like, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, p, 0o644)); err != nil {
			t.Fatal(err)
		}
		bytesInAll += int64(size)
	}
	for i := range 30 {
		write(fmt.Sprintf("file%02d", i), i*i*1000)
		paths = append(paths, filepath.Join(like, fmt.Sprintf("file%02d", i)))
		write(fmt.Sprintf("dir/%d/small", i), i)
	}
	write("large", 5<<20)
	paths = append(paths, filepath.Join(like, "dir"), filepath.Join(like, "large"))

	share := startTeller(t, append([]string{"share", "--wait"}, paths...)...)
	ticket := filepath.Join(t.TempDir(), "ticket")
	if err := os.WriteFile(ticket, []byte(share.until(func(v told) bool { return v.Ticket != "" }).Ticket), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watch(t, target, like)
	get := func(down string) *teller {
		return startTeller(t, "get", "@"+ticket, "--to", target, "--down", down)
	}
	for _, part := range []int64{0, 2, 4} {
		p := get("3M")
		p.until(func(v told) bool { return v.Share.Have > bytesInAll*part/8 })
		p.kill()
	}
	// It is killed once more while things get their names.
	p := get("100M")
	<-w.came
	p.kill()
	p = get("100M")
	p.until(func(v told) bool { return v.Type == "done" })
	p.cmd.Wait() //nolint:errcheck // what is there is looked at

	w.mu.Lock()
	defer w.mu.Unlock()
	w.look("")
	if len(w.wrong) > 0 || w.seen < 61 {
		t.Errorf("%d files were seen; wrong: %q", w.seen, w.wrong)
	}
	if entries, err := os.ReadDir(target); err != nil || len(entries) != len(paths) {
		t.Errorf("there are %v, %v", entries, err)
	}
}
