//go:build linux

package bus

import (
	"context"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/rundir"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// tidy removes the socket of a hub that is gone, after this member's connection or
// its own hub has been closed. A hub that has other members leaves its socket behind,
// dead, so that a program that comes just then finds that there is a bus, and lets
// those go first who know what was published. So the last one to leave removes it.
func tidy(b *Bus) {
	path, err := rundir.Socket(b.Name, ext)
	if err != nil || !b.Unlink.Or(true) {
		return
	}
	if _, err := os.Lstat(path); err != nil {
		return // an abstract name has no file
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	conn, err := (&local.Unix{Path: path}).Dial(ctx)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return
	}
	// Listening takes the place of what is dead, and of nothing else.
	if acc, err := (&local.UnixListen{Path: path, Access: b.Access}).Listen(ctx); err == nil {
		acc.Close()
	}
}

// hungUp tells whether the other side has closed the connection, whatever there still
// is to read.
func hungUp(conn transport.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	fds := []unix.PollFd{{Events: unix.POLLRDHUP}}
	err = raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		_, _ = unix.Poll(fds, 0) // it does not wait; what fails has found nothing
	})
	return err != nil || fds[0].Revents != 0
}
