//go:build unix

package inet

import (
	"errors"
	"net"
	"os"
	"strconv"

	"github.com/tenon-net/tenon/transport"
	"golang.org/x/sys/unix"
)

// inherited makes a listener of a duplicate of fd. It makes sure that programs
// which this one starts do not inherit fd in turn.
func inherited(fd int) (net.Listener, error) {
	unix.CloseOnExec(fd)
	copied, err := unix.Dup(fd)
	if err != nil {
		return nil, transport.WithHint(os.NewSyscallError("dup", err), "is it open? the parent passes it, as in 3<>...")
	}
	f := os.NewFile(uintptr(copied), "inherited")
	defer f.Close()
	ln, err := net.FileListener(f)
	switch {
	case errors.Is(err, unix.ENOTSOCK), errors.Is(err, unix.EINVAL):
		return nil, usage("it is not a listening socket", inheritHint)
	case err != nil:
		return nil, err
	}
	if !isListening(fd) {
		ln.Close()
		return nil, usage("the socket does not listen", "to use a connection that is open already, write fd:"+strconv.Itoa(fd))
	}
	return ln, nil
}

// isListening tells whether fd is a socket that listens for connections.
func isListening(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on != 0
}
