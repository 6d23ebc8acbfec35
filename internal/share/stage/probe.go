package stage

import (
	"io/fs"
	"os"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// probed is what the file system of the target does with names and modes.
type probed struct {
	fold manifest.Fold
	mask fs.FileMode // bits that new files may have: what the umask leaves
}

// probe tries what the target does.
func (s *Stage) probe() error {
	const file, upper = "probe", "PROBE"
	const accent, apart = "probe-\u00e9", "probe-e\u0301"
	defer s.home.Remove(accent) //nolint:errcheck // the next one tries again
	defer s.home.Remove(file)   //nolint:errcheck // the next one tries again
	for _, name := range []string{file, accent} {
		s.home.Remove(name) //nolint:errcheck // of an earlier process
		f, err := s.home.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o777)
		if err != nil {
			return err
		}
		fi, err := f.Stat()
		f.Close() //nolint:errcheck // it is empty
		if err != nil {
			return err
		}
		s.probed.mask = fi.Mode().Perm()
	}
	if _, err := s.home.Lstat(upper); err == nil {
		s.probed.fold |= manifest.FoldCase
	}
	if _, err := s.home.Lstat(apart); err == nil {
		s.probed.fold |= manifest.FoldForm
	}
	return nil
}
