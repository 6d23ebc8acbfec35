package swarm

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watchNetwork calls tell when addresses, links or routes of this machine change, until
// ctx ends. It may be called too often (rtnetlink(7)).
func watchNetwork(ctx context.Context, tell func()) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		pollNetwork(ctx, tell)
		return
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd) //nolint:errcheck // it is gone
		pollNetwork(ctx, tell)
		return
	}
	f := os.NewFile(uintptr(fd), "rtnetlink")
	stop := context.AfterFunc(ctx, func() { f.Close() }) //nolint:errcheck // it is gone
	defer func() {
		if stop() {
			f.Close() //nolint:errcheck // it is gone
		}
	}()
	buf := make([]byte, 32<<10)
	for ctx.Err() == nil {
		if _, err := f.Read(buf); err != nil && !isOverrun(err) {
			if ctx.Err() == nil {
				pollNetwork(ctx, tell)
			}
			return
		}
		// A change comes in many messages.
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return
		}
		f.SetReadDeadline(time.Now()) //nolint:errcheck // the descriptor is non-blocking
		for {
			if _, err := f.Read(buf); err != nil {
				break
			}
		}
		f.SetReadDeadline(time.Time{}) //nolint:errcheck // the descriptor is non-blocking
		tell()
	}
}
