//go:build linux

package ipc

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// maxInbox is how many descriptors a side holds that nobody has received.
const maxInbox = 16

// SendFile hands an open file to the other side. It is bound by the write deadline.
// It implements [transport.FilePasser].
func (l *link) SendFile(f *os.File) error {
	return l.opError("send", l.sendFile(f))
}

func (l *link) sendFile(f *os.File) error {
	if l.state.Load() != live {
		return l.why()
	}
	from, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	cerr := from.Control(func(fd uintptr) {
		rights := unix.UnixRights(int(fd))
		err := l.raw.Write(func(sock uintptr) bool {
			serr = unix.Sendmsg(int(sock), []byte{1}, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			return serr != unix.EAGAIN && serr != unix.EINTR
		})
		switch {
		case err == nil:
		case l.state.Load() != live:
			serr = l.why()
		default:
			serr = err
		}
	})
	if cerr != nil {
		return cerr
	}
	if serr == unix.EPIPE || serr == unix.ECONNRESET {
		l.dead.Store(true)
		serr = errPipe
	}
	return serr
}

// ReceiveFile returns the next file that the other side has sent, also while others
// read. It implements [transport.FilePasser].
func (l *link) ReceiveFile() (*os.File, error) {
	f, err := l.receiveFile()
	return f, l.opError("receive", err)
}

func (l *link) receiveFile() (*os.File, error) {
	fd := -1
	var drained error
	ready := func(sock uintptr) bool {
		for over := false; ; over = true {
			if fd, drained = l.nextFile(int(sock)); fd >= 0 || drained != nil || over {
				return true
			}
			if !l.socketEnded(int(sock)) {
				return false
			}
		}
	}
	for {
		err := l.check(&l.in.deadline)
		if err == nil {
			err = l.park(&l.fileQueue, &l.in.deadline, true, ready)
		}
		switch {
		case fd >= 0:
			return os.NewFile(uintptr(fd), "received"), nil
		case drained != nil:
			return nil, l.breakOff(drained)
		case err != nil:
			return nil, err
		case l.dead.Load():
			return nil, l.endOfFiles()
		}
	}
}

// nextFile takes a descriptor out of the inbox, or out of the socket; -1 if there
// is none.
func (l *link) nextFile(sock int) (fd int, err error) {
	if err := l.drain(sock, l.fileQueue); err != nil {
		return -1, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.inbox) == 0 {
		return -1, nil
	}
	fd = l.inbox[0]
	l.inbox = append(l.inbox[:0], l.inbox[1:]...)
	return fd, nil
}

// endOfFiles is why no more files come when the socket has ended: io.EOF if the
// other side meant it.
func (l *link) endOfFiles() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state.Load() != live:
		return l.why()
	case l.in.c.ctl.end.load() == ended:
		return io.EOF
	}
	return errReset
}

// drain reads what is in the socket: bytes that have no meaning, and descriptors.
// The error is about a side that sends what it must not. Waiters who would miss what
// has been read are woken, except in the queue self, who checks next.
func (l *link) drain(sock int, self *waitQueue) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Load() != live {
		return nil
	}
	var m received
	for i := range maxReads {
		n, fds, err := m.read(sock, len(m.data))
		switch {
		case err == unix.EINTR:
			continue
		case err == errManyFiles:
			return err
		case err != nil || n == 0: // it is empty, or has ended; socketEnded finds out
			return nil
		}
		if i == 0 {
			l.wakeOthers(self)
		}
		if l.inbox = append(l.inbox, fds...); len(l.inbox) > maxInbox {
			return violation("%d descriptors that nobody has asked for", len(l.inbox))
		}
	}
	return nil
}

// maxReads bounds what one drain does for somebody who keeps sending. What is left
// is no loss: whoever sends makes the next event.
const maxReads = 64

var errManyFiles = violation("more than one descriptor at once")

// A received is the room for what arrives at a socket.
type received struct {
	data [256]byte
	oob  [24]byte // CMSG_SPACE of one descriptor, where the kernel may put two
}

// read receives at most max bytes, and the descriptors that came with them: one, or
// none.
func (m *received) read(sock, max int) (n int, fds []int, err error) {
	n, oobn, flags, _, err := unix.Recvmsg(sock, m.data[:min(max, len(m.data))], m.oob[:], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, nil, err
	}
	if oobn > 0 {
		fds = rights(m.oob[:oobn])
	}
	if len(fds) > 1 || flags&unix.MSG_CTRUNC != 0 {
		closeAll(fds)
		return n, nil, errManyFiles
	}
	return n, fds, nil
}

// rights returns the descriptors in control messages; see cmsg(3).
func rights(oob []byte) (fds []int) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

var _ transport.FilePasser = (*link)(nil)
