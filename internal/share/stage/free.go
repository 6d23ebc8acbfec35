package stage

import "os"

// FreeSpace returns how many bytes this user can still write where a directory is.
func FreeSpace(dir string) (int64, error) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // a directory
	return freeSpace(f)
}
