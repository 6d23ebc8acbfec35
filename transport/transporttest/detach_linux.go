package transporttest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// testDetach checks that a descriptor that is given up is fit for use, and that
// the Conn stays out of its way.
func (h Harness) testDetach(t *testing.T) {
	a, b := h.open(t)
	d, ok := transport.As[transport.Detacher](a)
	if !ok {
		t.Skip("the kind has no descriptor to give")
	}
	fd, err := d.Detach()
	if errors.Is(err, errors.ErrUnsupported) {
		h.exchange(t, h.all(a, b), 1000, sizes, sizes)
		return
	}
	if err != nil {
		t.Fatalf("Detach: %v", err)
	}
	defer unix.Close(fd)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("the descriptor blocks: flags %#x, error %v", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the descriptor would be inherited: flags %#x, error %v", flags, err)
	}
	_, err = read(a, make([]byte, 1))
	wantClosed(t, "read after Detach", err)
	wantClosed(t, "write after Detach", write(a, []byte("x")))
	if a.Info() == nil || a.LocalAddr() == nil || a.RemoteAddr() == nil {
		t.Error("Info and the addresses do not answer after Detach")
	}
	a.Close()
	out, in := h.flows(a, b)
	if out.w != nil && !h.Echo {
		if err := eachReady(fd, unix.POLLOUT, func() (int, error) { return unix.Write(fd, []byte("raw")) }); err != nil {
			t.Errorf("writing to the descriptor: %v", err)
		}
		got := start(func() error {
			p := make([]byte, 16)
			n, err := read(b, p)
			if string(p[:n]) != "raw" {
				return fmt.Errorf("read %q, error %v", p[:n], err)
			}
			return nil
		})
		if err := await(t, got, Patience, "reading what the descriptor wrote"); err != nil {
			t.Error(err)
		}
	}
	if in.w != nil {
		if err := write(b, []byte("raw")); err != nil {
			t.Errorf("writing to the descriptor's other side: %v", err)
		}
		p := make([]byte, 16)
		if err := eachReady(fd, unix.POLLIN, func() (int, error) { return unix.Read(fd, p) }); err != nil || string(p[:3]) != "raw" {
			t.Errorf("reading from the descriptor: %q, error %v", p[:3], err)
		}
	}
}

// eachReady calls f until it would not block, waiting for the descriptor.
func eachReady(fd int, events int16, f func() (int, error)) error {
	for end := time.Now().Add(Patience); time.Now().Before(end); {
		n, err := f()
		if err == nil && n == 3 {
			return nil
		}
		if err != unix.EAGAIN && err != unix.EINTR {
			return fmt.Errorf("%d bytes, error %w", n, err)
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, 100); err != nil && err != unix.EINTR {
			return err
		}
	}
	return errors.New("the descriptor never became ready")
}
