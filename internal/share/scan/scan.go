// Package scan is the sharer's side on disk: files are shared where they are, without a
// copy. A [Scan] walks what is shared in the order of the manifest, hashes it, hands on the
// manifest as it grows, and serves the files.
//
// # What is promised of files that change
//
// What is sent is what was hashed, or nothing. A file is opened without following links and
// without waiting for anybody; one that is gone, has another size or has become something
// else is refused with [tree.ErrChanged]. Every other one is hashed again as it is sent,
// group by group, unless its device, inode, size and times are still those of when it was
// hashed, it had not been changed for two seconds then, and it is on a disk of this machine.
// Such a file is trusted; it is looked at again after every read. That leaves out who writes through a mapping (mmap) that
// was written to before the file was hashed and not synced since, as that changes no time, and
// who turns the clock back: the getter finds the wrong group out, and gets it from nobody.
// [Config].Check has everything hashed again.
//
// # What is kept
//
// The cache has the hashes of files that have not changed since, so that a tree that is
// shared again is not read again, and the nodes of the trees of all files of more than a
// group. It may be deleted at any time, and damaged in any way: files are then hashed again.
package scan

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/share/glob"
)

// Config says what is shared, and how.
type Config struct {
	Paths []string // each becomes an entry at the top, by the last of its names
	Names []string // what each of Paths is called instead; nil: nothing is
	Cache string   // a directory of this user's; "" is one that Close removes

	Exclude   glob.List // what is left out, with all that is in it; paths as they are in the share
	Only      glob.List // if there are any, only that, with all that is in it
	GitIgnore bool      // what .gitignore files say is left out, and .git

	Check      bool  // no file is trusted: all that is sent is hashed again
	MaxEntries int   // 0 means [manifest.MaxEntries]
	CacheLimit int64 // bytes that the cache may have beyond what is used; 0 means DefaultCache

	// Add is given the next bytes of the manifest, which end behind an entry, and with
	// final the last ones. They are its own until it returns. All files in them can be
	// opened. It is called by Run, at most every 50 ms.
	Add func(p []byte, final bool) error

	// Note, if not nil, is told by Run what was left out or may surprise.
	Note func(Note)

	now    func() time.Time // of tests; nil means time.Now
	inline int64            // of tests; 0 means inlineGroups
}

// A Note is something that a person should know of what is shared.
type Note struct {
	Path string // in the share, as it is on disk
	Text string
	Left bool // it is not in the share
}

// DefaultCache is how many bytes the cache may have beyond what is used.
const DefaultCache = 256 << 20

// Files whose times are younger when they are hashed are not trusted: they may be written
// to again without a change of time, as the clocks of file systems tick slowly.
const racy = 2 * time.Second

// every is how often bytes of the manifest are handed on at most.
const every = 50 * time.Millisecond

// A Scan is what is shared. Its methods may be called at the same time, but Run once only.
type Scan struct {
	config  Config
	tops    []*top // in order of their names
	cache   string
	own     stat // of that directory
	private bool // the cache is this Scan's own
	seed    maphash.Seed
	workers int
	inline  int64 // groups of files whose nodes are in the records
	pool    pool
	count   counters
	disks   sync.Map  // device numbers to whether they are local
	began   time.Time // what is older was not used by Run

	mu     sync.RWMutex // guards what follows
	prints prints       // of every entry
}

// New opens what is shared, which must be there.
func New(c Config) (*Scan, error) {
	if c.now == nil {
		c.now = time.Now
	}
	s := &Scan{config: c, cache: c.Cache, seed: maphash.MakeSeed(), workers: min(runtime.GOMAXPROCS(0), 8), inline: cmp.Or(c.inline, inlineGroups)}
	var err error
	if s.cache == "" {
		s.private = true
		if s.cache, err = os.MkdirTemp("", "tenon-share-"); err != nil {
			return nil, err
		}
	}
	if err = makeCache(s.cache); err == nil {
		s.own, err = statOf(s.cache)
	}
	if err == nil {
		err = s.openTops()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Run walks and hashes everything, until the end or until ctx ends. What it has hashed by
// then is in the cache. Files that cannot be shared are noted and left out; its errors are
// those of Add, of the cache, and of a share that is too large.
func (s *Scan) Run(ctx context.Context) error {
	s.began = time.Now().Add(-time.Minute) // the clocks of file systems may be behind
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := walker{scan: s, ctx: ctx, items: make(chan *item, 64), work: make(chan *item)}
	var all sync.WaitGroup
	all.Go(w.run)
	for range s.workers {
		all.Go(w.hashes)
	}
	err := s.collect(ctx, stop, w.items)
	all.Wait()
	return errors.Join(err, s.keepCaches(err == nil))
}

// Close lets go of all files when Run has returned. Those that are open as Blobs stay so
// until they are closed.
func (s *Scan) Close() error {
	s.pool.close()
	for _, t := range s.tops {
		t.folder.close()
	}
	var err error
	for c := range s.caches() {
		err = errors.Join(err, c.close())
	}
	if s.private {
		err = errors.Join(err, os.RemoveAll(s.cache))
	}
	return err
}
