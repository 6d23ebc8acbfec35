//go:build unix

package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tenon-net/tenon/transport"
)

// errUnfinished is what Close returns for a file whose end was never written.
var errUnfinished = errors.New("the data did not come to its end, and the file was not made")

// A whole is the output half of a file that appears when it is complete.
type whole struct {
	*os.File
	path  string      // the file that it will be
	lacks atomic.Bool // a write has failed: bytes are missing
	mu    sync.Mutex
	state wholeState // guarded by mu
}

// wholeState: writing --CloseWrite--> made
//
//	\--Close, Abort--> removed
type wholeState int

const (
	writing wholeState = iota
	made
	removed
)

// openAtomic opens a file beside e.Path. A symbolic link is followed, and what it
// points at replaced.
func (e *File) openAtomic() (transport.Conn, error) {
	path := e.Path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	perm := e.Mode.perm(0)
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, transport.Mark(errors.New("atomic is for regular files"), transport.ErrUsage)
	case err == nil && perm == 0:
		perm = info.Mode().Perm()
	}
	dir, name := filepath.Split(path)
	at := perm
	if at == 0 {
		at = defaultPerm
	}
	f, err := os.OpenFile(fmt.Sprintf("%s.%s.%s", dir, name, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, at)
	if err != nil {
		return nil, e.hint(bare(err))
	}
	if perm != 0 {
		if err := f.Chmod(perm); err != nil {
			return nil, errors.Join(bare(err), f.Close(), os.Remove(f.Name()))
		}
	}
	s := newStream("file", e.Path, nil, &whole{File: f, path: path})
	s.noDeadlines = true
	return &wholeStream{s}, nil
}

func (w *whole) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	if err != nil {
		w.lacks.Store(true)
	}
	return n, err
}

// CloseWrite gives the file its name, once the disk has all of it.
func (w *whole) CloseWrite() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.state != writing:
		return fs.ErrClosed
	case w.lacks.Load():
		return errUnfinished
	}
	err := w.Sync()
	err = errors.Join(err, w.File.Close())
	if err == nil {
		err = os.Rename(w.Name(), w.path)
	}
	if err != nil {
		w.state = removed
		return errors.Join(err, os.Remove(w.Name()))
	}
	w.state = made
	dir, err := os.Open(filepath.Dir(w.path))
	if err != nil {
		return nil // made, and safe as soon as the system writes the directory
	}
	defer dir.Close()
	_ = dir.Sync() // not every file system can
	return nil
}

// Close removes the file if it is not complete.
func (w *whole) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != writing {
		return nil
	}
	w.state = removed
	return errors.Join(errUnfinished, w.File.Close(), os.Remove(w.Name()))
}

// A wholeStream can be aborted: then the file is not made.
type wholeStream struct{ *stream }

var (
	_ transport.Stream  = (*wholeStream)(nil)
	_ transport.Aborter = (*wholeStream)(nil)
)

// Abort removes what has been written.
func (s *wholeStream) Abort(error) error {
	if err := s.Close(); !errors.Is(err, errUnfinished) {
		return err
	}
	return nil
}
