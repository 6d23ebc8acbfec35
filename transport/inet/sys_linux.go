package inet

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/tenon-net/tenon/transport"
	"golang.org/x/sys/unix"
)

// The calls below go straight to the kernel, without telling the scheduler: on
// non-blocking descriptors they return at once, and telling it costs as much as
// the cheapest of them. Nor do they allocate.

// accept takes one connection off the queue of a listening socket.
func accept(fd int) (int, sockaddr, syscall.Errno) {
	var sa sockaddr
	n := uint32(unsafe.Sizeof(sa))
	nfd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&n)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(nfd), sa, errno
}

// connect begins a connection, or tells how far it has got.
func connect(fd int, sa *sockaddr) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(sa)), sa.size())
	return errno
}

// bind gives fd its local address.
func bind(fd int, sa *sockaddr) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(sa)), sa.size())
	return errno
}

// setInt sets an option of fd.
func setInt(fd, level, opt, value int) error {
	v := int32(value)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v), 0)
	return orNil(errno)
}

// shutdownWrite ends the direction that is written to.
func shutdownWrite(fd int) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return os.NewSyscallError("shutdown", orNil(errno))
}

func orNil(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// localEndpoint is the address that fd is bound to.
func localEndpoint(fd int) endpoint {
	var sa sockaddr
	n := uint32(unsafe.Sizeof(sa))
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return endpoint{}
	}
	return sa.endpoint()
}

// A sockaddr is a struct sockaddr_in or sockaddr_in6, for unix sockets only the
// family. Ports, here in two bytes, are in the order of the network.
type sockaddr struct {
	family uint16
	port   [2]byte
	addr4  [4]byte // flow label in IPv6
	addr6  [16]byte
	scope  uint32
}

func newSockaddr(a netip.AddrPort) (sa sockaddr) {
	binary.BigEndian.PutUint16(sa.port[:], a.Port())
	if ip := a.Addr(); ip.Is4() {
		sa.family, sa.addr4 = unix.AF_INET, ip.As4()
	} else {
		sa.family, sa.addr6, sa.scope = unix.AF_INET6, ip.As16(), zoneIndex(ip.Zone())
	}
	return sa
}

func (sa *sockaddr) size() uintptr {
	if sa.family == unix.AF_INET {
		return unix.SizeofSockaddrInet4
	}
	return unix.SizeofSockaddrInet6
}

// endpoint shows the addresses of IPv4 that a socket of IPv6 sees as IPv4.
func (sa *sockaddr) endpoint() endpoint {
	port := binary.BigEndian.Uint16(sa.port[:])
	switch sa.family {
	case unix.AF_INET:
		return endpoint{tcp: netip.AddrPortFrom(netip.AddrFrom4(sa.addr4), port)}
	case unix.AF_INET6:
		ip := netip.AddrFrom16(sa.addr6).Unmap()
		if sa.scope != 0 {
			ip = ip.WithZone(zoneName(sa.scope))
		}
		return endpoint{tcp: netip.AddrPortFrom(ip, port)}
	case unix.AF_UNIX: // whoever needs the name asks for it
		return endpoint{other: transport.Addr{Net: "unix", Name: "unnamed"}}
	}
	return endpoint{}
}

// zoneIndex is the number of an interface; 0 if there is none of that name, which
// connect(2) refuses where it matters.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(ifi.Index)
}

func zoneName(index uint32) string {
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}

// descriptor makes a descriptor that package os waits on.
func descriptor(fd int) (*os.File, syscall.RawConn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	rc, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, rc, nil
}
