// Package flow hands the bytes of one file of a share to a writer: in order, as soon as they
// are verified, and with no more of them in memory than a window. It is for who wants the
// file in a pipe and not on a disk. What was written is gone, so nothing is served to others,
// and who is interrupted begins anew; package stage is for all other cases.
//
// A [Flow] is the Store of a Share that is Passing:
//
//	f := flow.New(flow.Config{To: os.Stdout})
//	s := share.New(share.Config{Store: f, Passing: true, ...})
//	err := f.Run(ctx, s) // while others have s take part
package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// DefaultWindow is how many bytes are in memory at most, unless a Config says otherwise.
const DefaultWindow = 16 << 20

var (
	// ErrNone: the share has no file that is wanted.
	ErrNone = errors.New("there is no such file in the share")

	// ErrSeveral: it has several, and one stream cannot have them all.
	ErrSeveral = errors.New("there are several such files in the share")
)

// Config says what goes where.
type Config struct {
	To     io.Writer
	Want   func(manifest.Entry) bool // which file; nil: the only one that there is
	Window int64                     // bytes; 0 means DefaultWindow
}

// A Flow is a file on its way. Its methods may be called at the same time.
type Flow struct {
	config Config
	window int64 // groups

	mu     sync.Mutex // guards what follows
	file   *manifest.Entry
	number int   // of the file
	first  int64 // its first group, as they are counted through the share
	asked  int   // entries that were looked at
	groups int64 // of all of them
	whole  bool  // all entries are known
	next   int64 // the group of the file that is written next
	came   map[int64][]byte
	spare  [][]byte
	made   int // buffers

	news chan struct{} // has room for one
}

var (
	_ share.Store   = (*Flow)(nil)
	_ share.Learner = (*Flow)(nil)
)

// New returns a Flow of which nothing has come.
func New(c Config) *Flow {
	return &Flow{config: c, window: max(1, cmp.Or(c.Window, DefaultWindow)/tree.Group), came: map[int64][]byte{}, news: make(chan struct{}, 1)}
}

// File returns the file, when it is known that there is one and no other.
func (f *Flow) File() (e manifest.Entry, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole || f.file == nil {
		return e, false
	}
	return *f.file, true
}

// Learn implements [share.Learner]. Errors match [ErrSeveral], or [ErrNone] when the manifest
// is complete.
func (f *Flow) Learn(x manifest.Index, _, skip func(tree.Run)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, e := range x.From(f.asked) {
		run := tree.Run{From: f.groups, To: f.groups + tree.Shape(e.Size).Groups()}
		f.asked, f.groups = n+1, run.To
		switch {
		case e.Kind != manifest.File || f.config.Want != nil && !f.config.Want(e):
			if run.Len() > 0 {
				skip(run)
			}
		case f.file != nil:
			return fmt.Errorf("%w: %s and %s", ErrSeveral, neutral.Line(f.file.Path), neutral.Line(e.Path))
		default:
			f.file, f.number, f.first = &e, n, run.From
		}
	}
	if f.whole = x.Done(); f.whole && f.file == nil {
		return ErrNone
	}
	f.tell()
	return nil
}

// tell has Run look again.
func (f *Flow) tell() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// Run writes the file, and ends when all of it is written, or with the error of the writer,
// of the share, or of ctx. It closes nothing. Nothing is written before it is known that the
// share has no other file that is wanted.
func (f *Flow) Run(ctx context.Context, s *share.Share) error {
	over := s.Over()
	told := int64(0)
	for {
		if until := f.room(); until > told {
			told = until
			s.Until(until)
		}
		done, p := f.ready()
		switch {
		case done:
			return nil
		case p != nil:
			if _, err := f.config.To.Write(p); err != nil {
				return err
			}
			f.wrote(p)
			continue
		}
		select {
		case <-f.news:
		case <-over:
			if err := s.Err(); err != nil {
				return err
			}
			over = nil // what has come is still to be written
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ready returns the group that is to be written next, if it is there.
func (f *Flow) ready() (done bool, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole || f.file == nil {
		return false, nil
	}
	return f.next == tree.Shape(f.file.Size).Groups(), f.came[f.next]
}

// wrote notes that a group was written.
func (f *Flow) wrote(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.came, f.next)
	f.spare = append(f.spare, p)
	f.next++
}

// room returns up to which group there is room, 0 while it is not known for what. It grows
// in steps, so that several groups are asked for at once.
func (f *Flow) room() (until int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole || f.file == nil {
		return 0
	}
	step := max(1, f.window/8)
	return f.first + min(f.next/step*step+f.window, tree.Shape(f.file.Size).Groups())
}

// Open implements [share.Store].
func (f *Flow) Open(n int, e manifest.Entry) (share.Blob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil || n != f.number {
		return nil, fmt.Errorf("%s: %w", neutral.Line(e.Path), ErrNone)
	}
	return blob{f}, nil
}

// Got implements [share.Store].
func (f *Flow) Got(tree.Run) {}

// A blob is the file, to be written to.
type blob struct{ f *Flow }

// WriteAt takes a group, which may have come before.
func (b blob) WriteAt(p []byte, off int64) (int, error) {
	f := b.f
	f.mu.Lock()
	defer f.mu.Unlock()
	g := off / tree.Group
	if g >= f.next+f.window || off%tree.Group != 0 || len(p) > tree.Group {
		return 0, fmt.Errorf("group %d: %w: there is no room for it", g, tree.ErrRun)
	}
	if _, there := f.came[g]; there || g < f.next {
		return len(p), nil
	}
	f.came[g] = append(f.buffer(), p...)
	if g == f.next {
		f.tell()
	}
	return len(p), nil
}

// buffer returns one that is free.
func (f *Flow) buffer() []byte {
	if n := len(f.spare); n > 0 {
		p := f.spare[n-1]
		f.spare = f.spare[:n-1]
		return p[:0]
	}
	f.made++
	return make([]byte, 0, tree.Group)
}

// ReadAt: what was written is gone.
func (b blob) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

func (b blob) Close() error      { return nil }
func (b blob) Nodes() tree.Nodes { return nil }
func (b blob) Trusted() bool     { return false }
