package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// A step is something that changes the disk, or makes it last.
type step struct {
	op   string
	path string // in the target
	off  int64  // of a write
	n    int    // bytes of it
	to   string // of a rename
}

// A seam is where tests see every step before it is made. They can have it fail, or be left
// out as if it had been made.
type seam struct {
	hook func(step) (skip bool, err error)
}

// do makes a step. The error names the file as the share does, made harmless.
func (s seam) do(st step, f func() error) error {
	var skip bool
	var err error
	if s.hook != nil {
		skip, err = s.hook(st)
	}
	if !skip && err == nil {
		err = f()
	}
	if err != nil {
		return &stepError{shown(st.path), st.op, bare(err)}
	}
	return nil
}

// A stepError says which step has failed.
type stepError struct {
	name string
	op   string
	err  error
}

func (e *stepError) Error() string { return fmt.Sprintf("%q: %s: %v", e.name, e.op, e.err) }

func (e *stepError) Unwrap() error { return e.err }

// shown is what a path in the target is called in a message.
func shown(p string) string {
	if strings.HasPrefix(p, prefix) {
		if _, in, ok := strings.Cut(p, "/tree/"); ok {
			return in
		}
	}
	return p
}

// bare takes the path away that an error of package os has: names come from strangers.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// A folder is a directory out of which nothing leads, and the steps that are made in it.
type folder struct {
	*os.Root
	at   string // its path in the target
	seam seam
}

func (d folder) step(op, name string) step { return step{op: op, path: path.Join(d.at, name)} }

// private is the mode of files that are of use to nobody else.
const private = 0o600

// create makes a file. It is an error if the name is taken, by whatever.
func (d folder) create(name string, mode fs.FileMode) (f *os.File, err error) {
	err = d.seam.do(d.step("create", name), func() (err error) {
		f, err = d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|noFollow, mode)
		return err
	})
	return f, err
}

// open opens a file that is there and is neither a link nor anything else. It does not wait
// for the other end of a pipe.
func (d folder) open(name string, flag int) (*os.File, error) {
	f, err := d.OpenFile(name, flag|noFollow, 0)
	if err != nil {
		return nil, fmt.Errorf("%q: open: %w", shown(path.Join(d.at, name)), bare(err))
	}
	named, err := d.Lstat(name)
	opened, err2 := f.Stat()
	if err = errors.Join(err, err2); err == nil && (!opened.Mode().IsRegular() || !os.SameFile(named, opened)) {
		err = fmt.Errorf("%q: %w: it is no file", shown(path.Join(d.at, name)), ErrDamaged)
	}
	if err != nil {
		f.Close() //nolint:errcheck // it is of no use
		return nil, err
	}
	return f, nil
}

// openOrCreate opens a file, which is new if there is none.
func (d folder) openOrCreate(name string) (*os.File, error) {
	f, err := d.open(name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return d.create(name, private)
	}
	return f, err
}

// sub opens a directory that is not a link.
func (d folder) sub(name string) (folder, error) {
	named, err := d.Lstat(name)
	if err == nil && !named.IsDir() {
		err = fmt.Errorf("%w: it is no directory", ErrDamaged)
	}
	var r *os.Root
	if err == nil {
		r, err = d.OpenRoot(name)
	}
	if err == nil {
		var opened fs.FileInfo
		if opened, err = r.Stat("."); err == nil && !os.SameFile(named, opened) {
			err = fmt.Errorf("%w: it has changed meanwhile", ErrDamaged)
		}
		if err != nil {
			r.Close() //nolint:errcheck // a directory
		}
	}
	if err != nil {
		return folder{}, fmt.Errorf("%q: %w", shown(path.Join(d.at, name)), bare(err))
	}
	return folder{r, path.Join(d.at, name), d.seam}, nil
}

// mkdir makes a directory for this user alone, unless it is there.
func (d folder) mkdir(name string) (made bool, err error) {
	err = d.seam.do(d.step("mkdir", name), func() error {
		err := d.Mkdir(name, 0o700)
		made = err == nil
		if errors.Is(err, fs.ErrExist) {
			if fi, err := d.Lstat(name); err != nil || !fi.IsDir() {
				return fmt.Errorf("%w: another name is the same here", ErrName)
			}
			return nil
		}
		return err
	})
	return made, err
}

func (d folder) remove(name string) error {
	return d.seam.do(d.step("remove", name), func() error { return d.Remove(name) })
}

func (d folder) removeAll(name string) error {
	return d.seam.do(d.step("remove", name), func() error { return d.RemoveAll(name) })
}

func (d folder) symlink(target, name string) error {
	return d.seam.do(d.step("symlink", name), func() error { return d.Symlink(target, name) })
}

func (d folder) chmod(name string, mode fs.FileMode) error {
	return d.seam.do(d.step("chmod", name), func() error { return d.Chmod(name, mode) })
}

func (d folder) chtimes(name string, t time.Time) error {
	return d.seam.do(d.step("chtimes", name), func() error { return d.Chtimes(name, t, t) })
}

func (d folder) write(f *os.File, name string, p []byte, off int64) error {
	st := d.step("write", name)
	st.off, st.n = off, len(p)
	return d.seam.do(st, func() error {
		_, err := f.WriteAt(p, off)
		return err
	})
}

func (d folder) truncate(f *os.File, name string, size int64) error {
	return d.seam.do(d.step("truncate", name), func() error { return f.Truncate(size) })
}

// sync makes what was written to a file last.
func (d folder) sync(f *os.File, name string) error {
	return d.seam.do(d.step("sync", name), func() error { return dataSync(f) })
}

// syncDir makes the names in a directory last.
func (d folder) syncDir(name string) error {
	return d.seam.do(d.step("syncdir", name), func() error {
		f, err := d.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(dirSync(f), f.Close())
	})
}

// syncAll makes everything on the file system last that the folder is on.
func (d folder) syncAll() error {
	return d.seam.do(d.step("syncall", "."), func() error {
		f, err := d.Open(".")
		if err != nil {
			return err
		}
		return errors.Join(fsSync(f), f.Close())
	})
}

// rename gives a file of the folder another name, in the place of what has it.
func (d folder) rename(from, to string) error {
	st := d.step("rename", from)
	st.to = path.Join(d.at, to)
	return d.seam.do(st, func() error { return d.Rename(from, to) })
}

// free returns a name like this one that nothing in the folder has.
func (d folder) free(name string) string {
	ext := path.Ext(name)
	base := strings.TrimSuffix(name, ext)
	if base == "" {
		base, ext = name, ""
	}
	for i := 2; ; i++ {
		name := fmt.Sprintf("%s (%d)%s", base, i, ext)
		if _, err := d.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}
