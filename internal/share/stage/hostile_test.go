package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// outside is a folder beside the target, of which nothing may change.
type outside struct {
	t    *testing.T
	dir  string
	when time.Time
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{t, t.TempDir(), time.Unix(1e9, 0)}
	put(t, o.dir+"/precious", []byte("precious"))
	for _, name := range []string{o.dir + "/precious", o.dir} {
		must(t, os.Chtimes(name, o.when, o.when))
	}
	return o
}

func (o *outside) unchanged() {
	o.t.Helper()
	for _, name := range []string{o.dir, o.dir + "/precious"} {
		if fi, err := os.Stat(name); err != nil || !fi.ModTime().Equal(o.when) {
			o.t.Errorf("%s is changed: %v, %v", name, fi, err)
		}
	}
	if p, err := os.ReadFile(o.dir + "/precious"); err != nil || string(p) != "precious" {
		o.t.Errorf("it is %q, %v", p, err)
	}
}

// Section 5 no. 1: no name leads out, even if something else has let it through. What a
// manifest refuses is tested there.
func TestNamesThatClimb(t *testing.T) {
	src := of(t, fileOf("a", 5))
	out := newOutside(t)
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	must(t, s.Learn(src.index, nil, nil))
	for _, name := range []string{"..", "../x", "a/../../x", "", ".", "/abs", out.dir + "/precious", "../" + filepath.Base(out.dir) + "/x",
		"../journal", "x\x00", strings.Repeat("n", 256)} {
		e := src.entries[0]
		e.Path = name
		if b, err := s.Open(0, e); err == nil {
			b.Close()
			t.Errorf("%q was opened", name)
		}
	}
	out.unchanged()
}

// Section 5 no. 2: links that lead out are refused, all of them named, or left out if asked.
func TestLinksOut(t *testing.T) {
	src := of(t, dirOf("d"), linkOf("d/a", "b"), linkOf("d/abs", "/etc"), linkOf("d/b", "../.."), linkOf("d/beside", "../x"), fileOf("d/f", 3), linkOf("d/in", "../d/f"))
	s, err := at(t, t.TempDir(), nil)
	must(t, err)
	src.refused(s, ErrLink, "d/abs", "d/b", "d/beside")
	target := t.TempDir()
	s, err = at(t, target, func(c *Config) { c.SkipLinks = true })
	must(t, err)
	must(t, src.all(s))
	src.without("d/abs", "d/b", "d/beside").final(target, true)
	for _, name := range []string{"abs", "b", "beside"} {
		if _, err := os.Lstat(filepath.Join(target, "d", name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// Section 5 no. 2: a file does not go through a link that is in the stage, or at the target.
func TestThroughLink(t *testing.T) {
	out := newOutside(t)
	target := t.TempDir()
	src := of(t, dirOf("d"), fileOf("d/precious", 5))
	s, err := at(t, target, nil)
	must(t, err)
	must(t, s.Learn(src.index, nil, nil))
	must(t, os.Symlink(out.dir, filepath.Join(target, s.dir, "tree/d")))
	if err := src.give(s, 1, 0); err == nil {
		t.Error("a file was written through a link")
	}
	must(t, os.Remove(filepath.Join(target, s.dir, "tree/d")))
	must(t, os.Mkdir(filepath.Join(target, s.dir, "tree/d"), 0o700))
	must(t, os.Symlink(out.dir+"/precious", filepath.Join(target, s.dir, "tree/d/precious")))
	if err := src.give(s, 1, 0); err == nil {
		t.Error("a file was written through a link")
	}
	must(t, os.Remove(filepath.Join(target, s.dir, "tree/d/precious")))
	must(t, os.Symlink(out.dir, target+"/d"))
	if err := src.all(s); err == nil {
		t.Error("a file was put through a link")
	}
	out.unchanged()
}

// Section 5 no. 2: a directory is replaced by a link and comes back, over and over, while
// files are written into it and put in place.
func TestLinkRace(t *testing.T) {
	src := of(t, dirOf("d"), fileOf("d/a", 5), fileOf("d/precious", 5))
	for name, path := range map[string]string{"stage": "/" + prefix + id.String() + "/tree/d", "target": "/d"} {
		out := newOutside(t)
		target := t.TempDir()
		must(t, os.Mkdir(target+"/d", 0o755))
		over, ended := make(chan struct{}), make(chan int)
		go swap(target+path, out.dir, over, ended)
		finished := 0
		for range 50 {
			s, err := at(t, target, func(c *Config) { c.Overwrite = true })
			if err != nil {
				t.Fatal(err)
			}
			if err := src.all(s); err == nil {
				finished++
				continue
			}
			// Whatever it was, it was nothing outside.
			if err := s.Discard(); err != nil {
				s.abandon()
				must(t, removeSoon(filepath.Join(target, s.dir)))
			}
		}
		close(over)
		t.Logf("%s: %d swaps, %d of 50 were finished", name, <-ended, finished)
		out.unchanged()
	}
}

// removeSoon removes a directory while somebody puts things into it.
func removeSoon(name string) (err error) {
	for range 1000 {
		if err = os.RemoveAll(name); err == nil {
			return nil
		}
	}
	return err
}

// swap replaces a directory by a link, and puts it back, until over is closed.
func swap(name, link string, over <-chan struct{}, ended chan<- int) {
	aside := filepath.Dir(filepath.Dir(name)) + "/aside"
	if filepath.Base(filepath.Dir(name)) != "tree" {
		aside = name + "-aside"
	}
	for n := 0; ; {
		select {
		case <-over:
			ended <- n
			return
		default:
		}
		if os.Rename(name, aside) != nil {
			continue
		}
		if os.Symlink(link, name) == nil {
			n++
			os.Remove(name)
		}
		if os.Rename(aside, name) != nil {
			os.RemoveAll(aside)
		}
	}
}

// Section 5 no. 5: whatever a mode has, permissions are all that is taken.
func TestModes(t *testing.T) {
	s, err := at(t, t.TempDir(), nil)
	must(t, err)
	e := manifest.Entry{Mode: 0o777 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | fs.ModeDevice | 0o7000}
	if m := s.mode(e); m != 0o777&^umask {
		t.Errorf("the mode is %v", m)
	}
}

// Section 5 no. 8: nothing is written where the file does not reach, and no size that is
// announced takes disk or memory.
func TestSizes(t *testing.T) {
	target := t.TempDir()
	src := of(t, fileOf("a", group+5))
	s, err := at(t, target, nil)
	must(t, err)
	must(t, s.Learn(src.index, nil, nil))
	b, err := s.Open(0, src.entries[0])
	must(t, err)
	defer b.Close()
	for _, w := range []struct{ off, n int64 }{{group, group}, {2 * group, 1}, {group, 6}, {-group, 1}, {group + 1, 5}, {1 << 62, 5}, {1<<63 - group, 5}} {
		if _, err := b.WriteAt(make([]byte, w.n), w.off); err == nil {
			t.Errorf("%d bytes were written at %d", w.n, w.off)
		}
	}
	if fi, err := os.Stat(filepath.Join(target, s.dir, "tree/a")); err != nil || fi.Size() > 0 {
		t.Errorf("it was made larger: %v, %v", fi, err)
	}

	for _, e := range []manifest.Entry{{Size: 1<<63 - 1}, {Size: 1<<63 - 1, Holes: true}, {Size: 1 << 49}} {
		e.Path, e.Kind, e.Root = "large", manifest.File, [32]byte{1}
		s, err := at(t, t.TempDir(), nil)
		must(t, err)
		wantErr(t, s.Learn(indexOf(t, e), nil, nil), ErrSpace)
	}
	// One that has holes may be larger than the disk; what follows it counts from there.
	s, err = at(t, t.TempDir(), nil)
	must(t, err)
	must(t, s.Learn(indexOf(t, manifest.Entry{Path: "large", Kind: manifest.File, Root: [32]byte{1}, Size: 1 << 49, Holes: true}), nil, nil))
	s.Got(set1(1<<33 - 1))
	pages := 0
	for _, p := range s.have.pages {
		if p != nil {
			pages++
		}
	}
	if pages != 1 {
		t.Errorf("one group takes %d pages", pages)
	}
}

// Section 5 no. 10: files that programs trust are never replaced without being told.
func TestTrustedFiles(t *testing.T) {
	for _, name := range []string{".ssh/authorized_keys", ".bashrc", ".git/hooks/pre-commit"} {
		target := t.TempDir()
		put(t, filepath.Join(target, name), []byte("mine"))
		var entries []manifest.Entry
		for i, c := range name {
			if c == '/' {
				entries = append(entries, dirOf(name[:i]))
			}
		}
		s, err := at(t, target, nil)
		must(t, err)
		of(t, append(entries, fileOf(name, 5))...).refused(s, ErrExists, name)
	}
}
