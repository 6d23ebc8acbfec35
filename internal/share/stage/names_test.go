package stage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// put makes a file, and the directories that it is in.
func put(t *testing.T, name string, p []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, p, 0o600))
}

// refused has a share learnt and wants an error, before anything is fetched and with nothing
// but the stage at the target.
func (src *source) refused(s *Stage, want error, names ...string) {
	src.t.Helper()
	err := s.Learn(src.index, nil, nil)
	wantErr(src.t, err, want)
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			src.t.Errorf("%s is not in %v", name, err)
		}
	}
	if _, err := s.Open(len(src.entries)-1, src.entries[len(src.entries)-1]); err == nil {
		src.t.Error("it can be written all the same")
	}
	// What cannot be put there leaves nothing there.
	must(src.t, s.Close())
	if fi, err := os.Lstat(filepath.Join(s.Target, s.dir)); !errors.Is(err, fs.ErrNotExist) {
		src.t.Errorf("%v is left", fi)
	}
}

// What is there already and different stops it before the download, all names in one error.
func TestExisting(t *testing.T) {
	src := of(t, dirOf("d"), fileOf("d/a", 5), fileOf("d/b", 5), linkOf("d/c", "a"), dirOf("d/e"), fileOf("d/f", 3))
	for name, change := range map[string]func(target string){
		"d/a": func(d string) { put(t, d+"/d/a", []byte("other")) },
		"d/b": func(d string) { put(t, d+"/d/b", nil) },
		"d/c": func(d string) { must(t, os.Mkdir(d+"/d", 0o700)); must(t, os.Symlink("b", d+"/d/c")) },
		"d/e": func(d string) { put(t, d+"/d/e", nil) },
		"d/f": func(d string) { put(t, d+"/d/f/g", nil) },
		"d":   func(d string) { must(t, os.Symlink(t.TempDir(), d+"/d")) },
	} {
		target := t.TempDir()
		change(target)
		s, err := at(t, target, nil)
		must(t, err)
		src.refused(s, ErrExists, `"`+name+`"`)
	}
	target := t.TempDir()
	for _, name := range []string{"a", "b", "f"} {
		put(t, target+"/d/"+name, []byte("what I have"))
	}
	s, err := at(t, target, nil)
	must(t, err)
	src.refused(s, ErrExists, "d/a", "d/b", "d/f")
}

func TestOverwrite(t *testing.T) {
	target := t.TempDir()
	src := of(t, dirOf("d"), fileOf("d/a", 2*group), linkOf("d/c", "a"), dirOf("d/e"))
	outside := filepath.Join(t.TempDir(), "outside")
	put(t, outside, []byte("precious"))
	must(t, os.Mkdir(target+"/d", 0o755))
	must(t, os.Symlink(outside, target+"/d/a"))
	put(t, target+"/d/c", []byte("not precious"))
	put(t, target+"/d/mine", nil)
	s, err := at(t, target, func(c *Config) { c.Overwrite = true })
	must(t, err)
	_, err = src.fetch(s, -1)
	must(t, err)
	if p, err := os.ReadFile(target + "/d/c"); err != nil || string(p) != "not precious" {
		t.Errorf("it was replaced before all was there: %q, %v", p, err)
	}
	must(t, end(s))
	src.without("d").final(target, true)
	if p, err := os.ReadFile(outside); err != nil || string(p) != "precious" {
		t.Errorf("a link was followed: %q, %v", p, err)
	}
	// A directory is never replaced.
	put(t, target+"/x/y", nil)
	s, err = at(t, target, func(c *Config) { c.Overwrite = true })
	must(t, err)
	of(t, fileOf("x", 1)).refused(s, ErrKind)
}

func TestRename(t *testing.T) {
	target := t.TempDir()
	src := of(t, fileOf("a.txt", 5), dirOf("d"), fileOf("d/b", 5))
	put(t, target+"/a.txt", []byte("mine"))
	put(t, target+"/a (2).txt", []byte("mine too"))
	put(t, target+"/d/b", []byte("mine"))
	rename := func(c *Config) { c.Rename = true }
	s, err := at(t, target, rename)
	must(t, err)
	_, err = src.fetch(s, 1)
	must(t, err)
	must(t, s.Close())
	s, err = at(t, target, rename)
	must(t, err)
	_, err = src.fetch(s, -1)
	must(t, err)
	must(t, os.Mkdir(target+"/d (2)", 0o755)) // it has come meanwhile
	must(t, end(s))
	for name, want := range map[string]string{"a.txt": "mine", "a (2).txt": "mine too", "d/b": "mine",
		"a (3).txt": string(src.data[0]), "d (3)/b": string(src.data[2])} {
		if p, err := os.ReadFile(filepath.Join(target, name)); err != nil || string(p) != want {
			t.Errorf("%s has %q, %v", name, p, err)
		}
	}
}

// Names at the top that could mislead are made plain, each differently, also if it goes on later; what is there stays.
func TestPlain(t *testing.T) {
	target := t.TempDir()
	src := of(t, fileOf("-rf", 5), fileOf(".bashrc", 5), fileOf("a\x1b[2J\n", 5), fileOf("a\x1bb", 5), fileOf("a\u202eb", 5), fileOf("plain", 5), dirOf("\xff"), fileOf("\xff/b", 5))
	put(t, target+"/_bashrc", []byte("mine"))
	plain := func(c *Config) { c.Rename, c.Plain = true, true }
	s, err := at(t, target, plain)
	must(t, err)
	_, err = src.fetch(s, 1)
	must(t, err)
	must(t, s.Close())
	s, err = at(t, target, plain)
	must(t, err)
	must(t, src.all(s))
	for name, want := range map[string]string{"_bashrc": "mine", "_rf": string(src.data[0]), "_bashrc (2)": string(src.data[1]),
		"a_[2J_": string(src.data[2]), "a_b": string(src.data[3]), "a_b (2)": string(src.data[4]), "plain": string(src.data[5]), "_/b": string(src.data[7])} {
		if p, err := os.ReadFile(filepath.Join(target, name)); err != nil || string(p) != want {
			t.Errorf("%q has %q, %v", name, p, err)
		}
	}
	all, err := os.ReadDir(target)
	must(t, err)
	if len(all) != 8 {
		t.Errorf("there are %v", all)
	}
}

// What is there already and the same is not fetched, not hashed twice, and not touched.
func TestSame(t *testing.T) {
	target := t.TempDir()
	src := of(t, dirOf("d"), fileOf("d/a", 3*group), fileOf("d/b", 5), fileOf("d/c", 7), fileOf("d/empty", 0), linkOf("d/l", "a"))
	for n, e := range src.entries {
		switch {
		case e.Path == "d/c" || e.Kind == manifest.Dir:
		case e.Kind == manifest.Symlink:
			must(t, os.Symlink(e.Target, filepath.Join(target, e.Path)))
		default:
			put(t, filepath.Join(target, e.Path), src.data[n])
		}
	}
	before, err := os.Stat(target + "/d/a")
	must(t, err)
	s, err := at(t, target, nil)
	must(t, err)
	told := int64(0)
	must(t, s.Learn(src.index, func(r tree.Run) { told += r.Len() }, nil))
	if told != 4 {
		t.Errorf("%d groups are there, and not 4", told)
	}
	b, err := s.Open(1, src.entries[1])
	must(t, err)
	if _, err := b.WriteAt(src.data[1][:group], 0); err == nil {
		t.Error("a file of the user was written to")
	}
	f := tree.File{Shape: 3 * group, Root: src.entries[1].Root, Nodes: b.Nodes()}
	if err := new(tree.Encoder).Encode(nowhere{}, f, b, tree.Run{To: 3}, 0); err != nil {
		t.Errorf("it cannot be given to others: %v", err)
	}
	b.Close()
	must(t, s.Close())
	s, err = at(t, target, nil)
	must(t, err)
	must(t, s.Learn(src.index, func(tree.Run) { t.Error("it was hashed again") }, nil))
	n, err := src.fetch(s, -1)
	if err != nil || n != 1 {
		t.Errorf("%d groups were fetched, and not 1: %v", n, err)
	}
	must(t, end(s))
	if after, err := os.Stat(target + "/d/a"); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a file that was right was touched: %v, %v", after, err)
	}
	if p, err := os.ReadFile(target + "/d/c"); err != nil || string(p) != string(src.data[3]) {
		t.Errorf("what was missing is %q, %v", p, err)
	}
}

// What was the same and is changed while the rest is fetched is not taken for what was shared.
func TestChangedMeanwhile(t *testing.T) {
	target := t.TempDir()
	src := of(t, dirOf("d"), fileOf("d/a", 5), fileOf("d/b", 5))
	put(t, target+"/d/a", src.data[1])
	s, err := at(t, target, nil)
	must(t, err)
	_, err = src.fetch(s, -1)
	must(t, err)
	put(t, target+"/d/a", []byte("other"))
	wantErr(t, s.Finish(), ErrExists)
	must(t, s.Close())
	s, err = at(t, target, func(c *Config) { c.Overwrite = true })
	must(t, err)
	must(t, src.all(s))
	src.without("d").final(target, true)
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Section 5 no. 3: names that are one on the target are refused before the first byte.
func TestFolds(t *testing.T) {
	for _, test := range []struct {
		fold manifest.Fold
		a, b string
	}{
		{manifest.FoldCase, "A", "a"},
		{manifest.FoldForm, "e\u0301", "\u00e9"},
		{manifest.FoldCase | manifest.FoldForm, "E\u0301", "\u00e9"},
	} {
		src := of(t, dirOf("d"), fileOf("d/"+test.a, 5), fileOf("d/"+test.b, 5))
		s, err := at(t, t.TempDir(), nil)
		must(t, err)
		if s.probed.fold != 0 {
			t.Skip("this file system takes names that differ in case for one, so that both cannot be made")
		}
		s.probed.fold = test.fold
		src.refused(s, ErrName, "d/"+test.a, "d/"+test.b)
		s, err = at(t, t.TempDir(), nil)
		must(t, err)
		must(t, src.all(s))
	}
}

// Names that turn out to be one only when the second is made are refused then, and neither
// gets a name. It is shown by a file that is in the other's place.
func TestFoldsUnforeseen(t *testing.T) {
	target := t.TempDir()
	src := of(t, dirOf("d"), fileOf("d/ss", 5), fileOf("d/ß", 5))
	s, err := at(t, target, nil)
	must(t, err)
	must(t, s.Learn(src.index, nil, nil))
	must(t, src.give(s, 1, 0))
	must(t, os.Link(filepath.Join(target, s.dir, "tree/d/ss"), filepath.Join(target, s.dir, "tree/d/ß")))
	wantErr(t, src.give(s, 2, 0), ErrName)
	src.final(target, false)
}

// Section 5 no. 4, on Windows and elsewhere.
func TestWindowsNames(t *testing.T) {
	for _, name := range []string{"CON", "NUL.txt", "COM1", "x.", "x ", "a:b", `a\b`} {
		src := of(t, dirOf("d"), fileOf("d/"+name, 5))
		target := t.TempDir()
		s, err := open(Config{Target: target, ID: id}, dry, true)
		must(t, err)
		src.refused(s, ErrName)
		must(t, s.Close())
		s, err = at(t, t.TempDir(), nil)
		must(t, err)
		must(t, src.all(s))
	}
}

// A share cannot have the name of a stage.
func TestStageNames(t *testing.T) {
	s, err := at(t, t.TempDir(), nil)
	must(t, err)
	of(t, dirOf(s.dir), fileOf(s.dir+"/journal", 1)).refused(s, ErrName)
	s, err = at(t, t.TempDir(), nil)
	must(t, err)
	of(t, fileOf(".Tenon-x", 1)).refused(s, ErrName)
}

// What is of another share, of another user, or no stage at all is not touched.
func TestForeign(t *testing.T) {
	src := photos(t)
	for name, change := range map[string]func(dir string){
		"open to others":  func(d string) { must(t, os.Chmod(d, 0o755)) },
		"another share":   func(d string) { put(t, d+"/stage", []byte("tenon stage 1\n"+share.ID{9}.String()+"\n")) },
		"another journal": func(d string) { put(t, d+"/journal", []byte("something else that is long enough")) },
		"a link as journal": func(d string) {
			must(t, os.Rename(d+"/journal", d+"/other"))
			must(t, os.Symlink("other", d+"/journal"))
		},
		"no manifest": func(d string) { must(t, os.Truncate(d+"/manifest", 10)) },
		"another manifest": func(d string) {
			p := src.blocks[0]
			put(t, d+"/manifest", append([]byte{p[0] ^ 1}, p[1:]...))
		},
	} {
		target := t.TempDir()
		s, err := at(t, target, nil)
		must(t, err)
		_, err = src.fetch(s, 3)
		must(t, err)
		must(t, s.Close())
		change(filepath.Join(target, s.dir))
		if _, err = at(t, target, nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	target := t.TempDir()
	must(t, os.Symlink(t.TempDir(), filepath.Join(target, prefix+id.String())))
	if _, err := at(t, target, nil); err == nil {
		t.Error("a stage that is a link was taken")
	}
}

// If the sharer signs another manifest under the same ID, what is there is not part of it.
func TestAnotherManifest(t *testing.T) {
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	_, err = photos(t).fetch(s, 3)
	must(t, err)
	must(t, s.Close())
	s, err = at(t, target, nil)
	must(t, err)
	wantErr(t, s.Learn(of(t, fileOf("photos", 5)).index, nil, nil), ErrDamaged)
}

func TestBusy(t *testing.T) {
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	_, err = at(t, target, nil)
	wantErr(t, err, ErrBusy)
	must(t, s.Close())
	_, err = at(t, target, nil)
	must(t, err)
}

// Wherever a journal is cut, or a byte of it is wrong, what it says is true.
func TestTornJournal(t *testing.T) {
	src := photos(t)
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	for range 3 {
		_, err = src.fetch(s, 1)
		must(t, err)
		must(t, s.sync())
	}
	must(t, s.Close())
	name := filepath.Join(target, s.dir, "journal")
	whole, err := os.ReadFile(name)
	must(t, err)
	for i := len(journalMagic); i < len(whole); i++ {
		torn := [][]byte{whole[:i]}
		if i%3 == 0 {
			torn = append(torn, append(append(whole[:i:i], whole[i]^0x10), whole[i+1:]...))
		}
		for _, p := range torn {
			must(t, os.WriteFile(name, p, 0o600))
			s, err := at(t, target, nil)
			must(t, err)
			if n := s.have.count; n > 2 && i < len(whole)-1 && len(p) < len(whole) {
				t.Errorf("cut at %d: %d groups", i, n)
			}
			src.staged(s)
			s.abandon()
			// What the journal does not tell of was removed: it is put there again.
			restore(t, src, filepath.Join(target, s.dir))
		}
	}
}

func restore(t *testing.T, src *source, dir string) {
	put(t, filepath.Join(dir, "tree/photos/a"), src.data[1])
	must(t, os.WriteFile(filepath.Join(dir, "manifest"), joined(src.blocks), 0o600))
}

func joined(all [][]byte) (p []byte) {
	for _, b := range all {
		p = append(p, b...)
	}
	return p
}
