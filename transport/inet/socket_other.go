//go:build !linux

package inet

import (
	"errors"
	"fmt"
	"syscall"
)

// set refuses the options that only Linux has been taught so far.
func (s *Socket) set(int, bool) error {
	for name, given := range map[string]bool{
		"interface": s.Interface != "", "rcvbuf": s.RcvBuf != 0, "sndbuf": s.SndBuf != 0,
		"ttl": s.TTL != 0, "tos": s.TOS != 0, "mark": s.Mark != 0,
	} {
		if given {
			return unsupported(name)
		}
	}
	return nil
}

func unsupported(option string) error {
	return fmt.Errorf("%s: %w on this system", option, errors.ErrUnsupported)
}

// control returns the Control function of net.ListenConfig and net.Dialer that
// applies set to a new socket.
func control(set func(fd int, v6 bool) error) func(network, address string, rc syscall.RawConn) error {
	return func(network, _ string, _ syscall.RawConn) error {
		return set(-1, network[len(network)-1] == '6')
	}
}
