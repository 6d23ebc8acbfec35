package local

import "errors"

// Detach is unsupported: there are no descriptors.
func (c *Conn) Detach() (int, error) { return -1, errors.ErrUnsupported }
