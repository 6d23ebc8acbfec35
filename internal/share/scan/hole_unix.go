//go:build unix && !darwin

package scan

// As lseek(2) has them.
const (
	seekData = 3 // SEEK_DATA
	seekHole = 4 // SEEK_HOLE
)
