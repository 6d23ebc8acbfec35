// Package stage is the getter's side of a share on disk: what has come is kept in one
// hidden folder beside the place where it belongs, survives every way in which a process
// or a machine may stop, and gets its final names when all of it is there. It implements
// [share.Store].
//
// # The folder
//
// It is named .tenon- and the share's ID in hexadecimal, belongs to the user alone (0700),
// and one process uses it at a time. It is no protocol: who finds a newer one fetches again.
//
//	stage      "tenon stage 1\n", the ID in hexadecimal, "\n"; this file is locked
//	manifest   the bytes of the manifest as far as they are known
//	journal    which groups are there; see below
//	nodes/N    the nodes of file N (its number in the manifest), as [tree.NodeFile]
//	tree/      files and directories under the names that they will have
//	older/N/   what was in tree before the share has changed, the latest with the largest N
//	was/N-M    the nodes of older versions of file N
//
// The journal is "tenon journal 1\n" and records: the length of what follows the checksum
// (4 bytes, big endian), a CRC-32C of all records up to and including this one (4 bytes), a
// letter, and numbers as uvarints:
//
//	M size                   so many bytes of the manifest are on disk
//	H head                   who vouches for how many of them, as [share.Head.Append] has it
//	R (gap, length)...       runs of groups that are there, counted through the share, each
//	                         by its distance from the end of the one before it
//	E (entry, time)...       files that were at the target already and are the same,
//	                         with their times of modification in nanoseconds
//	N entry, name            the entry, at the top, will have this name
//	K (gap, length)...       directories that are at the target already, by entry
//	W (gap, length)...       the entries that are wanted, by number; without it, all are
//	P                        everything is in tree, with modes and times: it is being put
//	                         in place
//	F                        everything is in its place, and nothing here is of use
//
// What a record says is on disk and synced before the record is written; a record that is
// not there in full, and what follows it, is cut off. So what was not journalled counts as
// not there, whatever is in the files.
package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// prefix is how the names of all stages begin.
const prefix = ".tenon-"

// Config says where a share is to go.
type Config struct {
	Target string // a directory that there is
	ID     share.ID

	// What is done if names are taken at the target by something else. Without these
	// it is an error that matches [ErrExists], before anything is fetched.
	Overwrite bool // files and links are replaced, when all is there
	Rename    bool // what is shared, at the top, gets another name

	// Plain has names at the top that could mislead made plain; see [neutral.FileName].
	Plain bool

	// Want, if not nil, tells which entries are wanted; the others are neither made nor
	// looked at. Directories on the way to what is wanted are made, too. It must always
	// say the same of an entry, and is called by one goroutine at a time.
	Want func(manifest.Entry) bool

	// SkipLinks leaves symbolic links out that lead out of the share; without it they
	// are an error that matches [ErrLink].
	SkipLinks bool
}

var (
	// ErrExists: something else has the name at the target.
	ErrExists = errors.New("it is there already, and is something else")
	// ErrKind is ErrExists where one is a folder and the other is not: that is not replaced.
	ErrKind = fmt.Errorf("%w: one is a folder, the other is not, and is not replaced by it", ErrExists)

	// ErrName: the target cannot have such a name.
	ErrName = errors.New("the target cannot have it")

	// ErrLink: a symbolic link leads out of the share.
	ErrLink = errors.New("it leads out of the share")

	// ErrDamaged: a stage is not what a Stage leaves, and nothing of it can be trusted.
	ErrDamaged = errors.New("the folder of an interrupted download is damaged")

	// ErrBusy: another process has the stage.
	ErrBusy = errors.New("another process is fetching the same share to the same place")

	// ErrSpace: there is not enough room on the disk.
	ErrSpace = errors.New("there is not enough room")

	// ErrIncomplete: not everything is there yet.
	ErrIncomplete = errors.New("not everything is there yet")
)

// A Stage is a share that is being put on disk, and serves what is there: out of the stage,
// and from Finish to Close out of the final places. Its methods may be called at the same
// time, but Learn by one goroutine, and Finish when nothing is written any more.
type Stage struct {
	Config

	dir     string // the stage's name
	target  folder
	home    folder // the stage
	tree    folder
	lock    *os.File
	resumed bool // it was there
	loaded  int  // entries of which it knew
	windows bool // names must do on Windows
	probed  probed
	files   files
	journal journal

	learning sync.Mutex // is held by Learn and Finish; guards what follows
	plan     plan
	copies   copies
	olds     []string // directories in which there may be older versions, the latest first

	syncing sync.Mutex // is held while a batch is synced; guards journal and what follows
	onDisk  int64      // bytes of the manifest that are synced
	noted   share.Head // that is journalled

	mu     sync.Mutex       // guards what follows
	index  manifest.Index   // all that is known
	older  map[int64]*older // files of which there are older versions, by their first groups
	news   []tree.Run       // of these, those that Older has not told of
	head   share.Head       // of it, or of a beginning
	choice choice           // is written to with learning held, too
	have   set              // groups that are in the stage
	inside []inside         // files that are at the target already, by number
	there  set              // their groups
	fresh  []tree.Run       // groups that are not journalled
	bytes  int64            // that were written since the last batch
	dirty  dirty            // what was written and not synced
	state  state
	broken error // a sync has failed: nothing is journalled any more

	renamed   map[int]string // entries at the top that will have another name
	planned   bool           // there is news of inside or renamed that is not journalled
	prepared  bool           // the next batch is the last: all is there, with modes and times
	finishing bool           // Finish is being called: files are opened when it has ended
	removing  bool           // there is nothing to close but what is left
	refused   bool           // it cannot be put here: Learn has said why
	written   int64          // bytes, all in all

	kicked chan struct{} // has room for one
	quit   chan struct{}
	stop   sync.Once
	kept   sync.WaitGroup
}

// state is how far a stage has come.
//
//	fetching -> placing -> placed -> over
//	    \----------\-----------------> over (Close)
type state int

const (
	fetching state = iota
	placing        // everything has its modes and times; names may be final already
	placed         // everything is in its place
	over
)

// An inside is a file at the target that is what the share has.
type inside struct {
	n     int
	mtime int64
}

// New opens the stage of a share, or makes one. What an earlier one has left is there, as
// Have and Index tell, whatever was wanted then. The caller calls Close, after Finish too.
//
// Errors match [ErrBusy], [ErrDamaged], [ErrExists], [ErrName], [ErrLink], [ErrSpace], or
// are those of the system.
func New(c Config) (*Stage, error) { return open(c, nil, onWindows) }

// onWindows tells whether names must do on Windows.
const onWindows = runtime.GOOS == "windows"

func open(c Config, hook func(step) (bool, error), windows bool) (_ *Stage, err error) {
	root, err := os.OpenRoot(c.Target)
	if err != nil {
		return nil, err
	}
	s := &Stage{Config: c, dir: prefix + c.ID.String(), windows: windows, target: folder{root, "", seam{hook}},
		kicked: make(chan struct{}, 1), quit: make(chan struct{})}
	s.files.s, s.journal.s = s, s
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if err = s.openFolder(); err == nil {
		err = s.load()
	}
	if err == nil && s.state == placing && s.choice.differs(s.index, s.Want) {
		err = s.Finish() // another part, before this one
	}
	if err == nil && s.state == placed {
		if err = s.discard(); err == nil {
			return open(c, hook, windows)
		}
	}
	if err != nil {
		return nil, err
	}
	s.kept.Add(1)
	go s.keep()
	return s, nil
}

// Index returns the manifest as far as it is known.
func (s *Stage) Index() manifest.Index {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index
}

// Keep implements [share.Keeper]. A head is about what Learn was told of; it is journalled
// when all of that is on disk.
func (s *Stage) Keep(h share.Head) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Size > s.index.Size() {
		return fmt.Errorf("%w: the head of a manifest is about more than is there", ErrDamaged)
	}
	s.head = h
	return nil
}

// Head returns the last head that was kept, by this process or an earlier one, and the bytes
// that it is about, for [share.Share.Restore]. Ok is false if there is none.
func (s *Stage) Head() (h share.Head, manifest io.Reader, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, io.NewSectionReader(s.index, 0, s.head.Size), s.head.Size > 0
}

// Have calls f for all runs of groups that are there and wanted, counted through the share.
func (s *Stage) Have(f func(tree.Run)) {
	s.mu.Lock()
	have, there, choice, index, state := s.have.clone(), s.there.clone(), s.choice.clone(), s.index, s.state
	s.mu.Unlock()
	if state == placing || state == placed {
		runs(index, 0, 0, choice.has, f)
		return
	}
	runs(index, 0, 0, choice.has, func(r tree.Run) {
		for _, all := range []set{have, there} {
			for part := range all.runs(r) {
				f(part)
			}
		}
	})
}

// Close makes sure that what is there is found again, and gives the stage to other
// processes. After Finish, and if it would not be missed, it removes the stage; if that fails,
// New does it for who fetches the same share to the same place.
func (s *Stage) Close() error {
	s.mu.Lock()
	was, removing, empty := s.state, s.removing, s.empty()
	s.state = over
	s.mu.Unlock()
	if was == over {
		return nil
	}
	s.halt()
	defer s.release()
	switch {
	case removing: // Discard has failed
		return nil
	case was == placed, empty:
		return s.discard()
	}
	return s.sync()
}

// empty tells whether there is nothing in the stage that would be missed: no group, nothing of what
// was hashed at the target, and no manifest but of what cannot be put here. Whoever calls it holds mu.
func (s *Stage) empty() bool {
	return s.state == fetching && (s.refused || s.index.Size() == 0) && s.written == 0 && len(s.inside) == 0 && len(s.olds) == 0 && s.have.none(tree.Run{To: maxNumber})
}

// halt waits until keep has ended.
func (s *Stage) halt() {
	s.stop.Do(func() { close(s.quit) })
	s.kept.Wait()
}

// release closes all files.
func (s *Stage) release() {
	s.files.close()
	s.journal.close()
	for _, d := range []folder{s.tree, s.home, s.target} {
		if d.Root != nil {
			d.Close() //nolint:errcheck // a directory
		}
	}
	if s.lock != nil {
		s.lock.Close() //nolint:errcheck // it was only locked
	}
}

// When a batch is synced and journalled.
const (
	batchBytes = 64 << 20
	batchTime  = 2 * time.Second
)

// keep syncs what was written, batch by batch.
func (s *Stage) keep() {
	defer s.kept.Done()
	tick := time.NewTicker(batchTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.kicked:
		case <-s.quit:
			return
		}
		s.sync() //nolint:errcheck // s.broken has it
	}
}
