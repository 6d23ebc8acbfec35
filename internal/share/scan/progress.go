package scan

import (
	"strings"
	"sync/atomic"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// Progress is how far a Scan has come.
type Progress struct {
	Entries, Files int    // in the manifest
	Bytes          int64  // of these files
	Hashed         int    // files that were hashed: the others are as they were last time
	HashedBytes    int64  // that were read for it, also of files that are not yet done
	Left           int    // notes of what was left out
	Windows        int    // names that Windows cannot have
	Path           string // what came last, or is waited for
}

// counters are what Progress is made of.
type counters struct {
	entries, files, size atomic.Int64
	hashes, bytes        atomic.Int64
	left, windows        atomic.Int64
	path                 atomic.Pointer[string]
}

func (c *counters) added(it *item) {
	c.entries.Add(1)
	if it.entry.Kind == manifest.File {
		c.files.Add(1)
	}
	c.size.Add(it.entry.Size)
	c.path.Store(&it.entry.Path)
}

// Progress tells how far Run has come.
func (s *Scan) Progress() Progress {
	c := &s.count
	p := Progress{
		Entries: int(c.entries.Load()), Files: int(c.files.Load()), Bytes: c.size.Load(),
		Hashed: int(c.hashes.Load()), HashedBytes: c.bytes.Load(),
		Left: int(c.left.Load()), Windows: int(c.windows.Load()),
	}
	if path := c.path.Load(); path != nil {
		p.Path = *path
	}
	return p
}

func lastSlash(path string) int { return strings.LastIndexByte(path, '/') }
