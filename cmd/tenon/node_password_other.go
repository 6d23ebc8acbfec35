//go:build !unix && node

package main

import (
	"errors"
	"os"
)

// hideTyping cannot be done here, so no password is asked for.
func hideTyping(*os.File) (show func(), err error) { return nil, errors.ErrUnsupported }
