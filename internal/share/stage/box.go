package stage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// boxName is the folder of a Box at its target.
const boxName = prefix + "drop"

// A Box takes single files that come from elsewhere, each by itself: they are written in
// one hidden folder beside their place, and renamed into it when they are whole. What is
// known of each is kept in notes. Its methods may be called at the same time, but for one
// file by one goroutine.
//
// Files and notes are called by IDs that the caller makes: letters and digits of ASCII, which
// no stranger chooses.
type Box struct {
	target    folder
	home      folder
	lock      *os.File
	overwrite bool
	windows   bool // names must do on Windows
}

var errBoxBusy = errors.New("another process takes files in the same place")

// OpenBox opens the box of a directory, or makes one. What an earlier process has left in it is
// there. With overwrite, a file that is placed replaces one of its name. Errors match [ErrBusy], [ErrDamaged],
// or are those of the system. The caller calls Close.
func OpenBox(target string, overwrite bool) (_ *Box, err error) {
	root, err := os.OpenRoot(target)
	if err != nil {
		return nil, err
	}
	b := &Box{target: folder{root, "", seam{}}, overwrite: overwrite, windows: onWindows}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if _, err := b.target.mkdir(boxName); err != nil {
		return nil, err
	}
	fi, err := b.target.Lstat(boxName)
	if err != nil {
		return nil, err
	}
	if !ownedAlone(fi) {
		return nil, fmt.Errorf("%s: %w: it is not this user's alone", boxName, ErrDamaged)
	}
	if b.home, err = b.target.sub(boxName); err != nil {
		return nil, err
	}
	if b.lock, err = b.home.openOrCreate("lock"); err != nil {
		return nil, err
	}
	if err := tryLock(b.lock); err != nil {
		if errors.Is(err, ErrBusy) {
			err = fmt.Errorf("%w: %w", errBoxBusy, ErrBusy)
		}
		return nil, fmt.Errorf("%s: %w", boxName, err)
	}
	// Whoever had it may have been about to remove it.
	locked, err := b.lock.Stat()
	if named, err2 := b.home.Lstat("lock"); err != nil || err2 != nil || !os.SameFile(locked, named) {
		return nil, fmt.Errorf("%s: %w: %w", boxName, errBoxBusy, ErrBusy)
	}
	return b, b.target.syncDir(".")
}

// Dir is the path of the folder in which files wait.
func (b *Box) Dir() string { return path.Join(b.target.Name(), boxName) }

// Judge tells why a file cannot have a name at the target; such an error matches [ErrName].
func (b *Box) Judge(name string) error {
	if rule := manifest.NameRule(name); rule != nil {
		return fmt.Errorf("%w: %w", ErrName, rule)
	}
	if strings.HasPrefix(strings.ToLower(name), prefix) {
		return fmt.Errorf("%w: such names are for downloads that go on", ErrName)
	}
	if !b.windows {
		return nil
	}
	if why := manifest.WindowsProblem(name); why != "" {
		return fmt.Errorf("%w: %s", ErrName, why)
	}
	return nil
}

// Room tells whether there is room for so many bytes more; such an error matches [ErrSpace].
func (b *Box) Room(n int64) error {
	dir, err := b.home.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // a directory
	if free, err := freeSpace(dir); err == nil && n > free {
		return fmt.Errorf("%w: it needs %d bytes, and %d are free", ErrSpace, n, free)
	}
	return nil // also where nobody can tell
}

const (
	partExt = ".part"
	noteExt = ".json"
)

// A Part is a file that is not whole yet.
type Part struct {
	*os.File
	in   folder
	name string
}

// Part opens a file, of which the first size bytes are kept. It is made if it is not there and size is 0.
func (b *Box) Part(id string, size int64) (*Part, error) {
	f, err := b.home.open(id+partExt, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) && size == 0 {
		// What the umask leaves: it gets its final name by a rename.
		f, err = b.home.create(id+partExt, 0o666)
	}
	if err != nil {
		return nil, err
	}
	p := &Part{f, b.home, id + partExt}
	fi, err := f.Stat()
	if err == nil && fi.Size() < size {
		err = fmt.Errorf("%q: %w: it is shorter than it was", p.name, ErrDamaged)
	}
	if err == nil && fi.Size() > size {
		err = p.Truncate(size)
	}
	if err != nil {
		f.Close() //nolint:errcheck // it is of no use
		return nil, err
	}
	return p, nil
}

// Sync makes what was written last.
func (p *Part) Sync() error { return p.in.sync(p.File, p.name) }

// Has tells whether a file is there that is not whole.
func (b *Box) Has(id string) bool {
	_, err := b.home.Lstat(id + partExt)
	return err == nil
}

// Note keeps what is known of a file in place of what was. When it returns, that lasts.
func (b *Box) Note(id string, text []byte) error {
	const fresh = "note.new"
	name := id + "-" + fresh
	if err := b.home.RemoveAll(name); err != nil { // of an earlier process
		return bare(err)
	}
	f, err := b.home.create(name, private)
	if err != nil {
		return err
	}
	err = b.home.write(f, name, text, 0)
	if err == nil {
		err = b.home.sync(f, name)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = b.home.rename(name, id+noteExt)
	}
	return err
}

// maxNote is how long a note may be.
const maxNote = 64 << 10

// Notes calls f for each note, and removes files of which there is none.
func (b *Box) Notes(f func(id string, text []byte)) error {
	d, err := b.home.Open(".")
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close() //nolint:errcheck // a directory
	if err != nil {
		return err
	}
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, partExt); ok {
			if _, err := b.home.Lstat(id + noteExt); errors.Is(err, fs.ErrNotExist) {
				b.home.RemoveAll(name) //nolint:errcheck // it takes room, and does no other harm
			}
			continue
		}
		id, ok := strings.CutSuffix(name, noteExt)
		if !ok {
			continue
		}
		file, err := b.home.open(name, os.O_RDONLY)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(file, maxNote))
		file.Close() //nolint:errcheck // it was only read
		if err != nil {
			return fmt.Errorf("%q: %w", name, bare(err))
		}
		f(id, text)
	}
	return nil
}

// Place gives a file that is whole and synced its final name, or one like it that nothing has,
// and returns that. A time that is not zero is when the file was changed last.
func (b *Box) Place(id, name string, when time.Time) (as string, err error) {
	if !when.IsZero() {
		if err := b.home.chtimes(id+partExt, when); err != nil {
			return "", err
		}
	}
	from, err := b.home.Open(".")
	if err != nil {
		return "", err
	}
	defer from.Close() //nolint:errcheck // a directory
	to, err := b.target.Open(".")
	if err != nil {
		return "", err
	}
	defer to.Close() //nolint:errcheck // a directory
	for as = name; ; as = b.target.free(name) {
		st := step{op: "rename", path: path.Join(boxName, id+partExt), to: as}
		err := b.target.seam.do(st, func() error { return b.rename(from, to, st) })
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = b.target.syncDir(".")
		}
		return as, err
	}
}

func (b *Box) rename(from, to *os.File, st step) error {
	there, err := b.target.Lstat(st.to)
	if err == nil && b.overwrite && !there.IsDir() {
		return b.target.Rename(st.path, st.to)
	}
	err = renameNew(from, path.Base(st.path), to, st.to)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if there != nil {
		return fs.ErrExist
	}
	return b.target.Rename(st.path, st.to)
}

// Remove removes a file that is not whole, and the note of it.
func (b *Box) Remove(id string) error {
	var all []error
	for _, name := range []string{id + partExt, id + noteExt} { // in this order: a file without a note is nobody's
		if err := b.home.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// Close leaves what is in the box to a later process.
func (b *Box) Close() error {
	b.release()
	return nil
}

// Discard removes the box with all that is in it.
func (b *Box) Discard() error {
	defer b.release()
	d, err := b.home.Open(".")
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close() //nolint:errcheck // a directory
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "lock" {
			err = errors.Join(err, b.home.removeAll(name))
		}
	}
	if err != nil {
		return err
	}
	b.home.Close() //nolint:errcheck // Windows removes nothing that is open
	b.lock.Close() //nolint:errcheck // it was only locked
	return errors.Join(b.target.remove(path.Join(boxName, "lock")), b.target.remove(boxName))
}

func (b *Box) release() {
	if b.lock != nil {
		b.lock.Close() //nolint:errcheck // it was only locked
	}
	if b.home.Root != nil {
		b.home.Close() //nolint:errcheck // a directory
	}
	b.target.Close() //nolint:errcheck // a directory
}
