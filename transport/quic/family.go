package quic

import (
	"errors"
	"syscall"
)

// noFamily tells whether the system lacks a family of addresses, or has it without
// an address on loopback.
func noFamily(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT)
}
