package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// A record is a file that a tap writes, or standard error. What is in the file stays
// there until the ends of the first joint are open and neither of them is that file,
// which would be emptied before it is read, or grow for ever.
type record struct {
	flag   string   // by which the user asked for it
	file   *os.File // nil for standard error
	w      io.Writer
	failed func(error) // if not nil, told of the first error

	mu      sync.Mutex // guards what stands below
	held    []byte     // what was written too early
	waiting bool       // for the first joint
	err     error      // the first
}

// errOfAnEnd is the mistake of recording what passes in a file that it passes from or to.
var errOfAnEnd = errors.New("this is the file of an end, and is left as it is")

// record returns a writer of the file, or of w if there is no path.
func (t *taps) record(flag, path string, w io.Writer) (*record, error) {
	r := &record{flag: flag, w: w}
	if path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		r.file, r.w, r.waiting = f, f, transport.RegularFile(f) != nil
		for _, other := range t.records {
			if other.shares(f) {
				f.Close()
				return nil, usageError(other.flag+" and "+flag+" write to the same file", "each needs one of its own")
			}
		}
	}
	t.records = append(t.records, r)
	return r, nil
}

// shares tells whether f is the same file, in which each would write over the other.
func (r *record) shares(f *os.File) bool {
	if r.file == nil {
		return false
	}
	a, errA := r.file.Stat()
	b, errB := f.Stat()
	return errA == nil && errB == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// Write writes p, and tells of the first error. Nothing is written after that.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	waiting, err := r.waiting, r.err
	if waiting {
		r.held = append(r.held, p...)
	}
	r.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if waiting {
		return len(p), nil
	}
	n, err := r.w.Write(p)
	r.fail(err)
	return n, r.Err()
}

// fail keeps err, if it is the first, and tells of it.
func (r *record) fail(err error) {
	if err != nil && r.keep(err) && r.failed != nil {
		r.failed(r.Err())
	}
}

// begin empties the file for the first joint, and refuses it if it is that of one of
// its ends, whatever names it has.
func (r *record) begin(ends ...transport.Conn) { r.fail(r.replace(ends)) }

func (r *record) replace(ends []transport.Conn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.waiting {
		return nil
	}
	r.waiting = false
	mine := transport.RegularFile(r.file)
	for _, c := range ends {
		for _, theirs := range []os.FileInfo{c.Info().Reads, c.Info().Writes} {
			if mine != nil && theirs != nil && os.SameFile(mine, theirs) {
				return errOfAnEnd
			}
		}
	}
	if err := r.file.Truncate(0); err != nil {
		return err
	}
	_, err := r.w.Write(r.held)
	return err
}

// keep keeps the first error.
func (r *record) keep(err error) (first bool) {
	if at := (*os.PathError)(nil); errors.As(err, &at) {
		err = at.Err // flag has the path
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return false
	}
	r.err = fmt.Errorf("%s: %w", r.flag, err)
	return true
}

// Err returns the first error, or nil.
func (r *record) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// close closes the file. A file on another machine may say only now that it is full.
// Without a joint, a file that was empty has its beginning, and another one what it had.
func (r *record) close() {
	if r.file == nil {
		return
	}
	if now := transport.RegularFile(r.file); now != nil && now.Size() == 0 {
		r.begin()
	}
	if err := r.file.Close(); err != nil {
		r.keep(err)
	}
}
