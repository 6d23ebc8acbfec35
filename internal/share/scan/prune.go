package scan

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// keepCaches ends the caches, and throws away what is too old in them.
func (s *Scan) keepCaches(complete bool) error {
	var err error
	for c := range s.caches() {
		err = errors.Join(err, c.finish(complete))
	}
	if complete && err == nil {
		s.prune()
	}
	return err
}

// prune throws away what was not used for longest, until the rest is not too much.
func (s *Scan) prune() {
	type old struct {
		name       string
		time, size int64
	}
	var olds []old
	sum := int64(0)
	for _, dir := range []string{nodesDir(s.cache), treesDir(s.cache)} {
		entries, _ := os.ReadDir(dir) //nolint:errcheck // what cannot be read is not thrown away
		for _, e := range entries {
			if i, err := e.Info(); err == nil && i.ModTime().Before(s.began) {
				olds = append(olds, old{filepath.Join(dir, e.Name()), i.ModTime().UnixNano(), i.Size()})
				sum += i.Size()
			}
		}
	}
	slices.SortFunc(olds, func(a, b old) int { return cmp.Compare(a.time, b.time) })
	for _, o := range olds {
		if sum <= cmp.Or(s.config.CacheLimit, DefaultCache) {
			return
		}
		if os.Remove(o.name) == nil {
			sum -= o.size
		}
	}
}
