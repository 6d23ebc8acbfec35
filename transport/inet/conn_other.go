//go:build !linux

package inet

import (
	"errors"
	"syscall"
)

// Elsewhere every Conn is one of package net from the start, and keeps its
// descriptor.

func promote(int, endpoint, endpoint) (streamConn, error) { return nil, errors.ErrUnsupported }
func dup(syscall.RawConn) (int, error)                    { return -1, errors.ErrUnsupported }
func shutdownWrite(int) error                             { return errors.ErrUnsupported }
func closeBare(int, bool) error                           { return errors.ErrUnsupported }
func localEndpoint(int) (e endpoint)                      { return e }
