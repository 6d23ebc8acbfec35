package inet

import "golang.org/x/sys/unix"

// setUDP makes the options hold that every socket of UDP has.
func setUDP(fd int, v6 bool, s *Socket, reuseAddr, reusePort bool) error {
	if err := setAll(fd,
		sockopt{name: "rcvbuf", level: unix.SOL_SOCKET, opt: unix.SO_RCVBUF, value: udpBuffer, mayFail: true, skip: s.RcvBuf != 0},
		sockopt{name: "sndbuf", level: unix.SOL_SOCKET, opt: unix.SO_SNDBUF, value: udpBuffer, mayFail: true, skip: s.SndBuf != 0},
		sockopt{name: "reuseaddr", level: unix.SOL_SOCKET, opt: unix.SO_REUSEADDR, value: 1, skip: !reuseAddr},
		sockopt{name: "reuseport", level: unix.SOL_SOCKET, opt: unix.SO_REUSEPORT, value: 1, skip: !reusePort},
	); err != nil {
		return err
	}
	return s.set(fd, v6)
}
