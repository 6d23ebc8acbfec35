package inet_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"golang.org/x/sys/unix"
)

// TestAbortResets checks that a peer of package net sees a reset, whether or not
// the Conn was promoted before.
func TestAbortResets(t *testing.T) {
	for _, promoted := range []bool{false, true} {
		a := listen(t, "tcp-listen:127.0.0.1:0")
		peer, err := net.Dial("tcp", a.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		c, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if promoted {
			if _, err := c.(*inet.Conn).Write([]byte("cut")); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.(*inet.Conn).Abort(errors.New("the other end failed")); err != nil {
			t.Errorf("Abort: %v", err)
		}
		if _, err := io.ReadAll(peer); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("promoted %v: the peer reads %v, want ECONNRESET", promoted, err)
		}
	}
}

// TestDetachPromoted checks that a Conn that was used gives its descriptor up too,
// and that what waited in Read is woken.
func TestDetachPromoted(t *testing.T) {
	c, s := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
	if _, err := s.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	reading := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		reading <- err
	}()
	local := c.LocalAddr().String()
	fd, err := c.Detach()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := <-reading; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read during Detach: error %v, want net.ErrClosed", err)
	}
	if _, err := c.Detach(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Detach: error %v, want net.ErrClosed", err)
	}
	if err := c.Close(); err != nil || c.LocalAddr().String() != local {
		t.Errorf("after Detach: Close %v, LocalAddr %v, want nil and %s", err, c.LocalAddr(), local)
	}
	if _, err := unix.Write(fd, []byte("y")); err != nil {
		t.Errorf("writing to the descriptor after Close: %v", err)
	}
}

// TestPromotionKeepsOptions checks that the first Read does not change what the
// options have said; package net has defaults of its own.
func TestPromotionKeepsOptions(t *testing.T) {
	for _, option := range []string{"nodelay=no", "keepalive=no", "keepalive=40s,keepcnt=3"} {
		c, _ := pair(t, "tcp,"+option, "tcp-listen:127.0.0.1:0")
		bare := tcpOptions(t, c)
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got := tcpOptions(t, c); got != bare {
			t.Errorf("%s: options after promotion %v, before %v", option, got, bare)
		}
	}
}

// TestDeadlineOfCopy checks that what copies inside the kernel keeps to the deadlines,
// those set before and those set meanwhile, and that a call which waits is ended by Close.
func TestDeadlineOfCopy(t *testing.T) {
	c, _ := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: error %v, want os.ErrDeadlineExceeded", err)
	}
	dst, _ := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
	if _, err := io.Copy(dst, c); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("io.Copy behind a deadline: error %v, want os.ErrDeadlineExceeded", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() {
		_, err := io.Copy(dst, c)
		ended <- err
	}()
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a deadline that is set meanwhile: error %v, want os.ErrDeadlineExceeded", err)
		}
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	go func() { ended <- raw.Read(func(uintptr) bool { return false }) }()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close meanwhile: error %v, want net.ErrClosed", err)
		}
	}
	var op *net.OpError
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "read" || op.Addr == nil {
		t.Errorf("Read after Close: error %#v, want a net.OpError with net.ErrClosed", err)
	}
}

// tcpOptions reads options without promoting c: through the descriptor that is
// bound to its address.
func tcpOptions(t *testing.T, c *inet.Conn) (values [5]int) {
	t.Helper()
	want := c.LocalAddr().(*net.TCPAddr).Port
	for fd := range 1 << 10 {
		sa, err := unix.Getsockname(fd)
		if in, ok := sa.(*unix.SockaddrInet4); err != nil || !ok || in.Port != want {
			continue
		}
		for i, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_TCP, unix.TCP_NODELAY},
			{unix.SOL_TCP, unix.TCP_KEEPIDLE}, {unix.SOL_TCP, unix.TCP_KEEPINTVL}, {unix.SOL_TCP, unix.TCP_KEEPCNT}} {
			values[i], _ = unix.GetsockoptInt(fd, o[0], o[1])
		}
		return values
	}
	t.Fatalf("no descriptor is bound to port %d", want)
	return values
}

// TestCopy checks io.Copy between Conns, whole and in steps, and that CloseWrite
// and Close may race with it.
func TestCopy(t *testing.T) {
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	for name, carry := range map[string]func(dst, src *inet.Conn) (int64, error){
		"Copy":    func(dst, src *inet.Conn) (int64, error) { return io.Copy(dst, src) },
		"WriteTo": func(dst, src *inet.Conn) (int64, error) { return src.WriteTo(dst) },
		"CopyN": func(dst, src *inet.Conn) (total int64, err error) {
			for err == nil {
				var n int64
				n, err = io.CopyN(dst, src, 100_000)
				total += n
			}
			if err == io.EOF {
				err = nil
			}
			return total, err
		},
	} {
		from, src := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
		dst, to := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := from.Write(data); err != nil {
				t.Error(err)
			}
			if err := from.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if n, err := carry(dst, src); n != int64(len(data)) || err != nil {
				t.Errorf("%s: %d bytes, error %v", name, n, err)
			}
			if err := dst.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(to)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: got %d bytes of %d, error %v", name, len(got), len(data), err)
		}
		wg.Wait()
	}
}

// TestConcurrentUse calls everything at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	for range 50 {
		c, s := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
		var wg sync.WaitGroup
		for _, f := range []func(){
			func() { _, _ = c.Read(make([]byte, 1)) },
			func() { _, _ = c.Write([]byte("x")) },
			func() { _ = c.CloseWrite() },
			func() { c.LocalAddr() },
			func() { _ = c.SetDeadline(time.Now().Add(time.Second)) },
			func() {
				if fd, err := c.Detach(); err == nil {
					unix.Close(fd)
				}
			},
			func() { c.Close() },
			func() { _ = c.Abort(nil) },
		} {
			wg.Go(f)
		}
		wg.Wait()
		s.Close()
	}
}

func TestFromNet(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := inet.FromNet(nc.(*net.TCPConn), "mine")
	if c.Info().Kind != "mine" || c.LocalAddr() != nc.LocalAddr() || c.RemoteAddr() != nc.RemoteAddr() {
		t.Errorf("kind %q, addresses %v and %v", c.Info().Kind, c.LocalAddr(), c.RemoteAddr())
	}
	var _ transport.Stream = c
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
