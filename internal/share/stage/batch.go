package stage

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// dirty is what was written and is not synced.
type dirty struct {
	files map[int]string      // paths by entry
	dirs  map[string]struct{} // in which there are new names
	many  bool                // so many that all of the file system is synced
}

func (d *dirty) file(n int, path string) {
	if d.many {
		return
	}
	if d.files == nil {
		d.files = map[int]string{}
	}
	if d.files[n] = path; len(d.files) > manyFiles {
		*d = dirty{many: true}
	}
}

func (d *dirty) dir(path string) {
	if d.many {
		return
	}
	if d.dirs == nil {
		d.dirs = map[string]struct{}{}
	}
	if d.dirs[path] = struct{}{}; len(d.dirs) > manyFiles {
		*d = dirty{many: true}
	}
}

// sync makes what is there last, and then has the journal say so. If it fails, nothing is
// journalled any more: it is not known what is on the disk.
func (s *Stage) sync() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	b := batch{s, s.index, s.head, s.fresh, s.dirty, s.planned, s.prepared}
	nothing := len(b.fresh) == 0 && b.index.Size() == s.onDisk && b.head == s.noted && !b.anew && !b.last
	err := s.broken
	if err == nil && !nothing {
		s.fresh, s.dirty, s.bytes, s.planned, s.prepared = nil, dirty{}, 0, false, false
	}
	s.mu.Unlock()
	if err != nil || nothing {
		return err
	}
	err = b.run()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.broken = err
	case b.last:
		s.state = placing
	}
	return err
}

// A batch is what is synced and journalled together.
type batch struct {
	s     *Stage
	index manifest.Index
	head  share.Head
	fresh []tree.Run
	dirty dirty
	anew  bool // the journal is to be written anew
	last  bool // everything can get its name then
}

func (b *batch) run() error {
	s := b.s
	if err := s.saveManifest(b.index); err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	if b.anew || s.journal.size > max(longJournal, 4*s.journal.short) {
		return s.rewrite(b.last)
	}
	r := &recorder{sum: s.journal.sum}
	r.one('M', s.onDisk, "")
	if b.head != s.noted {
		r.head(b.head)
	}
	var fresh set
	for _, run := range b.fresh {
		fresh.putRun(run, true)
	}
	r.runs('R', &fresh)
	if b.last {
		s.placing(r)
	}
	if err := s.journal.append(r); err != nil {
		return err
	}
	s.noted = b.head
	return nil
}

// saveManifest writes what is new of the manifest.
func (s *Stage) saveManifest(x manifest.Index) error {
	if x.Size() <= s.onDisk {
		return nil
	}
	f, err := s.home.openOrCreate("manifest")
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is synced below
	buf := make([]byte, manifest.BlockSize)
	at := s.onDisk
	for at < x.Size() {
		n, _ := x.ReadAt(buf, at)
		if err := s.home.write(f, "manifest", buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	if err := s.home.sync(f, "manifest"); err != nil {
		return err
	}
	s.onDisk = at
	return nil
}

// flush syncs what was written.
func (b *batch) flush() error {
	s := b.s
	if b.dirty.many || b.last && canSyncAll { // complete has touched everything
		return s.home.syncAll()
	}
	for n, name := range b.dirty.files {
		if err := s.syncFile(s.tree, name); err != nil {
			return err
		}
		if err := s.syncFile(s.home, nodesOf(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for name := range b.dirty.dirs {
		if err := s.tree.syncDir(name); err != nil {
			return err
		}
	}
	return nil
}

// syncFile syncs a file of a folder, whoever has written it.
func (s *Stage) syncFile(d folder, name string) error {
	f, err := d.open(path.Clean(name), os.O_RDWR)
	if err != nil {
		return err
	}
	err = d.sync(f, name)
	f.Close() //nolint:errcheck // it was synced
	return err
}
