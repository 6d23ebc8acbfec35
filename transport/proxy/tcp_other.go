//go:build !linux

package proxy

import (
	"errors"
	"net"
)

func duplicate(*net.TCPConn) (fd int, err error) { return -1, errors.ErrUnsupported }
