package swarm

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchNetwork calls tell when the addresses of this machine change, or the ways from it, until
// ctx ends.
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
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	for before := outlook(); ctx.Err() == nil; {
		gone, err := changesOf(raw, true)
		if err == nil {
			// A change comes in many messages.
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return
			}
			var more bool
			more, err = changesOf(raw, false)
			gone = gone || more
		}
		if err != nil {
			if ctx.Err() == nil {
				pollNetwork(ctx, tell)
			}
			return
		}
		// Many of them say nothing new: a wireless interface has looked around, a router has
		// announced itself again.
		if now := outlook(); gone || !slices.Equal(before, now) {
			before = now
			tell()
		}
	}
}

// changesOf reads all messages that are there, and may wait for the first. It tells whether they
// say that an address or an interface is gone.
func changesOf(raw syscall.RawConn, wait bool) (gone bool, err error) {
	buf := make([]byte, 32<<10)
	some := !wait
	readErr := raw.Read(func(fd uintptr) bool {
		for {
			n, readErr := unix.Read(int(fd), buf)
			switch {
			case readErr == unix.EINTR: //nolint:errorlint // it is not wrapped
			case readErr == unix.EAGAIN: //nolint:errorlint // it is not wrapped
				return some
			case isOverrun(readErr):
				some, gone = true, true
			case readErr != nil:
				err = readErr
				return true
			default:
				some, gone = true, gone || takesAway(buf[:n])
			}
		}
	})
	return gone, errors.Join(err, readErr)
}

// takesAway tells whether messages say that an address or an interface is gone: it may be there
// again already, in another network.
func takesAway(b []byte) bool {
	all, err := syscall.ParseNetlinkMessage(b)
	return err != nil || slices.ContainsFunc(all, func(m syscall.NetlinkMessage) bool {
		return m.Header.Type == unix.RTM_DELADDR || m.Header.Type == unix.RTM_DELLINK
	})
}

// outlook returns the addresses of this machine, and from which it sends to the world.
func outlook() []netip.Addr {
	var sources []netip.Addr
	for _, far := range []string{"192.0.2.1", "2001:db8::1"} {
		sources = append(sources, sourceOf(netip.MustParseAddr(far)))
	}
	return append(sources, localIPs()...)
}
