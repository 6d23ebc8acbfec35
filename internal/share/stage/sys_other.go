//go:build !linux

package stage

import (
	"errors"
	"math"
	"os"
)

// manyFiles: there is no way to sync all of one file system.
const manyFiles = math.MaxInt

const canSyncAll = false

func dataSync(f *os.File) error { return f.Sync() }

func fsSync(*os.File) error { return errors.ErrUnsupported }

// renameNew: there is no such call that all of these systems have.
func renameNew(*os.File, string, *os.File, string) error { return errors.ErrUnsupported }
