package rawio_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/rawio"
)

// TestReset: the other side has gone away with bytes unread, and Read says so. TestErrors cannot
// compare that, for a socket says it once.
func TestReset(t *testing.T) {
	onEach(t, func(t *testing.T, c *rawio.Conn, other rawio.Socket) {
		if _, err := c.Write([]byte("unread")); err != nil {
			t.Fatal(err)
		}
		if tcp, ok := other.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		other.Close()
		_, err := c.Read(make([]byte, 8))
		var op *net.OpError
		var call *os.SyscallError
		if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" || !errors.As(err, &call) || call.Syscall != "read" {
			t.Fatalf("%#v", err)
		}
		if _, err := c.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
	})
}

// TestBlockingSocket: another process that has the socket may make it a blocking one. A Read that then
// waited in the kernel would stop this whole process, of which the scheduler thinks that it runs.
func TestBlockingSocket(t *testing.T) {
	onEach(t, func(t *testing.T, c *rawio.Conn, other rawio.Socket) {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), false) })
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	})
}
