//go:build unix

package local

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

var (
	_ transport.FilePasser = (*Conn)(nil)
	_ transport.Filer      = (*acceptor)(nil)
)

// ErrNoFile is what the error of ReceiveFile matches when something else has
// arrived: data without a file, or several files at once. Those are closed, and
// what was read is lost.
var ErrNoFile = errors.New("not one file")

// roomForFile is the length of the control data of one descriptor, CMSG_SPACE. The
// padding of it may be filled with a second one: cmsg(3).
var roomForFile = unix.CmsgSpace(4)

// SendFile implements [transport.FilePasser] with one zero byte and SCM_RIGHTS
// (unix(7)). VM sockets can't.
func (c *Conn) SendFile(f *os.File) error {
	u, ok := c.c.(*net.UnixConn)
	if !ok {
		return &net.OpError{Op: "send", Net: c.local.Network(), Addr: c.remote, Err: errors.ErrUnsupported}
	}
	return sendFile(u, f)
}

// ReceiveFile implements [transport.FilePasser]: it reads one byte, whatever that
// is. Other errors than [ErrNoFile] are those of Read.
func (c *Conn) ReceiveFile() (*os.File, error) {
	u, ok := c.c.(*net.UnixConn)
	if !ok {
		return nil, &net.OpError{Op: "receive", Net: c.local.Network(), Addr: c.remote, Err: errors.ErrUnsupported}
	}
	return receiveFile(u, make([]byte, roomForFile))
}

func sendFile(c *net.UnixConn, f *os.File) error {
	raw, err := f.SyscallConn() // Fd would change the mode of the file
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { // which keeps f open meanwhile
		_, _, err = c.WriteMsgUnix([]byte{0}, unix.UnixRights(int(fd)), nil)
	})
	if cerr != nil { // only if f has been closed
		return transport.Mark(cerr, os.ErrClosed)
	}
	return err
}

// receiveFile reads one byte, or a message of at most one byte, and the file that
// comes with it. The descriptor is closed on exec from the start, where the system
// can do that; package net sees to it.
func receiveFile(c *net.UnixConn, oob []byte) (*os.File, error) {
	var b [1]byte
	_, oobn, flags, _, err := readMsg(c, b[:], oob)
	if errors.Is(err, io.EOF) && oobn == 0 {
		return nil, io.EOF
	}
	if err != nil && !errors.Is(err, io.EOF) { // with control data it is an empty message
		return nil, err
	}
	fds, err := descriptors(oob[:oobn])
	switch {
	case err != nil:
	case flags&unix.MSG_CTRUNC != 0:
		// Either there was no room for all, or the system could not open one.
		err = transport.WithHint(errors.New("some of the files were lost"), "several came at once, or too many are open: ulimit -n")
	case flags&unix.MSG_TRUNC != 0:
		err = errors.New("a message of several bytes came")
	case len(fds) == 0:
		err = transport.WithHint(errors.New("data came without a file"), "both sides must say beforehand where in the data a file is")
	case len(fds) > 1:
		err = errors.New("several files came at once")
	default:
		return os.NewFile(uintptr(fds[0]), "received"), nil
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	return nil, &net.OpError{Op: "receive", Net: c.LocalAddr().Network(), Addr: c.RemoteAddr(), Err: transport.Mark(err, ErrNoFile)}
}

// readMsg is [net.UnixConn.ReadMsgUnix] without its trap: beside an error that
// returns -1, which recvmsg(2) said. The counts here are never negative.
func readMsg(c *net.UnixConn, p, oob []byte) (n, oobn, flags int, from *net.UnixAddr, err error) {
	n, oobn, flags, from, err = c.ReadMsgUnix(p, oob)
	return max(n, 0), max(oobn, 0), flags, from, err
}

// descriptors returns those of all control messages, also with an error.
func descriptors(oob []byte) (fds []int, err error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	for i := range msgs {
		if m := &msgs[i]; m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_RIGHTS {
			some, rerr := unix.ParseUnixRights(m)
			fds, err = append(fds, some...), errors.Join(err, rerr)
		}
	}
	return fds, err
}

// Files implements [transport.Filer]. The socket tells clients apart by the
// permissions of its file only, so a listener that does more can't be given away.
func (a *acceptor) Files() ([]*os.File, error) {
	if !a.guard.all {
		return nil, transport.WithHint(transport.Mark(errors.New("this process decides who may connect, and the socket alone would let everybody in"), errors.ErrUnsupported),
			"the permissions of a socket file, mode= and group=, go with it; allow-uid= and abstract names do not")
	}
	f, err := a.ln.File()
	if err != nil {
		return nil, err
	}
	return []*os.File{f}, nil
}
