package inet

import (
	"errors"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// adoptedInfo is what is known of every connection that another process has accepted.
var adoptedInfo = &transport.Info{Kind: "tcp"}

// FromDescriptor makes a Conn of a connected TCP socket that another process has given to
// this one. It owns fd, which is closed if there is an error. What options the socket has,
// it keeps; that it does not block is one of them.
func FromDescriptor(fd int) (*Conn, error) {
	var sa sockaddr
	n := uint32(unsafe.Sizeof(sa))
	var err error
	_, _, errno := unix.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&n)))
	if errno == unix.ENOTCONN { // the other side has reset it: whoever reads hears of it
		return &Conn{info: adoptedInfo, fd: fd, remote: endpoint{other: &net.TCPAddr{}}}, nil
	} else if errno != 0 {
		err = os.NewSyscallError("getpeername", errno)
	} else if sa.family != unix.AF_INET && sa.family != unix.AF_INET6 {
		err = errors.ErrUnsupported
	}
	if err != nil {
		unix.Close(fd) //nolint:errcheck // err is what counts
		return nil, err
	}
	return &Conn{info: adoptedInfo, fd: fd, remote: sa.endpoint()}, nil
}
