//go:build !linux

package scan

func (d *folder) below(path string) (*file, error) { return walkBelow(d, path) }
