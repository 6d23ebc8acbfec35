//go:build unix

package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tenon-net/tenon/transport"
)

// link makes path a symbolic link to target, at once and complete. It replaces a
// symbolic link, such as one that a killed program left behind, and nothing else.
// Unlink removes the link if it is still ours.
func link(target, path string) (unlink func() error, err error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, bare(err)
	case info.Mode()&fs.ModeSymlink == 0:
		return nil, transport.WithHint(fmt.Errorf("link %s: %w", path, fs.ErrExist), "only a symbolic link is replaced")
	}
	temp := path + "." + rand.Text()
	if err := os.Symlink(target, temp); err != nil {
		return nil, linkError(path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return nil, errors.Join(linkError(path, err), os.Remove(temp))
	}
	mine, err := os.Lstat(path)
	if err != nil {
		return nil, linkError(path, err)
	}
	return func() error {
		now, err := os.Lstat(path)
		if err != nil || !os.SameFile(now, mine) {
			return nil
		}
		return os.Remove(path)
	}, nil
}

// linkError names the link, and not the name that it had before.
func linkError(path string, err error) error {
	var le *os.LinkError
	if errors.As(err, &le) {
		err = le.Err
	}
	return fmt.Errorf("link %s: %w", path, err)
}
