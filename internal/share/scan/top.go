package scan

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// A top is one of the paths that are shared.
type top struct {
	name   string
	folder *folder // it, or the directory that it is in if it is a file
	file   string  // its name there; "" if it is a directory
	info   info
	cache  *cache
}

// openTops opens what is shared. A link that was asked for is followed: who shares
// "current" means what is there. No other is.
func (s *Scan) openTops() error {
	if len(s.config.Paths) == 0 {
		return errors.New("there is nothing to share")
	}
	caches := map[string]*cache{}
	for i, path := range s.config.Paths {
		full, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		dir, name := filepath.Split(full)
		if name == "" {
			return fmt.Errorf("%s has no name by which it could be shared", full)
		}
		t, err := openTop(full)
		if err != nil {
			return err
		}
		if s.config.Names != nil {
			name = s.config.Names[i]
		}
		t.name = name
		s.tops = append(s.tops, t)
		of := full
		if t.file != "" {
			of = dir // which ends with a slash
		}
		if caches[of] == nil {
			caches[of] = &cache{dir: s.cache, of: of}
		}
		t.cache = caches[of]
		t.cache.tops = append(t.cache.tops, name)
	}
	slices.SortFunc(s.tops, func(a, b *top) int { return strings.Compare(a.name, b.name) })
	for i := range len(s.tops) - 1 {
		if s.tops[i].name == s.tops[i+1].name {
			return fmt.Errorf("two of the paths that are shared are called %q", s.tops[i].name)
		}
	}
	for c := range s.caches() {
		if err := c.open(); err != nil {
			return err
		}
	}
	return nil
}

func openTop(path string) (*top, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	t := new(top)
	if t.folder, err = openFolder(path); err == nil {
		// A directory is asked through its descriptor: nobody can replace it.
		if t.info, err = t.folder.lstat("."); err == nil {
			return t, nil
		}
		t.folder.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	notDir := err
	dir, name := filepath.Split(path)
	if t.folder, err = openFolder(dir); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	t.file = name
	t.info, err = t.folder.lstat(name)
	switch {
	case err == nil && t.info.mode.IsDir():
		err = notDir // and it is the reason why it cannot be shared
	case err == nil && !t.info.regular():
		err = errors.New("it is " + kind(t.info.mode) + ", which cannot be shared")
	case err == nil:
		var f *file
		if f, err = t.folder.open(name); err == nil {
			f.close()
		}
	}
	if err != nil {
		t.folder.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// isTop tells whether there is something at the top with this name.
func (s *Scan) isTop(name string) bool {
	return slices.ContainsFunc(s.tops, func(t *top) bool { return t.name == name })
}

// open opens the file with this path in the share.
func (s *Scan) open(path string) (*top, *file, error) {
	name, rest, _ := strings.Cut(path, "/")
	i, ok := slices.BinarySearchFunc(s.tops, name, func(t *top, n string) int { return strings.Compare(t.name, n) })
	if !ok {
		return nil, nil, fmt.Errorf("%q: %w", path, manifest.RuleParent)
	}
	t := s.tops[i]
	var f *file
	var err error
	if t.file != "" {
		f, err = t.folder.open(t.file)
	} else {
		f, err = t.folder.below(rest)
	}
	return t, f, err
}

// caches yields each cache once.
func (s *Scan) caches() iter.Seq[*cache] {
	return func(yield func(*cache) bool) {
		seen := map[*cache]bool{}
		for _, t := range s.tops {
			if t.cache != nil && !seen[t.cache] {
				seen[t.cache] = true
				if !yield(t.cache) {
					return
				}
			}
		}
	}
}
