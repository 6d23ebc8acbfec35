package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// only wants what has these paths.
func only(paths ...string) func(manifest.Entry) bool {
	return func(e manifest.Entry) bool { return slices.Contains(paths, e.Path) }
}

// wanting sets what is wanted.
func wanting(want func(manifest.Entry) bool) func(*Config) {
	return func(c *Config) { c.Want = want }
}

// chosen returns a source that is asked about what is wanted only, with the directories on
// the way to it.
func (src *source) chosen(want func(manifest.Entry) bool) *source {
	if want == nil {
		return src
	}
	var leave []string
	for _, e := range src.entries {
		inside := slices.ContainsFunc(src.entries, func(o manifest.Entry) bool { return want(o) && strings.HasPrefix(o.Path, e.Path+"/") })
		if !want(e) && !inside {
			leave = append(leave, e.Path)
		}
	}
	return src.without(leave...)
}

// at returns the paths of all that there is below a directory.
func (src *source) at(target string) (all []string) {
	src.t.Helper()
	must(src.t, filepath.WalkDir(target, func(name string, _ fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(target, name); name != "." { //nolint:errcheck // it is below
			all = append(all, filepath.ToSlash(name))
		}
		return err
	}))
	return all
}

// isAll checks that everything that is wanted is at the target, and nothing else; there are
// directories that were there before, and have their own times.
func (src *source) isAll(target string, want func(manifest.Entry) bool, there ...string) {
	src.t.Helper()
	part := src.chosen(want)
	part.without(there...).final(target, true)
	var paths []string
	for _, e := range part.entries {
		paths = append(paths, e.Path)
	}
	got := src.at(target)
	slices.Sort(got)
	slices.Sort(paths)
	if !slices.Equal(got, paths) {
		src.t.Errorf("there is %q, and not %q", got, paths)
	}
}

// Only what is wanted is fetched and put in place, with the directories on the way to it.
func TestWant(t *testing.T) {
	for name, want := range map[string]func(manifest.Entry) bool{
		"a file":            only("photos/sub/deep/b"),
		"some":              only("photos/a", "photos/link", "photos/sub/tool"),
		"an empty file":     only("photos/empty"),
		"a directory alone": only("photos/sub"),
		"nothing":           only(),
		"everything":        func(manifest.Entry) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			src := photos(t)
			target := t.TempDir()
			s, err := at(t, target, wanting(want))
			must(t, err)
			var b manifest.Builder
			var skipped, wanted set
			first := int64(0)
			for _, e := range src.entries {
				if groups := tree.Shape(e.Size).Groups(); want(e) {
					wanted.putRun(tree.Run{From: first, To: first + groups}, true)
				}
				first += tree.Shape(e.Size).Groups()
			}
			for p := joined(src.blocks); len(p) > 0; p = p[min(40, len(p)):] { // as it grows
				must(t, b.Append(p[:min(40, len(p))]))
				must(t, s.Learn(b.Index(), nil, func(r tree.Run) {
					if !skipped.none(r) {
						t.Errorf("%v is told twice", r)
					}
					skipped.putRun(r, true)
				}))
			}
			for g := range src.groups {
				if skipped.has(g) == wanted.has(g) {
					t.Errorf("group %d is wanted: %v, and skipped: %v", g, wanted.has(g), skipped.has(g))
				}
			}
			if n, err := src.fetch(s, -1); err != nil || n != wanted.count {
				t.Errorf("%d groups were fetched, and not %d: %v", n, wanted.count, err)
			}
			for n, e := range src.entries {
				if e.Size > 0 && !want(e) {
					_, err := s.Open(n, e)
					wantErr(t, err, fs.ErrNotExist)
				}
			}
			must(t, end(s))
			src.isAll(target, want)
		})
	}
}

// Whatever was wanted before, what was had of it is not fetched again, and what is not wanted
// any more is not put in place.
func TestAnotherChoice(t *testing.T) {
	src := photos(t)
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	_, err = src.fetch(s, 2) // of photos/a
	must(t, err)
	must(t, s.Close())

	want := only("photos/sub/deep/b", "photos/sub/secret")
	s, err = at(t, target, wanting(want))
	must(t, err)
	s.Have(func(r tree.Run) { t.Errorf("%v is there, and not wanted", r) })
	if n, err := src.fetch(s, 1); err != nil || n != 1 {
		t.Errorf("%d groups were fetched, and not 1: %v", n, err)
	}
	must(t, s.Close())

	s, err = at(t, target, nil)
	must(t, err)
	have := int64(0)
	s.Have(func(r tree.Run) { have += r.Len() })
	if have != 3 {
		t.Errorf("%d groups are there, and not 3", have)
	}
	src.staged(s)
	must(t, s.Close())

	s, err = at(t, target, wanting(want))
	must(t, err)
	must(t, src.all(s))
	src.isAll(target, want)
}

// What one process began to put in place, the next one does, though it wants something else;
// and then what that is.
func TestAnotherChoiceWhilePlacing(t *testing.T) {
	src := photos(t)
	target := t.TempDir()
	before, want := only("photos/a", "photos/sub/tool"), only("photos/a", "photos/sub/secret")
	s, err := open(Config{Target: target, ID: id, Want: before}, func(st step) (bool, error) {
		if st.op == "rename" && strings.Contains(st.path, "/tree/") {
			return false, syscall.EIO
		}
		return dry(st)
	}, false)
	must(t, err)
	wantErr(t, src.all(s), syscall.EIO)
	s.abandon()
	for range 2 {
		s, err = at(t, target, wanting(want))
		must(t, err)
		src.chosen(before).without("photos").final(target, false)
		n, err := src.fetch(s, -1)
		if err != nil || n != 1 {
			t.Errorf("%d groups were fetched, and not 1: %v", n, err)
		}
		s.abandon() // nothing was journalled
	}
	s, err = at(t, target, wanting(want))
	must(t, err)
	must(t, src.all(s))
	src.isAll(target, func(e manifest.Entry) bool { return before(e) || want(e) }, "photos", "photos/sub")
}

// What is not wanted is no problem: not its name, its size, its link, nor what is in its
// place at the target, which is not touched.
func TestWantNoProblem(t *testing.T) {
	src := of(t, dirOf("d"), fileOf("d/A", 5), fileOf("d/a", 5), fileOf("d/b", 5), linkOf("d/out", "../.."), dirOf("d/z"), fileOf("d/z/y", 5))
	want := only("d/a")
	target := t.TempDir()
	put(t, target+"/d/b", []byte("mine"))
	put(t, target+"/d/z/y", []byte("mine"))
	must(t, os.Chmod(target+"/d/z", 0o711))
	s, err := at(t, target, wanting(want))
	must(t, err)
	s.probed.fold = manifest.FoldCase
	must(t, src.all(s))
	src.chosen(want).without("d").final(target, true)
	for _, name := range []string{"/d/b", "/d/z/y"} {
		if p, err := os.ReadFile(target + name); err != nil || string(p) != "mine" {
			t.Errorf("%s is %q, %v", name, p, err)
		}
	}
	if fi, err := os.Stat(target + "/d/z"); err != nil || fi.Mode().Perm() != 0o711 {
		t.Errorf("a directory of the user was touched: %v, %v", fi, err)
	}

	huge := manifest.Entry{Path: "huge", Kind: manifest.File, Root: [32]byte{1}, Size: 1 << 49}
	s, err = at(t, t.TempDir(), wanting(only()))
	must(t, err)
	must(t, s.Learn(indexOf(t, huge), nil, func(r tree.Run) {
		if r != (tree.Run{To: 1 << 33}) {
			t.Errorf("%v is skipped", r)
		}
	}))
}

// A link to something at the top that is not wanted would lead to what is not of the share.
func TestWantLink(t *testing.T) {
	src := of(t, dirOf("a"), linkOf("a/l", "../b/x"), dirOf("b"), fileOf("b/x", 5))
	s, err := at(t, t.TempDir(), wanting(only("a/l")))
	must(t, err)
	src.refused(s, ErrLink, "a/l")
	target := t.TempDir()
	s, err = at(t, target, nil)
	must(t, err)
	must(t, src.all(s))
	src.final(target, true)
}
