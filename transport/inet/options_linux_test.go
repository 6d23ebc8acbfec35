package inet_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/transport/inet"
	"golang.org/x/sys/unix"
)

// dialOptions and listenOptions show that each option changes something.
var (
	dialOptions = with(connOptions(func(t *testing.T, option string) *inet.Conn {
		c, _ := pair(t, "tcp,"+option, "tcp-listen:127.0.0.1:0")
		return c
	}), map[string]func(*testing.T){
		"family":     testDialFamily,
		"bind":       testDialBind,
		"sourceport": testDialSourcePort,
		"reuseaddr":  dialSocketOption("reuseaddr,bind=127.0.0.1", unix.SO_REUSEADDR),
		"reuseport":  dialSocketOption("reuseport,bind=127.0.0.1", unix.SO_REUSEPORT),
		"fastopen": func(t *testing.T) {
			c, _ := pair(t, "tcp,fastopen", "tcp-listen:127.0.0.1:0")
			wantOption(t, c, unix.SOL_TCP, unix.TCP_FASTOPEN_CONNECT, 1)
		},
	})
	listenOptions = with(connOptions(func(t *testing.T, option string) *inet.Conn {
		_, c := pair(t, "tcp", "tcp-listen:127.0.0.1:0,"+option)
		return c
	}), map[string]func(*testing.T){
		"family":    testListenFamily,
		"bind":      testListenBind,
		"ipv6only":  testListenIPv6Only,
		"backlog":   testListenBacklog,
		"reuseaddr": testListenReuseAddr,
		"reuseport": testListenReusePort,
		"fastopen":  testListenFastOpen,
	})
)

func with(a, b map[string]func(*testing.T)) map[string]func(*testing.T) {
	for name, f := range b {
		a[name] = f
	}
	return a
}

// connOptions has the checks of what the socket of a connection tells.
func connOptions(open func(t *testing.T, option string) *inet.Conn) map[string]func(*testing.T) {
	is := func(option string, level, opt, want int) func(*testing.T) {
		return func(t *testing.T) { wantOption(t, open(t, option), level, opt, want) }
	}
	text := func(option string, level, opt int, want string) func(*testing.T) {
		return func(t *testing.T) {
			onSocket(t, open(t, option), func(fd int) {
				if got, err := unix.GetsockoptString(fd, level, opt); got != want {
					t.Errorf("with %s: option %d is %q, error %v, want %q", option, opt, got, err, want)
				}
			})
		}
	}
	return map[string]func(*testing.T){
		"interface": text("interface=lo", unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo"),
		"rcvbuf":    is("rcvbuf=100k", unix.SOL_SOCKET, unix.SO_RCVBUF, 2*100<<10), // socket(7): the kernel doubles it
		"sndbuf":    is("sndbuf=100k", unix.SOL_SOCKET, unix.SO_SNDBUF, 2*100<<10),
		"ttl":       is("ttl=7", unix.SOL_IP, unix.IP_TTL, 7),
		"tos":       is("tos=0x10", unix.SOL_IP, unix.IP_TOS, 0x10),
		"mark":      is("mark=0x2a", unix.SOL_SOCKET, unix.SO_MARK, 42),
		"nodelay": func(t *testing.T) {
			wantOption(t, open(t, "nodelay=yes"), unix.SOL_TCP, unix.TCP_NODELAY, 1)
			wantOption(t, open(t, "nodelay=no"), unix.SOL_TCP, unix.TCP_NODELAY, 0)
		},
		"keepalive": func(t *testing.T) {
			wantOption(t, open(t, "nodelay"), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0) // on loopback
			wantOption(t, open(t, "keepalive"), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
			wantOption(t, open(t, "keepalive=no"), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
			c := open(t, "keepalive=40s")
			wantOption(t, c, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
			wantOption(t, c, unix.SOL_TCP, unix.TCP_KEEPIDLE, 40)
			wantOption(t, c, unix.SOL_TCP, unix.TCP_KEEPINTVL, 10)
			wantOption(t, c, unix.SOL_TCP, unix.TCP_KEEPCNT, 4)
		},
		"keepidle":     is("keepidle=33,keepalive", unix.SOL_TCP, unix.TCP_KEEPIDLE, 33),
		"keepintvl":    is("keepalive,keepintvl=1500ms", unix.SOL_TCP, unix.TCP_KEEPINTVL, 2),
		"keepcnt":      is("keepalive,keepcnt=9", unix.SOL_TCP, unix.TCP_KEEPCNT, 9),
		"user-timeout": is("user-timeout=1500ms", unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 1500),
		"congestion": func(t *testing.T) {
			onSocket(t, open(t, "congestion=reno"), func(fd int) {
				got, err := unix.GetsockoptString(fd, unix.SOL_TCP, unix.TCP_CONGESTION)
				if got != "reno" {
					t.Errorf("congestion control is %q, error %v, want reno", got, err)
				}
			})
		},
		"mss": func(t *testing.T) {
			onSocket(t, open(t, "mss=1000"), func(fd int) {
				if got, err := unix.GetsockoptInt(fd, unix.SOL_TCP, unix.TCP_MAXSEG); got > 1000 || got < 900 {
					t.Errorf("largest segment is %d, error %v, want 1000 less the options", got, err)
				}
			})
		},
	}
}

func onSocket(t *testing.T, c syscall.Conn, f func(fd int)) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { f(int(fd)) })
	}
	if err != nil {
		t.Error(err)
	}
}

func wantOption(t *testing.T, c syscall.Conn, level, opt, want int) {
	t.Helper()
	onSocket(t, c, func(fd int) {
		if got, err := unix.GetsockoptInt(fd, level, opt); got != want {
			t.Errorf("option %d of level %d is %d, error %v, want %d", opt, level, got, err, want)
		}
	})
}

func dialSocketOption(option string, opt int) func(*testing.T) {
	return func(t *testing.T) {
		c, _ := pair(t, "tcp,"+option, "tcp-listen:127.0.0.1:0")
		wantOption(t, c, unix.SOL_SOCKET, opt, 1)
		c, _ = pair(t, "tcp,bind=127.0.0.1", "tcp-listen:127.0.0.1:0")
		wantOption(t, c, unix.SOL_SOCKET, opt, 0)
	}
}

func testDialBind(t *testing.T) {
	_, s := pair(t, "tcp,bind=127.0.0.9", "tcp-listen:127.0.0.1:0")
	if host, _, _ := net.SplitHostPort(s.RemoteAddr().String()); host != "127.0.0.9" {
		t.Errorf("the listener sees %v, want 127.0.0.9", s.RemoteAddr())
	}
}

// testDialSourcePort dials twice from one port, whose first connection lingers in
// TIME-WAIT.
func testDialSourcePort(t *testing.T) {
	port := freeport.Get(t)
	for range 2 {
		c, s := pair(t, "tcp,sourceport="+port, "tcp-listen:127.0.0.1:0")
		if _, got, _ := net.SplitHostPort(s.RemoteAddr().String()); got != port {
			t.Errorf("the listener sees %v, want port %s", s.RemoteAddr(), port)
		}
		c.Close()
		s.Close()
	}
}

func testDialFamily(t *testing.T) {
	_, port, _ := net.SplitHostPort(listen(t, "tcp-listen:0").Addr().String())
	for family, want := range map[string]string{"ipv4": "127.0.0.1", "ipv6": "::1"} {
		c, err := fill[*inet.Dial](t, "tcp", "tcp:localhost:"+port+",family="+family).Dial(context.Background())
		if err != nil {
			t.Errorf("family=%s: %v", family, err)
			continue
		}
		if host, _, _ := net.SplitHostPort(c.RemoteAddr().String()); host != want {
			t.Errorf("family=%s: connected to %v, want %s", family, c.RemoteAddr(), want)
		}
		c.Close()
	}
}

func testListenBind(t *testing.T) {
	for host, want := range map[string]string{"127.0.0.3": "127.0.0.3", "[::1]": "::1", "::1": "::1"} {
		a := listen(t, "tcp-listen:0,bind="+host)
		if got, _, _ := net.SplitHostPort(a.Addr().String()); got != want || len(a.Addrs()) != 1 {
			t.Errorf("bind=%s: listens on %v, want %s", host, a.Addrs(), want)
		}
	}
}

func testListenFamily(t *testing.T) {
	for _, host := range []string{"", "*:", "localhost:"} {
		a := listen(t, "tcp-listen:"+host+"0,family=ipv4")
		if got := a.Addr().(*net.TCPAddr); len(a.Addrs()) != 1 || got.IP.To4() == nil {
			t.Errorf("family=ipv4 on %q: listens on %v", host, a.Addrs())
		}
		a = listen(t, "tcp-listen:"+host+"0,family=ipv6")
		if got := a.Addr().(*net.TCPAddr); len(a.Addrs()) != 1 || got.IP.To4() != nil {
			t.Errorf("family=ipv6 on %q: listens on %v", host, a.Addrs())
		}
		wantIPv6Only(t, a, 1)
	}
}

func testListenIPv6Only(t *testing.T) {
	for text, want := range map[string]int{
		"tcp-listen:[::]:0":                      0,
		"tcp-listen:[::]:0,ipv6only":             1,
		"tcp-listen:[::]:0,family=ipv6":          1,
		"tcp-listen:*:0,family=ipv6,ipv6only=no": 0,
		"tcp-listen:*:0":                         0,
	} {
		a := listen(t, text)
		wantIPv6Only(t, a, want)
		if want == 0 {
			meet(t, a, "127.0.0.1")
		}
		meet(t, a, "::1")
	}
}

func wantIPv6Only(t *testing.T, a acceptor, want int) {
	t.Helper()
	onListener(t, a.Addr(), func(fd int) {
		if n, err := unix.GetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY); n != want {
			t.Errorf("%v: IPV6_V6ONLY is %d, error %v, want %d", a.Addr(), n, err, want)
		}
	})
}

// testListenBacklog finds the listening socket among the descriptors: Linux tells
// the limit in tcpi_sacked, see tcp_get_info.
func testListenBacklog(t *testing.T) {
	a := listen(t, "tcp-listen:127.0.0.1:0,backlog=7")
	onListener(t, a.Addr(), func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
		if err != nil || info.Sacked != 7 {
			t.Errorf("the backlog is %+v, error %v, want 7", info, err)
		}
	})
}

func testListenFastOpen(t *testing.T) {
	onListener(t, listen(t, "tcp-listen:127.0.0.1:0,fastopen").Addr(), func(fd int) {
		if n, err := unix.GetsockoptInt(fd, unix.SOL_TCP, unix.TCP_FASTOPEN); n == 0 {
			t.Errorf("the queue for early data is %d, error %v", n, err)
		}
	})
}

func testListenReuseAddr(t *testing.T) {
	for option, want := range map[string]int{"reuseaddr": 1, "reuseaddr=no": 0, "backlog=1": 1} {
		onListener(t, listen(t, "tcp-listen:127.0.0.1:0,"+option).Addr(), func(fd int) {
			if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR); n != want {
				t.Errorf("%s: SO_REUSEADDR is %d, error %v, want %d", option, n, err, want)
			}
		})
	}
}

func testListenReusePort(t *testing.T) {
	a := listen(t, "tcp-listen:127.0.0.1:0,reuseport")
	listen(t, "tcp-listen:"+a.Addr().String()+",reuseport")
	_, err := fill[*inet.Listen](t, "tcp-listen", "tcp-listen:"+a.Addr().String()).Listen(context.Background())
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening on the port without the option: error %v, want EADDRINUSE", err)
	}
}

// onListener calls f with the descriptor of this process that listens on addr.
func onListener(t *testing.T, addr net.Addr, f func(fd int)) {
	t.Helper()
	want := addr.(*net.TCPAddr)
	for fd := range 1 << 10 {
		on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err != nil || on == 0 {
			continue
		}
		if sa, err := unix.Getsockname(fd); err == nil {
			in4, v4 := sa.(*unix.SockaddrInet4)
			in6, v6 := sa.(*unix.SockaddrInet6)
			if v4 && in4.Port == want.Port && want.IP.To4() != nil || v6 && in6.Port == want.Port && want.IP.To4() == nil {
				f(fd)
				return
			}
		}
	}
	t.Errorf("no descriptor listens on %v", addr)
}
