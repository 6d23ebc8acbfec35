package stage

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A Leftover is a stage in a directory: of a process that has ended, or still goes on.
type Leftover struct {
	ID    share.ID
	Name  string    // what is shared: the first of its names at the top; "" if that is not known yet
	Bytes int64     // that are there; without those in files that were at the target before
	Of    int64     // that are known of
	Whole bool      // nothing more will be known of
	When  time.Time // when something was noted last
	Err   error     // it is of no use, and why
}

// Leftovers lists the stages in a directory, by their IDs. It changes nothing, and needs
// nobody's leave: what another process does meanwhile is seen, or not.
func Leftovers(target string) ([]Leftover, error) {
	root, err := os.OpenRoot(target)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // a directory
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	d.Close() //nolint:errcheck // a directory
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Leftover
	for _, name := range names {
		hexed, ok := strings.CutPrefix(name, prefix)
		id, err := hex.DecodeString(hexed)
		if !ok || err != nil || len(id) != len(share.ID{}) || hexed != strings.ToLower(hexed) {
			continue
		}
		all = append(all, leftover(folder{root, "", seam{}}, name, share.ID(id)))
	}
	return all, nil
}

// leftover looks at a stage.
func leftover(target folder, name string, id share.ID) Leftover {
	l := Leftover{ID: id}
	s := &Stage{Config: Config{ID: id}, dir: name, target: target}
	s.journal.s = s
	defer func() {
		s.journal.close()
		if s.home.Root != nil {
			s.home.Close() //nolint:errcheck // a directory
		}
	}()
	fi, err := target.Lstat(name)
	if err == nil && !ownedAlone(fi) {
		err = fmt.Errorf("%w: it is not this user's alone", ErrDamaged)
	}
	if err == nil {
		l.When = fi.ModTime()
		s.home, err = target.sub(name)
	}
	if err == nil {
		err = s.peek(&l)
	}
	if err != nil {
		l.Err = fmt.Errorf("%s: %w", name, err)
	}
	return l
}

// peek reads how far the stage has come.
func (s *Stage) peek(l *Leftover) error {
	var size int64
	s.renamed = map[int]string{}
	fi, err := s.home.Lstat("journal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was just being made, or removed
	} else if err != nil {
		return bare(err)
	}
	l.When = fi.ModTime()
	if err := s.journal.load(os.O_RDONLY, func(letter byte, p []byte) error { return s.replay(letter, p, &size) }); err != nil {
		return err
	}
	if size > 0 {
		f, err := s.home.open("manifest", os.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it was only read
		if s.index, err = readManifest(f, size); err != nil {
			return err
		}
	}
	l.Of, l.Whole = s.index.Totals().Bytes, s.index.Done()
	var run tree.Run
	for n, e := range s.index.From(0) {
		if n == 0 {
			l.Name = e.Path
		}
		groups := tree.Shape(e.Size).Groups()
		if run = (tree.Run{From: run.To, To: run.To + groups}); run.To > maxNumber {
			return fmt.Errorf("%w: its manifest is of more than there can be", ErrDamaged)
		}
		for r := range s.have.runs(run) {
			l.Bytes += min((r.To-run.From)*tree.Group, e.Size) - (r.From-run.From)*tree.Group
		}
	}
	return nil
}

// Remove removes the stage of a share from a directory, with all that is in it. It is an error
// that matches [fs.ErrNotExist] if there is none, [ErrBusy] if a process is using it, and
// [ErrDamaged] if it is not this share's or not this user's.
func Remove(target string, id share.ID) error {
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	s := &Stage{Config: Config{Target: target, ID: id}, dir: prefix + id.String(), target: folder{root, "", seam{}}, quit: make(chan struct{})}
	s.files.s, s.journal.s = s, s
	defer s.release()
	if _, err := s.target.Lstat(s.dir); err != nil {
		return fmt.Errorf("%s: %w", s.dir, bare(err))
	}
	if err := s.openFolder(); err != nil {
		return err
	}
	return s.discard()
}

// Taken returns a function that tells whether something has a name at a target, so that it is
// shown before anything is fetched what may be replaced; see [manifest.List]. It is for one
// goroutine, and for names in the order of a manifest. The other function ends it.
func Taken(target string) (taken func(path string) bool, done func() error, err error) {
	root, err := os.OpenRoot(target)
	if err != nil {
		return nil, nil, err
	}
	gone := "/" // a directory that is not there
	taken = func(path string) bool {
		if strings.HasPrefix(path, gone) {
			return false
		}
		if _, err := root.Lstat(path); err == nil {
			return true
		}
		if i := strings.LastIndexByte(path, '/'); i > 0 {
			if _, err := root.Lstat(path[:i]); err != nil {
				gone = path[:i+1]
			}
		}
		return false
	}
	return taken, root.Close, nil
}
