// Package shelf keeps the units of a sealed copy of a share on disk, for package share, which sees
// to it that they are what was offered. Each unit is a file of its own in a directory that nobody else uses, written
// beside its place, synced and renamed, so that after whatever stop there are whole units and no others.
package shelf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
)

// A Shelf is the units of one copy. Its methods may be called at the same time.
type Shelf struct {
	root *os.Root

	mu    sync.Mutex // guards what follows
	sizes map[int64]int64
	bytes int64
	rooms map[int64]bool // directories that are there
}

// perRoom is how many units are in a directory.
const perRoom = 1024

// fresh begins the names of files that are not whole.
const fresh = "new-"

// Open opens the shelf in a directory, which is made if it is not there. The caller calls Close.
func Open(dir string) (*Shelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Shelf{root: root, sizes: map[int64]int64{}, rooms: map[int64]bool{}}
	if err := s.load(); err != nil {
		root.Close() //nolint:errcheck // a directory
		return nil, err
	}
	return s, nil
}

// load finds out what is there.
func (s *Shelf) load() error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		room, base := path.Split(name)
		switch n, err := strconv.ParseInt(base, 10, 64); {
		case strings.HasPrefix(base, fresh):
			return s.root.Remove(name)
		case err != nil || n < 0: // it is not ours, or the directory itself
		case d.IsDir() && room == "":
			s.rooms[n] = true
		case d.Type().IsRegular() && name == at(n):
			fi, err := d.Info()
			if err != nil {
				return err
			}
			s.sizes[n] = fi.Size()
			s.bytes += fi.Size()
		}
		return nil
	})
}

// at is where a unit is.
func at(n int64) string { return fmt.Sprintf("%d/%d", n/perRoom, n) }

// Has tells whether a unit is there.
func (s *Shelf) Has(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sizes[n]
	return ok
}

// Count returns how many units are there, and their bytes.
func (s *Shelf) Count() (units, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.sizes)), s.bytes
}

// Open opens a unit to read it.
func (s *Shelf) Open(n int64) (io.ReadCloser, error) { return s.root.Open(at(n)) }

// Put keeps a unit in place of what may be there.
func (s *Shelf) Put(n int64, p []byte) error {
	if err := s.room(n / perRoom); err != nil {
		return err
	}
	name := fresh + strconv.FormatInt(n, 10)
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.root.Rename(name, at(n))
	}
	if err != nil {
		s.root.Remove(name) //nolint:errcheck // it takes room until the next start, and does no other harm
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += int64(len(p)) - s.sizes[n]
	s.sizes[n] = int64(len(p))
	return nil
}

// room makes a directory.
func (s *Shelf) room(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[n] {
		return nil
	}
	if err := s.root.Mkdir(strconv.FormatInt(n, 10), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	s.rooms[n] = true
	return nil
}

// Sync makes last what is there: a unit that was put may be lost with the power until then.
func (s *Shelf) Sync() error {
	s.mu.Lock()
	names := []string{"."}
	for n := range s.rooms {
		names = append(names, strconv.FormatInt(n, 10))
	}
	s.mu.Unlock()
	for _, name := range names {
		f, err := s.root.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		f.Close() //nolint:errcheck // a directory
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return nil
}

// Close lets go of the directory.
func (s *Shelf) Close() error { return s.root.Close() }
