package stage

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// life is what a process does with a stage until it ends by itself, or is ended.
func (src *source) life(d *disk, want func(manifest.Entry) bool) error {
	s, err := open(Config{Target: d.target, ID: id, Want: want}, d.hook, false)
	if err != nil {
		return err
	}
	defer s.abandon()
	src.staged(s)
	if s.Index().Size() == 0 {
		if err := src.beginning(s, 200); err != nil {
			return err
		}
		if err := s.sync(); err != nil {
			return err
		}
	}
	if s.state == fetching {
		for {
			if n, err := src.fetch(s, 3); err != nil {
				return err
			} else if n == 0 {
				break
			}
			if err := s.sync(); err != nil {
				return err
			}
		}
	}
	return end(s)
}

// Whenever a process is killed or the power fails, what the next one believes to be there is
// there, no final name ever has wrong bytes, and in the end all is right.
func TestEndsAtEveryStep(t *testing.T) {
	synctest.Test(t, endsAtEveryStep)
}

func endsAtEveryStep(t *testing.T) {
	src := of(t, append(photos(t).entries, twice("photos/twice", "photos/a", 3*group+5))...)
	wants := []func(manifest.Entry) bool{nil, only("photos/a", "photos/link", "photos/sub/tool"), only("photos/closed", "photos/holes", "photos/sub/tool", "photos/twice")}
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	first := random.IntN(4) // which of the variants a step is tried with differs from run to run
	for ends := 0; ; ends++ {
		power, existing := (ends+first)%4 > 0, (ends+first)%2 > 0
		target, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		if existing {
			must(t, os.MkdirAll(filepath.Join(target, "photos/sub"), 0o755))
			must(t, os.WriteFile(filepath.Join(target, "photos/sub/mine"), nil, 0o600))
		}
		d := &disk{target: target, ends: ends}
		// The first one may want something else than all others do.
		before, then := random.IntN(len(wants)), random.IntN(len(wants))
		err = src.life(d, wants[before])
		whole := err == nil
		if whole {
			then = before
		}
		want := wants[then]
		for again := 0; err != nil; again++ {
			if d.ends < 0 || d.made < d.ends {
				t.Fatalf("ended at step %d, power %v, existing %v, and after %d: %v", ends, power, existing, d.made, err)
			}
			if power {
				d.powerCut(random)
			}
			src.mine(target, existing, before != then, false)
			if d.ends = -1; again == 0 && ends%2 == 0 { // the second one ends soon, too
				d.ends = d.made + 1 + random.IntN(40)
			}
			err = src.life(d, want)
		}
		src.chosen(want).mine(target, existing, before != then, true)
		if t.Failed() {
			t.Fatalf("it ended at step %d, power %v, existing %v", ends, power, existing)
		}
		must(t, os.RemoveAll(target))
		if whole && want == nil {
			if ends < 50 {
				t.Errorf("there were %d steps, which can't be all", ends)
			}
			return
		}
	}
}

// mine checks final names. Directories that were there keep their modes and times, and get
// others when something is put into them: what somebody has there, or another part.
func (src *source) mine(target string, existing, another, all bool) {
	src.t.Helper()
	if existing {
		if _, err := os.Stat(filepath.Join(target, "photos/sub/mine")); err != nil {
			src.t.Error(err)
		}
	}
	if existing || another {
		src = src.without("photos", "photos/sub")
	}
	src.final(target, all)
}

// without returns a source that is not asked about these entries.
func (src *source) without(paths ...string) *source {
	less := *src
	less.entries = nil
	less.data = map[int][]byte{}
	for n, e := range src.entries {
		keep := true
		for _, p := range paths {
			keep = keep && p != e.Path
		}
		if keep {
			less.data[len(less.entries)] = src.data[n]
			less.entries = append(less.entries, e)
		}
	}
	return &less
}

// A disk that is full is an error that names the file, at every write; what is there stays,
// and when there is room, it goes on.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, diskFull)
}

func diskFull(t *testing.T) {
	src := of(t, append(photos(t).entries, twice("photos/twice", "photos/a", 3*group+5))...)
	for full := 0; ; full++ {
		target, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		writes := 0
		d := &disk{target: target, ends: -1, fails: func(st step) error {
			if st.op == "write" || st.op == "create" || st.op == "mkdir" {
				if writes++; writes > full {
					return syscall.ENOSPC
				}
			}
			return nil
		}}
		err = src.life(d, nil)
		if err == nil {
			if full < 20 {
				t.Errorf("there were %d writes, which can't be all", full)
			}
			return
		}
		wantErr(t, err, syscall.ENOSPC)
		if !strings.Contains(err.Error(), `"photos`) && !strings.Contains(err.Error(), `"`+prefix) {
			t.Errorf("no file is named: %v", err)
		}
		src.final(target, false)
		d.fails = nil
		must(t, src.life(d, nil))
		src.final(target, true)
		must(t, os.RemoveAll(target))
	}
}

// A target that cannot be written to is an error before anything is fetched.
func TestReadOnly(t *testing.T) {
	target := t.TempDir()
	_, err := open(Config{Target: target, ID: id}, func(step) (bool, error) { return false, syscall.EROFS }, false)
	wantErr(t, err, syscall.EROFS)
	_, err = New(Config{Target: filepath.Join(target, "none"), ID: id})
	wantErr(t, err, fs.ErrNotExist)
}
