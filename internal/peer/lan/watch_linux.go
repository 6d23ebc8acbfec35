package lan

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// watch opens a socket on which the system says that interfaces or addresses have
// changed (rtnetlink(7)). What it says is a hint: its content does not matter.
func watch() (io.ReadCloser, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// overrun tells whether an error says only that some hints were lost.
func overrun(err error) bool { return errors.Is(err, unix.ENOBUFS) }
