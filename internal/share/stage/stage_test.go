package stage

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// What was fetched is there in the end, with modes and times, and nothing else is. Nothing
// is skipped here, so that all steps are made at least once.
func TestOnce(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	s, err := New(Config{Target: target, ID: id})
	must(t, err)
	defer s.Close()
	if fi, err := os.Stat(filepath.Join(target, s.dir)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("others may look into the stage: %v, %v", fi, err)
	}
	must(t, src.all(s))
	src.final(target, true)
	must(t, s.Close())
	if fi, err := os.Stat(filepath.Join(target, "photos/holes")); err != nil || !sparse(fi) {
		t.Errorf("the holes of a file are written: %v", err)
	}
}

// What is there is not fetched again: after Close everything, and by another process.
func TestResume(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	fetched := int64(0)
	for i := 0; ; i++ {
		s, err := at(t, target, nil)
		must(t, err)
		src.staged(s)
		n, err := src.fetch(s, 2)
		must(t, err)
		if fetched += n; n < 2 {
			must(t, end(s))
			break
		}
		must(t, s.Close())
	}
	if fetched != src.groups {
		t.Errorf("%d groups were fetched, of %d", fetched, src.groups)
	}
	src.final(target, true)
}

// How far the manifest is known is there again, and is never more than what is on disk.
func TestHead(t *testing.T) {
	src := photos(t)
	target := t.TempDir()
	known := func(want int64) {
		t.Helper()
		s, err := at(t, target, nil)
		must(t, err)
		src.staged(s)
		if h, _, ok := s.Head(); ok != (want > 0) || h.Size != want {
			t.Errorf("%d bytes are known, and not %d", h.Size, want)
		}
		s.abandon()
	}
	known(0)
	s, err := at(t, target, nil)
	must(t, err)
	must(t, src.beginning(s, 100))
	s.abandon()
	known(0) // no batch was synced
	s, err = at(t, target, nil)
	must(t, err)
	must(t, src.beginning(s, 100))
	must(t, s.sync())
	s.abandon()
	known(100)
	s, err = at(t, target, nil)
	must(t, err)
	must(t, s.Learn(src.index, nil, nil))
	must(t, s.sync()) // the manifest has grown, and nobody has vouched for it
	s.abandon()
	known(100)
	s, err = at(t, target, nil)
	must(t, err)
	must(t, s.Keep(src.head(src.index)))
	must(t, s.Close())
	known(src.index.Size())
	s, err = at(t, target, nil)
	must(t, err)
	h := src.head(src.index)
	h.Size++
	wantErr(t, s.Keep(h), ErrDamaged)
	must(t, src.all(s))
}

// Nodes that came are there again.
func TestNodesStay(t *testing.T) {
	target := t.TempDir()
	src := of(t, fileOf("a", 9*group))
	s, err := at(t, target, nil)
	must(t, err)
	_, err = src.fetch(s, 5)
	must(t, err)
	must(t, s.Close())
	s, err = at(t, target, nil)
	must(t, err)
	b, err := s.Open(0, src.entries[0])
	must(t, err)
	defer b.Close()
	skip, err := tree.File{Shape: 9 * group, Root: src.entries[0].Root, Nodes: b.Nodes()}.Skip(tree.Run{To: 5})
	if err != nil || skip == 0 {
		t.Errorf("%d levels are known, %v", skip, err)
	}
}

// One file goes where it belongs as one that is in a directory does.
func TestOneFile(t *testing.T) {
	for _, size := range []int64{0, 1, group, group + 1} {
		target := t.TempDir()
		src := of(t, fileOf("one", size))
		s, err := at(t, target, nil)
		must(t, err)
		must(t, src.all(s))
		src.final(target, true)
	}
}

// So many files that batches sync the whole file system, and none stays open.
func TestMany(t *testing.T) {
	target := t.TempDir()
	entries := []entry{dirOf("many")}
	for i := range 300 {
		entries = append(entries, fileOf("many/"+string(rune('a'+i/26))+string(rune('a'+i%26)), int64(i)))
	}
	src := of(t, entries...)
	s, err := at(t, target, nil)
	must(t, err)
	_, err = src.fetch(s, -1)
	must(t, err)
	if n := len(s.files.open); n > maxIdle {
		t.Errorf("%d files are open", n)
	}
	must(t, end(s))
	src.final(target, true)
}

// Finish before everything is there changes nothing.
func TestNotYet(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	s, err := at(t, target, nil)
	must(t, err)
	_, err = src.fetch(s, src.groups-1)
	must(t, err)
	wantErr(t, s.Finish(), ErrIncomplete)
	src.final(target, false)
	must(t, src.all(s))
	src.final(target, true)
}

// Discard leaves nothing.
func TestDiscard(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	s, err := at(t, target, nil)
	must(t, err)
	_, err = src.fetch(s, 3)
	must(t, err)
	must(t, s.Discard())
	if left, err := os.ReadDir(target); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// A share that grows is judged as it comes; a process that ends in between, with files
// that the journal knows nothing of, leaves nothing that is in the way.
func TestGrows(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	put(t, filepath.Join(target, "photos/sub/mine"), nil)
	put(t, filepath.Join(target, "photos/sub/tool"), src.data[10])
	s, err := at(t, target, nil)
	must(t, err)
	var b manifest.Builder
	known, had := 0, int64(0)
	for _, block := range src.blocks {
		for ; len(block) > 0; block = block[min(40, len(block)):] {
			must(t, b.Append(block[:min(40, len(block))]))
			must(t, s.Learn(b.Index(), func(r tree.Run) { had += r.Len() }, nil))
			for _, e := range b.Index().From(known) {
				if e.Size > 0 && e.Path != "photos/sub/tool" {
					must(t, src.give(s, known, 0))
				}
				known++
			}
			if known == 5 {
				s.abandon()
				s, err = at(t, target, nil)
				must(t, err)
				known = 0
			}
		}
	}
	if had != 1 {
		t.Errorf("%d groups were there, and not 1", had)
	}
	must(t, src.all(s))
	src.without("photos", "photos/sub", "photos/sub/tool").final(target, true)
}

// If the stage cannot be removed, everything has its place all the same, and the next one
// removes it, without a look at what has become of the files.
func TestLeftBehind(t *testing.T) {
	target := t.TempDir()
	src := photos(t)
	s, err := open(Config{Target: target, ID: id}, func(st step) (bool, error) {
		if st.op == "remove" && path.Base(st.path) == "tree" {
			return false, syscall.EIO
		}
		return dry(st)
	}, false)
	must(t, err)
	_, err = src.fetch(s, -1)
	must(t, err)
	must(t, s.Finish())
	must(t, s.Finish())
	wantErr(t, s.Close(), syscall.EIO)
	must(t, s.Close())
	wantErr(t, s.Finish(), fs.ErrClosed)
	src.without("photos").final(target, false)

	must(t, os.Chmod(filepath.Join(target, "photos"), 0o700))
	must(t, os.Remove(filepath.Join(target, "photos/a")))
	s, err = at(t, target, nil)
	must(t, err)
	s.Have(func(r tree.Run) { t.Errorf("%v is said to be there", r) })
	if n, err := src.fetch(s, -1); err != nil || n != 4 {
		t.Errorf("%d groups were fetched, and not 4: %v", n, err)
	}
	must(t, end(s))
	src.without("photos").final(target, true)
	if fi, err := os.Stat(filepath.Join(target, "photos")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("it has its mode again: %v, %v", fi, err)
	}
}
