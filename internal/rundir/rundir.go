//go:build unix

// Package rundir has the places where programs of one machine meet by a name: where
// their sockets are, and who may be at the other side. A [Rendezvous] is both.
//
// It asks no environment: a name must mean the same place to a program started by
// cron and to one in a terminal, or they would not meet.
package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon/transport"
)

// maxName is the length in bytes of the longest name, so that the path fits into
// the address of a socket.
const maxName = 64

// Socket returns the path of the socket that is known as name, in a directory that
// it makes if need be and that only this user can look into: name+ext in
// /run/user/UID/tenon or, where there is no such place, /tmp/tenon-UID. A name with
// a slash is a path already, and one with an @ at its beginning an abstract name
// (unix(7)); they are returned as they are. Errors match [transport.ErrUsage] if
// the name is bad, and [transport.ErrDenied] if the directory is not to be trusted.
func Socket(name, ext string) (string, error) {
	switch {
	case strings.HasPrefix(name, "@") || strings.Contains(name, "/"):
		return name, nil
	case name == "" || name == "." || name == ".." || strings.ContainsRune(name, 0):
		return "", transport.Mark(fmt.Errorf("%q is no name", name), transport.ErrUsage)
	case len(name)+len(ext) > maxName:
		return "", transport.Mark(fmt.Errorf("the name has %d bytes, and may have %d", len(name), maxName-len(ext)), transport.ErrUsage)
	}
	dir, err := directory("/run/user", "/tmp", os.Geteuid())
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name+ext), nil
}

// directory makes and checks the directory of the user uid.
func directory(run, tmp string, uid int) (string, error) {
	id := strconv.Itoa(uid)
	dir := filepath.Join(run, id, "tenon")
	if owned(filepath.Dir(dir), uid) != nil {
		dir = filepath.Join(tmp, "tenon-"+id)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, owned(dir, uid)
}

// owned tells whether path is a directory that is uid's and nobody else's.
func owned(path string, uid int) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.IsDir() || int(st.Uid) != uid || fi.Mode().Perm()&0o077 != 0 {
		return transport.WithHint(
			transport.Mark(fmt.Errorf("%s is not a directory of this user alone", path), transport.ErrDenied),
			"another user may have made it; write a path with a slash instead of a name")
	}
	return nil
}
