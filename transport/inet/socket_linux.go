package inet

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/tenon-net/tenon/transport"
	"golang.org/x/sys/unix"
)

// A sockopt is an option as setsockopt(2) takes it, with the name that the user
// knows it by.
type sockopt struct {
	name         string
	level, opt   int
	value        int
	forced       int  // an option that does the same without the system's limit, or 0
	mayFail      bool // the socket may be of a sort that does not have it
	text         string
	isText, skip bool
}

// set makes the options hold for fd, a socket of IPv6 if v6. The error names the
// option.
func (s *Socket) set(fd int, v6 bool) error {
	return setAll(fd,
		sockopt{name: "interface", level: unix.SOL_SOCKET, opt: unix.SO_BINDTODEVICE, text: s.Interface, isText: true, skip: s.Interface == ""},
		sockopt{name: "rcvbuf", level: unix.SOL_SOCKET, opt: unix.SO_RCVBUF, forced: unix.SO_RCVBUFFORCE, value: clampInt(s.RcvBuf), skip: s.RcvBuf == 0},
		sockopt{name: "sndbuf", level: unix.SOL_SOCKET, opt: unix.SO_SNDBUF, forced: unix.SO_SNDBUFFORCE, value: clampInt(s.SndBuf), skip: s.SndBuf == 0},
		sockopt{name: "mark", level: unix.SOL_SOCKET, opt: unix.SO_MARK, value: int(s.Mark), skip: s.Mark == 0},
		// A socket of IPv6 takes IPv4's options too, for its mapped addresses.
		sockopt{name: "ttl", level: unix.SOL_IP, opt: unix.IP_TTL, value: s.TTL, mayFail: v6, skip: s.TTL == 0},
		sockopt{name: "ttl", level: unix.SOL_IPV6, opt: unix.IPV6_UNICAST_HOPS, value: s.TTL, skip: s.TTL == 0 || !v6},
		sockopt{name: "tos", level: unix.SOL_IP, opt: unix.IP_TOS, value: int(s.TOS), mayFail: v6, skip: s.TOS == 0},
		sockopt{name: "tos", level: unix.SOL_IPV6, opt: unix.IPV6_TCLASS, value: int(s.TOS), skip: s.TOS == 0 || !v6},
	)
}

func setAll(fd int, opts ...sockopt) error {
	for _, o := range opts {
		if o.skip {
			continue
		}
		if err := o.set(fd); err != nil && !o.mayFail {
			return o.explain(err)
		}
	}
	return nil
}

func (o sockopt) set(fd int) error {
	if o.isText {
		return unix.SetsockoptString(fd, o.level, o.opt, o.text)
	}
	if o.forced != 0 && setInt(fd, o.level, o.forced, o.value) == nil {
		return nil
	}
	return setInt(fd, o.level, o.opt, o.value)
}

func (o sockopt) explain(err error) error {
	value := o.text
	if !o.isText {
		value = fmt.Sprint(o.value)
	}
	err = fmt.Errorf("%s=%s: %w", o.name, value, os.NewSyscallError("setsockopt", err))
	switch {
	case errors.Is(err, unix.EPERM):
		return transport.WithHint(err, "this option needs more rights: run as root, or with the capability CAP_NET_ADMIN or CAP_NET_RAW")
	case errors.Is(err, unix.ENODEV):
		return transport.WithHint(err, "ip link shows the names of the interfaces")
	}
	return err
}

// control returns the Control function of net.ListenConfig and net.Dialer that
// applies set to a new socket.
func control(set func(fd int, v6 bool) error) func(network, address string, rc syscall.RawConn) error {
	return func(network, _ string, rc syscall.RawConn) error {
		var err error
		v6 := network[len(network)-1] == '6'
		if cerr := rc.Control(func(fd uintptr) { err = set(int(fd), v6) }); cerr != nil {
			return cerr
		}
		return err
	}
}

// clampInt is what a size means to a system that counts in 31 bits.
func clampInt(n int64) int { return int(min(n, 1<<30)) }

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}
