package inet

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// set sets what only listening sockets have. Package net has switched reuseaddr on.
func (l *Listen) set(fd int) error {
	return setAll(fd,
		sockopt{name: "reuseaddr", level: unix.SOL_SOCKET, opt: unix.SO_REUSEADDR, value: 0, skip: l.ReuseAddr.Or(true)},
		sockopt{name: "reuseport", level: unix.SOL_SOCKET, opt: unix.SO_REUSEPORT, value: 1, skip: !l.ReusePort},
	)
}

// setBacklog takes effect on a socket that listens already.
func (l *Listen) setBacklog(ln net.Listener) error {
	if l.Backlog == 0 {
		return nil
	}
	rc, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	cerr := rc.Control(func(fd uintptr) { err = os.NewSyscallError("listen", unix.Listen(int(fd), l.Backlog)) })
	if cerr != nil {
		return cerr
	}
	return err
}
