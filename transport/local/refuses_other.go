//go:build !linux

package local

import (
	"errors"
	"net"
	"time"
)

// refuses tells whether no program has the socket of that name any more. One of
// another sort, and one that may not be connected to, is taken for alive. But where
// a listener whose queue is full refuses as well, it is taken for gone.
func refuses(name string) (bool, error) {
	c, err := net.DialTimeout("unix", name, time.Second)
	if err != nil {
		return errors.Is(err, connRefused), nil
	}
	c.Close()
	return false, nil
}
