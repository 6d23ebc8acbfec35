package scan

// As <unistd.h> has them.
const (
	seekHole = 3 // SEEK_HOLE
	seekData = 4 // SEEK_DATA
)
