package inet

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// attempt is a connection that is being made.
type attempt struct {
	fd int
	to netip.AddrPort
	sa sockaddr
}

// begin starts to connect. On the loopback interface, or with early data, the
// connection is often there at once: then it is returned. Otherwise the attempt
// is to be waited for, or given up.
func (d *Dial) begin(to netip.AddrPort, local localAddr) (*Conn, *attempt, error) {
	a := attempt{to: to, sa: newSockaddr(to)}
	var err error
	if a.fd, err = d.socket(to, local); err != nil {
		return nil, nil, dialError(to, err)
	}
	errno := connect(a.fd, &a.sa)
	if errno == unix.EINPROGRESS {
		// What comes back over loopback during the call is looked at when it
		// ends, so that it may be over by now. Asking is a fraction of waiting.
		errno = connect(a.fd, &a.sa)
	}
	switch errno {
	case 0, unix.EISCONN:
		c, err := a.done()
		return c, nil, err
	case unix.EALREADY, unix.EINTR:
		return nil, &a, nil
	}
	unix.Close(a.fd)
	return nil, nil, dialError(to, os.NewSyscallError("connect", errno))
}

// wait waits until the connection is made, has failed or ctx is done.
func (a *attempt) wait(ctx context.Context) (*Conn, error) {
	f, rc, err := descriptor(a.fd)
	if err != nil {
		return nil, dialError(a.to, err)
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })
	errno := unix.EALREADY
	err = rc.Write(func(fd uintptr) bool {
		errno = connect(int(fd), &a.sa)
		return errno != unix.EALREADY && errno != unix.EINPROGRESS
	})
	stop()
	switch {
	case ctx.Err() != nil:
		return nil, dialError(a.to, contextError(ctx))
	case err != nil:
		return nil, dialError(a.to, err)
	case errno != 0 && errno != unix.EISCONN:
		return nil, dialError(a.to, os.NewSyscallError("connect", errno))
	}
	if a.fd, err = dup(rc); err != nil {
		return nil, dialError(a.to, err)
	}
	return a.done()
}

// done makes a Conn of the connection. It refuses one to itself: a port out of the
// range that the system hands out may be given to the very socket that asks for
// it, and TCP lets the two ends of one socket meet (RFC 9293, section 3.5).
func (a *attempt) done() (*Conn, error) {
	c := &Conn{info: &dialInfo, fd: a.fd, remote: endpoint{tcp: a.to}, local: localEndpoint(a.fd)}
	if c.local.tcp == c.remote.tcp {
		closeBare(a.fd, true)
		return nil, dialError(a.to, os.NewSyscallError("connect", unix.ECONNREFUSED))
	}
	return c, nil
}

// socket makes a socket that is ready to connect. It sets only what differs from
// the system's defaults, since each call counts.
func (d *Dial) socket(to netip.AddrPort, local localAddr) (int, error) {
	family := unix.AF_INET
	v6 := !to.Addr().Is4()
	if v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = d.prepare(fd, v6, to.Addr().IsLoopback(), local)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (d *Dial) prepare(fd int, v6, loopback bool, from localAddr) error {
	if err := d.Socket.set(fd, v6); err != nil {
		return err
	}
	if err := d.Tuning.set(fd, loopback, false); err != nil {
		return err
	}
	local, bound := from.of(v6)
	err := setAll(fd,
		// A port that was in use a moment ago may be used again.
		sockopt{name: "reuseaddr", level: unix.SOL_SOCKET, opt: unix.SO_REUSEADDR, value: 1, skip: !d.ReuseAddr.Or(bound && local.Port() != 0)},
		sockopt{name: "reuseport", level: unix.SOL_SOCKET, opt: unix.SO_REUSEPORT, value: 1, skip: !d.ReusePort},
		// The system picks the port when it knows the other side too.
		sockopt{name: "bind", level: unix.SOL_IP, opt: unix.IP_BIND_ADDRESS_NO_PORT, value: 1, mayFail: true, skip: !bound || local.Port() != 0},
	)
	if err != nil || !bound {
		return err
	}
	sa := newSockaddr(local)
	if errno := bind(fd, &sa); errno != 0 {
		return fmt.Errorf("%v: %w", local, os.NewSyscallError("bind", errno))
	}
	return nil
}
