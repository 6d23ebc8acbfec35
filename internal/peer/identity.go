package peer

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Files of an identity's directory.
const (
	keyFile      = "identity.key"      // PKCS #8 in PEM
	nextFile     = "identity.key.next" // the key that a rotation is about to put in place
	rotationFile = "identity.rotations"
	lockFile     = "identity.lock" // the process that has the identity
	personFile   = "person.key"    // PKCS #8 in PEM
	maxFile      = 1 << 20         // bytes; who has changed the files may have made them huge
)

// A LockedError says that another process has the identity.
type LockedError struct {
	Dir string
	PID int // 0 if it cannot be read
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("the identity in %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("the identity in %s is in use by process %d", e.Dir, e.PID)
}

// Is makes it match [transport.ErrDenied].
func (e *LockedError) Is(target error) bool { return target == transport.ErrDenied }

// An Identity is a key in a directory, which one process has at a time: from
// OpenIdentity to Close, or until the Identity is dropped or the process ends.
type Identity struct {
	dir       string
	lock      *os.File
	key       *Key
	rotations []Rotation // by which earlier keys named this one, oldest first
}

// OpenIdentity takes the identity in dir, which nobody but this user may look into,
// and makes directory and key if there are none. While another process has it, the
// error is a [LockedError]; if others could read it, one that matches
// [transport.ErrDenied].
func OpenIdentity(dir string) (*Identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if fi, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !fi.IsDir() || !ownedAlone(fi) {
		return nil, tooOpen(dir, "700")
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	i := &Identity{dir: dir, lock: lock}
	if err := i.load(); err != nil {
		i.Close() //nolint:errcheck // load has failed first
		return nil, err
	}
	return i, nil
}

// tooOpen is the error for what others could read or change.
func tooOpen(path, mode string) error {
	return transport.WithHint(
		transport.Mark(fmt.Errorf("%s is not this user's alone", path), transport.ErrDenied),
		fmt.Sprintf("if nobody else has used it: chmod %s %s", mode, path))
}

// lockDir locks the directory and writes down who has it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		defer f.Close() //nolint:errcheck // nothing was written
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		b := make([]byte, 20)
		n, _ := f.ReadAt(b, 0) //nolint:errcheck // it may be empty yet
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
		return nil, &LockedError{dir, pid}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	}
	if err != nil {
		f.Close() //nolint:errcheck // it is about the write
		return nil, err
	}
	return f, nil
}

// load reads the key and what earlier keys have said, or makes a key.
func (i *Identity) load() error {
	b, err := i.read(rotationFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i.rotations, err = parseRotations(b); err != nil {
		return fmt.Errorf("%s: %w", i.path(rotationFile), err)
	}
	i.key, err = i.readKey(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		private := newPrivate()
		i.key = keyFrom(private)
		return i.writeKey(keyFile, private)
	}
	if err != nil {
		return err
	}
	if err := i.finishRotation(); err != nil {
		return err
	}
	if n := len(i.rotations); n > 0 && i.rotations[n-1].New != i.key.id {
		return fmt.Errorf("%s is about another key than %s", i.path(rotationFile), i.path(keyFile))
	}
	return nil
}

// finishRotation does what a rotation had still to do when it was interrupted: once
// the old key has named its successor, that is the key.
func (i *Identity) finishRotation() error {
	next, err := i.readKey(nextFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if n := len(i.rotations); err == nil && n > 0 && i.rotations[n-1].Old == i.key.id && i.rotations[n-1].New == next.id {
		i.key = next
		return i.rename(nextFile, keyFile)
	}
	return os.Remove(i.path(nextFile))
}

// Rotate replaces the key by a new one, which the old one names in the statement
// that is returned.
func (i *Identity) Rotate(now time.Time) (Rotation, error) {
	private := newPrivate()
	next := keyFrom(private)
	n, seq := len(i.rotations), uint64(1)
	if n > 0 {
		seq = i.rotations[n-1].Seq + 1
	}
	if seq > MaxRotations {
		return Rotation{}, fmt.Errorf("an identity has %d keys at most, one after another", MaxRotations+1)
	}
	r := NewRotation(i.key, next, seq, now)
	all := append(i.rotations[:n:n], r)
	if err := i.writeKey(nextFile, private); err != nil {
		return Rotation{}, err
	}
	if err := i.write(rotationFile, MarshalRotations(all)); err != nil {
		return Rotation{}, err
	}
	i.key, i.rotations = next, all // as of now, whatever happens to the file: see finishRotation
	return r, i.rename(nextFile, keyFile)
}

// Key returns the key.
func (i *Identity) Key() *Key { return i.key }

// ID returns whose identity it is.
func (i *Identity) ID() ID { return i.key.id }

// Person returns the key that says who the user is to people, and makes it if there is none. It is
// not the peer's, and stays when that is replaced: a person may have several devices.
func (i *Identity) Person() (*Key, error) {
	key, err := i.readKey(personFile)
	if errors.Is(err, fs.ErrNotExist) {
		private := newPrivate()
		key, err = keyFrom(private), i.writeKey(personFile, private)
	}
	return key, err
}

// Rotations returns the statements by which earlier keys named this one.
func (i *Identity) Rotations() []Rotation { return append([]Rotation(nil), i.rotations...) }

// Close lets another process have the identity. The key still signs, for what is
// going on.
func (i *Identity) Close() error { return i.lock.Close() }

func (i *Identity) path(name string) string { return filepath.Join(i.dir, name) }

// read reads a file that must be this user's alone.
func (i *Identity) read(name string) ([]byte, error) {
	f, err := os.OpenFile(i.path(name), os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || !ownedAlone(fi) {
		return nil, tooOpen(i.path(name), "600")
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// write replaces a file as a whole: after a crash it is the old one or the new one.
func (i *Identity) write(name string, b []byte) (err error) {
	temp := i.path(name + ".tmp")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(temp) //nolint:errcheck // it is about the write
		return err
	}
	return i.rename(name+".tmp", name)
}

func (i *Identity) rename(from, to string) error {
	if err := os.Rename(i.path(from), i.path(to)); err != nil {
		return err
	}
	return syncDir(i.dir)
}

func newPrivate() ed25519.PrivateKey {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // the system's random numbers do not fail
	}
	return private
}

func (i *Identity) writeKey(name string, private ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	defer clear(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(text)
	return i.write(name, text)
}

func (i *Identity) readKey(name string) (*Key, error) {
	text, err := i.read(name)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	bad := fmt.Errorf("%s is not the key of an identity", i.path(name))
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, bad
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, bad
	}
	return keyFrom(private), nil
}
