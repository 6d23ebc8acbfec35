package proxy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// maxUsers is the size in bytes of the longest file of users that is read.
const maxUsers = 1 << 20

// users is what a file of users says.
type users struct {
	sum         [sha256.Size]byte // of the file
	credentials []hash            // at least one
	once        bool              // it cannot be read twice: a pipe
}

var _ transport.Reloader = (*Access)(nil)

// Reload implements [transport.Reloader] for the file of users.
func (a *Access) Reload() (commit func(), err error) {
	if a.Users == "" {
		return func() {}, nil
	}
	known, err := loadUsers(a.Users, a.known.Load())
	if err != nil {
		return nil, err
	}
	return func() { a.known.Store(known) }, nil
}

// users returns what the file of users says now. If that cannot be used, it returns
// what the file said when it last could, and why it cannot.
func (a *Access) users() (*users, error) {
	last := a.known.Load()
	known, err := loadUsers(a.Users, last)
	if err != nil {
		return last, err
	}
	a.known.Store(known)
	return known, nil
}

// loadUsers reads a file of users: all of it or nothing. It returns last if that is
// what the file still says.
func loadUsers(name string, last *users) (*users, error) {
	if last != nil && last.once {
		return last, nil
	}
	data, once, err := readUsers(name)
	if err != nil {
		return nil, err
	}
	u := &users{sum: sha256.Sum256(data), once: once}
	if last != nil && last.sum == u.sum {
		return last, nil
	}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		user, password, found := bytes.Cut(line, []byte(":"))
		if !found || opt.IsBlank(string(user)) || opt.IsBlank(string(password)) {
			return nil, usage(fmt.Sprintf("%s: line %d is not NAME:PASSWORD", name, n))
		}
		u.credentials = append(u.credentials, credential(string(user), string(password)))
	}
	if len(u.credentials) == 0 {
		return nil, usage(name + ": there is no line NAME:PASSWORD in it")
	}
	return u, nil
}

func readUsers(name string) (data []byte, once bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	data, err = io.ReadAll(io.LimitReader(f, maxUsers+1))
	if err == nil && len(data) > maxUsers {
		err = usage(name + " is longer than a megabyte")
	}
	return data, !fi.Mode().IsRegular(), err
}
