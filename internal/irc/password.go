package irc

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// right compares a password in a time that tells nothing about it.
func (s *Server) right(password string) bool {
	is, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(s.config.Password))
	return subtle.ConstantTimeCompare(is[:], want[:]) == 1
}

// ReadPassword returns the first line of a file that others cannot read.
func ReadPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	fi, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !fi.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a file", path)
	case fi.Mode().Perm()&0o077 != 0 && os.Geteuid() >= 0:
		return "", fmt.Errorf("others can read %s: chmod 600 %s", path, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 1025))
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" || len(line) > 256 || strings.ContainsAny(line, "\x00") {
		return "", fmt.Errorf("%s has no password: one line of at most 256 bytes", path)
	}
	return line, nil
}

// OwnPassword returns the password in a file, which is made with a new one if it is not there.
func OwnPassword(path string) (string, error) {
	password, err := ReadPassword(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return password, err
	}
	if err := writeNew(path, []byte(rand.Text()+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return ReadPassword(path) // that of somebody who was quicker, perhaps
}

// writeNew is writeFile for a file that is not there, and remains what it is if it is.
func writeNew(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has another name, or none
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(f.Name(), path) // there are file systems without links
	}
	return err
}

// writeFile writes a file that others cannot read: after a crash it is the old one or the new one.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // it is about the write
	}
	return err
}
