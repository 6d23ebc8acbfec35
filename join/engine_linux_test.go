//go:build linux

package join

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// TestEngineCarriesSockets joins real TCP connections through the engine.
func TestEngineCarriesSockets(t *testing.T) {
	var engine Engine
	defer engine.Close()
	farA, nearA := tcpPair(t)
	nearB, farB := tcpPair(t)
	var count Count
	done := make(chan error, 1)
	var r Result
	go func() {
		var err error
		r, err = Join(t.Context(), detachable(nearA), detachable(nearB), Options{Engine: &engine, Count: &count})
		done <- err
	}()
	io.WriteString(farA, "question")
	farA.CloseWrite()
	if got, err := io.ReadAll(farB); string(got) != "question" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	io.WriteString(farB, "answer")
	farB.Close()
	if got, err := io.ReadAll(farA); string(got) != "answer" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r.AB.Bytes != 8 || r.BA.Bytes != 6 || count.AB.Load() != 8 || count.BA.Load() != 6 {
		t.Errorf("result %+v, count %d and %d", r, count.AB.Load(), count.BA.Load())
	}
}

func tcpPair(t *testing.T) (dialed, accepted *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(); a.Close() })
	return d.(*net.TCPConn), a.(*net.TCPConn)
}

// detachable makes a Detacher of a TCP connection.
func detachable(c *net.TCPConn) transport.Stream { return &detacher{TCPConn: c} }

type detacher struct{ *net.TCPConn }

func (d *detacher) Info() *transport.Info { return &transport.Info{Kind: "tcp"} }

func (d *detacher) Detach() (int, error) {
	raw, err := d.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return -1, err
	}
	if dupErr != nil {
		return -1, dupErr
	}
	return fd, d.TCPConn.Close()
}

// TestEngineNoticesThatOneSideIsGone: a unix socket whose other side is closed
// altogether, as that of a program that has exited, ends the joint, whatever the TCP
// client at the other end does.
func TestEngineNoticesThatOneSideIsGone(t *testing.T) {
	for talks, linger := range map[bool]time.Duration{false: 100 * time.Millisecond, true: time.Hour} {
		var engine Engine
		defer engine.Close()
		client, near := tcpPair(t)
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := Join(t.Context(), detachable(near), socket{detachable(near), fds[0]}, Options{Engine: &engine, Linger: linger})
			done <- err
		}()
		if _, err := unix.Write(fds[1], []byte("last words")); err != nil {
			t.Fatal(err)
		}
		unix.Close(fds[1])
		if got, err := io.ReadAll(client); string(got) != "last words" || err != nil {
			t.Errorf("the client read %q, %v", got, err)
		}
		if talks {
			io.WriteString(client, "anybody there?")
			client.CloseWrite()
		}
		if err := <-done; (err != nil) != talks {
			t.Errorf("ended with %v; the client talks to nobody: %v", err, talks)
		}
	}
}

// socket is a Detacher of a descriptor.
type socket struct {
	transport.Stream
	fd int
}

func (s socket) Detach() (int, error) { return s.fd, nil }
func (s socket) Close() error         { return nil }

func TestEngineLimitsHalfClosedJoints(t *testing.T) {
	var engine Engine
	defer engine.Close()
	farA, nearA := tcpPair(t)
	nearB, farB := tcpPair(t)
	done := make(chan error, 1)
	go func() {
		_, err := Join(t.Context(), detachable(nearA), detachable(nearB), Options{Engine: &engine, HalfClosed: 50 * time.Millisecond})
		done <- err
	}()
	io.WriteString(farA, "question")
	farA.CloseWrite()
	if got, err := io.ReadAll(farB); string(got) != "question" || !errors.Is(err, unix.ECONNRESET) && err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := <-done; !errors.Is(err, ErrHalfClosed) {
		t.Errorf("ended with %v", err)
	}
}
