package node

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	sys "golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
)

// A fileReader reads a unix socket and keeps the descriptors that come with the bytes, in
// order: unix(7), SCM_RIGHTS. The kernel never gives those of two messages at once.
type fileReader struct {
	raw syscall.RawConn
	oob []byte
	fds []int
}

// newFileReader returns nil if conn is no unix socket.
func newFileReader(conn net.Conn) *fileReader {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return &fileReader{raw: raw, oob: make([]byte, sys.CmsgSpace(4))}
}

// errFiles: more comes with the bytes than one descriptor.
var errFiles = errors.New("more than one file came at once, or too many are open")

func (r *fileReader) Read(p []byte) (n int, err error) {
	var oobn, flags int
	cerr := r.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, err = sys.Recvmsg(int(fd), p, r.oob, sys.MSG_CMSG_CLOEXEC|sys.MSG_DONTWAIT)
			if !errors.Is(err, sys.EINTR) {
				return !errors.Is(err, sys.EAGAIN)
			}
		}
	})
	if err := errors.Join(cerr, err); err != nil {
		return 0, os.NewSyscallError("recvmsg", err)
	}
	msgs, err := sys.ParseSocketControlMessage(r.oob[:oobn])
	for i := range msgs {
		fds, rerr := sys.ParseUnixRights(&msgs[i])
		r.fds, err = append(r.fds, fds...), errors.Join(err, rerr)
	}
	switch {
	case err == nil && flags&sys.MSG_CTRUNC != 0:
		err = errFiles
	case err == nil && n == 0:
		err = io.EOF
	}
	return n, err
}

// next makes an end of the next descriptor, which must be a socket of TCP.
func (r *fileReader) next() (transport.Conn, error) {
	if len(r.fds) == 0 {
		return nil, errors.ErrUnsupported
	}
	fd := r.fds[0]
	r.fds = r.fds[1:]
	return inet.FromDescriptor(fd)
}

// close closes the descriptors that nobody has asked for.
func (r *fileReader) close() {
	for _, fd := range r.fds {
		sys.Close(fd) //nolint:errcheck // it is gone
	}
}
