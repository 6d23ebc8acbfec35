package stage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// openFolder opens the stage's folder, or makes it, and locks it.
func (s *Stage) openFolder() error {
	if _, err := s.target.mkdir(s.dir); err != nil {
		return fmt.Errorf("%s: %w", s.Target, err)
	}
	fi, err := s.target.Lstat(s.dir)
	if err != nil {
		return err
	}
	if !ownedAlone(fi) {
		return fmt.Errorf("%s: %w: it is not this user's alone", s.dir, ErrDamaged)
	}
	if s.home, err = s.target.sub(s.dir); err != nil {
		return err
	}
	if s.lock, err = s.home.openOrCreate("stage"); err != nil {
		return err
	}
	if err := tryLock(s.lock); err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	// Whoever had it may have been about to remove it.
	locked, err := s.lock.Stat()
	if named, err2 := s.home.Lstat("stage"); err != nil || err2 != nil || !os.SameFile(locked, named) {
		return fmt.Errorf("%s: %w", s.dir, ErrBusy)
	}
	want := "tenon stage 1\n" + s.ID.String() + "\n"
	is, err := io.ReadAll(io.LimitReader(s.lock, int64(len(want))+1))
	switch {
	case err != nil:
		return err
	case string(is) == want:
	case strings.HasPrefix(want, string(is)) && !s.has("journal"): // it was just being made
		if err := s.home.write(s.lock, "stage", []byte(want), 0); err != nil {
			return err
		}
		if err := s.home.sync(s.lock, "stage"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: %w: it is of another share", s.dir, ErrDamaged)
	}
	for _, name := range []string{"tree", "nodes"} {
		if _, err := s.home.mkdir(name); err != nil {
			return err
		}
	}
	if s.tree, err = s.home.sub("tree"); err != nil {
		return err
	}
	if err := s.findOlds(); err != nil {
		return err
	}
	return s.probe()
}

func (s *Stage) has(name string) bool {
	_, err := s.home.Lstat(name)
	return err == nil
}

// load reads what an earlier process has left, and writes the journal anew.
func (s *Stage) load() error {
	s.resumed = s.has("journal")
	var size int64
	s.renamed = map[int]string{}
	err := s.journal.load(os.O_RDWR, func(letter byte, p []byte) error { return s.replay(letter, p, &size) })
	if err == nil && s.state == placed {
		return nil // there is nothing in it that anybody needs
	}
	if err == nil {
		err = s.loadManifest(size)
	}
	if err == nil {
		err = s.check()
	}
	if err == nil && s.state == fetching {
		s.plan.kept, s.choice = set{}, choice{want: s.Want} // those before count when everything is there
		err = s.learn(s.index, nil)
	}
	if err != nil {
		if errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%s: %w", s.dir, err)
		}
		return err
	}
	if err := s.rewrite(s.state == placing); err != nil {
		return err
	}
	return s.target.syncDir(".")
}

// replay takes one record.
func (s *Stage) replay(letter byte, p []byte, size *int64) error {
	f := numbers{p: p}
	switch letter {
	case 'M':
		*size = f.next()
	case 'H':
		h, err := share.ParseHead(p)
		s.head, f.bad = h, err != nil || h.Size > *size
	case 'R':
		f.runs(&s.have)
	case 'K':
		f.runs(&s.plan.kept)
	case 'W':
		s.choice.want = nothing // it was chosen: the set has it
		f.runs(&s.choice.wanted)
	case 'E':
		for len(f.p) > 0 && !f.bad {
			s.inside = append(s.inside, inside{int(f.next()), f.any()})
		}
	case 'N':
		s.renamed[int(f.next())] = string(f.p)
	case 'P':
		s.state = placing
	case 'F':
		s.state = placed
	default:
		return fmt.Errorf("%w: its journal is of a later version", ErrDamaged)
	}
	if f.bad {
		return fmt.Errorf("%w: its journal has a wrong record", ErrDamaged)
	}
	return nil
}

// numbers takes a record apart.
type numbers struct {
	p   []byte
	bad bool
}

func (f *numbers) any() int64 {
	n, size := binary.Uvarint(f.p)
	if size <= 0 {
		f.bad = true
		return 0
	}
	f.p = f.p[size:]
	return int64(n)
}

func (f *numbers) next() int64 {
	n := f.any()
	f.bad = f.bad || n < 0 || n > maxNumber
	return n
}

func (f *numbers) runs(to *set) {
	for at := int64(0); len(f.p) > 0 && !f.bad; {
		from := at + f.next()
		at = from + f.next()
		if f.bad = f.bad || at > maxNumber; !f.bad {
			to.putRun(tree.Run{From: from, To: at}, true)
		}
	}
}

// loadManifest reads the manifest, of which so many bytes are good.
func (s *Stage) loadManifest(size int64) error {
	f, err := s.home.openOrCreate("manifest")
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // what was written to it was synced
	if s.index, err = readManifest(f, size); err != nil {
		return err
	}
	s.onDisk, s.loaded = size, s.index.Totals().Entries
	return s.home.truncate(f, "manifest", size)
}

// readManifest reads so many bytes of a manifest.
func readManifest(f io.ReaderAt, size int64) (manifest.Index, error) {
	var b manifest.Builder
	buf := make([]byte, manifest.BlockSize)
	for at := int64(0); at < size; {
		n, err := f.ReadAt(buf[:min(size-at, int64(len(buf)))], at)
		if n == 0 {
			return manifest.Index{}, fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
		}
		if err := b.Append(buf[:n]); err != nil {
			return manifest.Index{}, fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
		}
		at += int64(n)
	}
	return b.Index(), nil
}

// check compares the journal with the files that there are.
func (s *Stage) check() error {
	var first int64
	var gone string // a directory that is not there
	for n, e := range s.index.From(0) {
		groups := tree.Shape(e.Size).Groups()
		run := tree.Run{From: first, To: first + groups}
		first = run.To
		if first > maxNumber {
			return fmt.Errorf("%w: its manifest is of more than there can be", ErrDamaged)
		}
		if groups == 0 || s.state != fetching || gone != "" && strings.HasPrefix(e.Path, gone) && s.have.none(run) {
			continue
		}
		if err := s.checkFile(n, e, run, &gone); err != nil {
			return err
		}
	}
	if !s.have.none(tree.Run{From: first, To: maxNumber}) {
		return fmt.Errorf("%w: its journal has what is not in its manifest", ErrDamaged)
	}
	if s.state == placing {
		s.plan.group = first
	}
	return nil
}

// checkFile looks whether a file is there as the journal says. If not, nothing of it is.
func (s *Stage) checkFile(n int, e manifest.Entry, run tree.Run, gone *string) error {
	fi, err := s.tree.Lstat(e.Path)
	switch {
	case err == nil && s.have.none(run): // written to, and never synced
		return s.tree.remove(e.Path)
	case err == nil && fi.Mode().IsRegular() && (e.Holes || fi.Size() >= s.upTo(e, run)):
		s.files.created.put(int64(n), true)
	case err == nil:
		s.have.putRun(run, false)
		return s.tree.removeAll(e.Path)
	case errors.Is(err, fs.ErrNotExist):
		s.have.putRun(run, false)
		if i := strings.LastIndexByte(e.Path, '/'); i > 0 {
			if _, err := s.tree.Lstat(e.Path[:i]); err != nil {
				*gone = e.Path[:i+1]
			}
		}
	default:
		return fmt.Errorf("%q: %w", e.Path, bare(err))
	}
	return nil
}

// upTo returns how large a file is at least of which these groups are there.
func (s *Stage) upTo(e manifest.Entry, run tree.Run) int64 {
	last := run.From
	for {
		from := s.have.next(last, run.To, true)
		if from == run.To {
			return min((last-run.From)*tree.Group, e.Size)
		}
		last = s.have.next(from, run.To, false)
	}
}

// rewrite writes the journal anew; with placing, everything is being put in place. Whoever
// calls it holds syncing.
func (s *Stage) rewrite(placing bool) error {
	r, head := s.snapshot()
	if placing {
		s.placing(r)
	}
	err := s.journal.replace(r)
	if err == nil {
		s.noted = head
	}
	return err
}

// snapshot returns records of all that is known and on disk, and the head that is in them.
func (s *Stage) snapshot() (*recorder, share.Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := s.head
	if head.Size > s.onDisk { // the manifest has grown since the batch began
		head = s.noted
	}
	have := s.have.clone()
	for _, r := range s.fresh {
		have.putRun(r, false)
	}
	r := &recorder{}
	r.one('M', s.onDisk, "")
	r.head(head)
	r.runs('R', &have)
	r.inside(s.inside)
	for _, n := range slices.Sorted(maps.Keys(s.renamed)) {
		r.one('N', int64(n), s.renamed[n])
	}
	return r, head
}

// placing makes the records that say what is being put in place, and that it is. Nobody
// changes what is wanted any more.
func (s *Stage) placing(r *recorder) {
	r.runs('K', &s.plan.kept)
	if s.choice.want != nil {
		r.begin('W') // one at least, should it be nothing at all
		r.end()
		r.runs('W', &s.choice.wanted)
	}
	r.one('P', 0, "")
}
