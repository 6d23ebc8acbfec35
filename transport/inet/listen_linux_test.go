package inet_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
)

// meet connects to the listener's port on host, and checks that it is the listener
// that answers.
func meet(t *testing.T, a acceptor, host string) {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort(host, port(a)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.RemoteAddr().String(), c.LocalAddr().String(); got != want {
		t.Errorf("RemoteAddr is %s, want %s", got, want)
	}
	if got, want := s.LocalAddr().String(), c.RemoteAddr().String(); got != want {
		t.Errorf("LocalAddr is %s, want %s", got, want)
	}
}

func port(a transport.Acceptor) string {
	_, p, _ := net.SplitHostPort(a.Addr().String())
	return p
}

// TestListenLoopback checks that a port alone is one port on both loopback
// addresses, and on nothing else.
func TestListenLoopback(t *testing.T) {
	a := listen(t, "tcp-listen:0")
	want := []string{"127.0.0.1:" + port(a), "[::1]:" + port(a)}
	if got := a.Addrs(); len(got) != 2 || got[0].String() != want[0] || got[1].String() != want[1] {
		t.Fatalf("listens on %v, want %v", got, want)
	}
	for range 3 {
		meet(t, a, "127.0.0.1")
		meet(t, a, "::1")
		meet(t, a, "::1")
	}
	a.Close()
	again := listen(t, "tcp-listen:localhost:"+port(a))
	meet(t, again, "::1")
	meet(t, again, "127.0.0.1")
}

// TestListenHalfTaken checks that a port which is free on one of two addresses is
// not taken: whoever connects to the other would reach a stranger.
func TestListenHalfTaken(t *testing.T) {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	a, err := (&inet.Listen{Addr: ":" + p}).Listen(context.Background())
	if err == nil {
		a.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) || transport.Hint(err) == "" {
		t.Errorf("error %v, hint %q, want EADDRINUSE and a hint", err, transport.Hint(err))
	}
}

func TestListenEverywhere(t *testing.T) {
	for _, text := range []string{"tcp-listen:*:0", "tcp-listen:[::]:0"} {
		a := listen(t, text)
		meet(t, a, "127.0.0.1")
		meet(t, a, "127.0.0.77")
		meet(t, a, "::1")
	}
	a := listen(t, "tcp-listen:0.0.0.0:0")
	meet(t, a, "127.0.0.77")
	if got := a.Addr().(*net.TCPAddr); got.IP.To4() == nil {
		t.Errorf("0.0.0.0 listens on %v", got)
	}
}

// TestListenMany checks that many clients of both addresses all get through, with
// several goroutines that accept.
func TestListenMany(t *testing.T) {
	const clients, acceptors = 200, 4
	a := listen(t, "tcp-listen:0")
	var wg sync.WaitGroup
	for _, host := range []string{"127.0.0.1", "::1"} {
		wg.Go(func() {
			for range clients {
				c, err := net.Dial("tcp", net.JoinHostPort(host, port(a)))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	var serving sync.WaitGroup
	for range acceptors {
		serving.Go(func() {
			for {
				c, err := a.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.(transport.Stream).Write([]byte("x")); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	a.Close()
	serving.Wait()
}

// TestListenErrors checks what cannot be listened on.
func TestListenErrors(t *testing.T) {
	for _, test := range []struct {
		l    inet.Listen
		want error
	}{
		{inet.Listen{}, transport.ErrUsage},
		{inet.Listen{Addr: "8080"}, transport.ErrUsage},
		{inet.Listen{Addr: ":nosuchservice"}, transport.ErrUsage},
		{inet.Listen{Addr: "[::1]:0", Socket: inet.Socket{Family: inet.IPv4}}, transport.ErrUsage},
		{inet.Listen{Addr: "192.0.2.1:0"}, syscall.EADDRNOTAVAIL},
		{inet.Listen{Addr: "[2001:db8::1]:0"}, syscall.EADDRNOTAVAIL},
	} {
		a, err := test.l.Listen(context.Background())
		if err == nil {
			a.Close()
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%+v: error %v, want %v", test.l.Addr, err, test.want)
		}
	}
}

// TestAcceptOutOfDescriptors checks that the system's refusal is returned, and
// that the acceptor goes on when there are descriptors again.
func TestAcceptOutOfDescriptors(t *testing.T) {
	a := listen(t, "tcp-listen:0")
	c, err := net.Dial("tcp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	_, err = a.Accept()
	if serr := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); serr != nil {
		t.Fatal(serr)
	}
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("Accept without descriptors: error %v, want EMFILE", err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
