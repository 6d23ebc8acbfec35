//go:build !unix && !windows

package peer

import (
	"errors"
	"io/fs"
	"os"
)

const noFollow = 0

var errLocked = errors.New("locked")

// tryLock fails where files cannot be locked: two processes with one identity
// would be worse than none.
func tryLock(*os.File) error { return errors.ErrUnsupported }

func ownedAlone(fs.FileInfo) bool { return true }

func syncDir(string) error { return nil }
