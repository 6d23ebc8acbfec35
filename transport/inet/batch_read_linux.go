package inet

import (
	"os"

	"golang.org/x/sys/unix"
)

// wait receives the next batch, of at most max datagrams or runs. What it returns
// is valid until the next wait or release.
func (b *batchReader) wait(max int) ([]datagram, error) {
	if !b.gro {
		b.gro = true
		_ = b.s.raw.Control(enableGRO) // a closed socket says so below
	}
	b.max = max
	if err := b.s.raw.Read(b.try); err != nil {
		b.release()
		return nil, err
	}
	if b.err != nil {
		return nil, b.s.opError("read", os.NewSyscallError("recvmmsg", b.err))
	}
	return b.in.got, nil
}

// receive is called until it returns true, whenever the socket is readable.
func (b *batchReader) receive(fd uintptr) bool {
	if b.in == nil {
		b.in = spareRx.Get().(*rx)
	}
	b.err = b.in.receive(fd, b.max)
	if b.busy && b.err == unix.EAGAIN {
		// Under load the next datagrams are about to be sent. To let their
		// sender run first is cheaper than to be put to sleep and woken.
		_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		b.err = b.in.receive(fd, b.max)
	}
	b.busy = b.err == nil
	if b.err != nil {
		b.release()
	}
	return b.err != unix.EAGAIN
}
