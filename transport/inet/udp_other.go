//go:build !linux

package inet

// setUDP refuses the options that only Linux has been taught so far. The sizes of
// the buffers are the system's.
func setUDP(fd int, v6 bool, s *Socket, reuseAddr, reusePort bool) error {
	if reuseAddr || reusePort {
		return unsupported("sharing a port") // with reuseaddr, reuseport or join
	}
	return s.set(fd, v6)
}
