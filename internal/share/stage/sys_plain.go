//go:build !unix && !windows

package stage

import (
	"errors"
	"io/fs"
	"os"
)

const noFollow = 0

// tryLock fails where files cannot be locked.
func tryLock(*os.File) error { return errors.ErrUnsupported }

func ownedAlone(fs.FileInfo) bool { return true }

func dirSync(*os.File) error { return nil }
