//go:build !linux

package inherit

// WasClosed is not told here.
func WasClosed(int) bool { return false }
