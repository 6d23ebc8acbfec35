package transport

// A Sizer is a Conn with a terminal at its other side that a person may make
// larger or smaller. Whoever joins it to a [Resizer] hands the size on.
type Sizer interface {
	// WindowSize returns the size now, in characters; 0, 0 if it is unknown.
	WindowSize() (rows, cols int)

	// SizeChanges returns a channel that gets a value after the size has
	// changed, and is closed by Close. Changes that nobody waits for are
	// reported as one. Every call returns the same channel.
	SizeChanges() <-chan struct{}
}

// A Resizer is a Conn whose other side believes to be on a terminal, and can be
// told its size: a program on a pseudo terminal.
type Resizer interface {
	// Resize sets the size in characters. It may be called at any time.
	Resize(rows, cols int) error
}
