package inet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/mem"
	"golang.org/x/sys/unix"
)

// names is a resolver that knows a few names.
type names map[string][]netip.Addr

func (n names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if host == "slow" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if n[host] == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return n[host], nil
}

func (names) LookupPort(ctx context.Context, network, service string) (int, error) {
	return net.DefaultResolver.LookupPort(ctx, network, service)
}

var (
	v4 = netip.MustParseAddr("127.0.0.1")
	v6 = netip.IPv6Loopback()
)

// deaf returns a port of the address that neither takes nor refuses connections,
// as of a machine that is not there: the queue of its socket is full.
func deaf(t *testing.T, ip netip.Addr) string {
	t.Helper()
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: v4.As4()})
	if ip.Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Addr: ip.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, sa), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	if sa, err = unix.Getsockname(fd); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		c, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(c) })
		_ = unix.Connect(c, sa)
	}
	if in, ok := sa.(*unix.SockaddrInet6); ok {
		return strconv.Itoa(in.Port)
	}
	return strconv.Itoa(sa.(*unix.SockaddrInet4).Port)
}

// TestDialFallsBack checks that an address that refuses costs nothing, and one
// that is silent only the head start of RFC 8305.
func TestDialFallsBack(t *testing.T) {
	both := names{"both": {v6, v4}}
	a := listen(t, "tcp-listen:127.0.0.1:0")
	start := time.Now()
	c, err := (&inet.Dial{Addr: "both:" + port(a), Resolver: both}).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if took := time.Since(start); took > 200*time.Millisecond {
		t.Errorf("with an address that refuses it took %v", took)
	}
	silent := deaf(t, v6)
	a = listen(t, "tcp-listen:127.0.0.1:"+silent)
	start = time.Now()
	c, err = (&inet.Dial{Addr: "both:" + port(a), Resolver: both}).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if took := time.Since(start); took < 200*time.Millisecond || took > 2*time.Second {
		t.Errorf("with an address that is silent it took %v, want about 250ms", took)
	}
	if got := c.RemoteAddr().String(); got != "127.0.0.1:"+silent {
		t.Errorf("connected to %s", got)
	}
	if _, err := c.(*inet.Conn).Write([]byte("x")); err != nil {
		t.Error(err)
	}
}

// TestDialTimeout checks that a context ends an attempt that nobody answers, and
// that nothing of it is left; the race detector and the goroutines of the test
// tell.
func TestDialTimeout(t *testing.T) {
	for _, ips := range [][]netip.Addr{{v6}, {v6, v6}} {
		d := &inet.Dial{Addr: "silent:" + deaf(t, v6), Resolver: names{"silent": ips}}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		_, err := d.Dial(ctx)
		cancel()
		if !errors.Is(err, transport.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want transport.ErrTimeout and context.DeadlineExceeded", err)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("changed my mind")
	time.AfterFunc(20*time.Millisecond, func() { cancel(reason) })
	_, err := (&inet.Dial{Addr: "slow:1", Resolver: names{}}).Dial(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("error %v, want context.Canceled and its cause", err)
	}
}

// TestDialErrors checks which errors are told, and which of several.
func TestDialErrors(t *testing.T) {
	closed := freeport.Get(t)
	r := names{
		"two":   {netip.MustParseAddr("2001:db8::1"), v4}, // no way there, and refused
		"gone":  {v4},
		"only6": {v6},
	}
	for _, test := range []struct {
		d    inet.Dial
		want error
		text string
	}{
		{inet.Dial{Addr: "127.0.0.1:" + closed}, syscall.ECONNREFUSED, "dial tcp 127.0.0.1:" + closed + ": connect: connection refused"},
		{inet.Dial{Addr: "gone:" + closed}, syscall.ECONNREFUSED, ""},
		{inet.Dial{}, transport.ErrUsage, "there is no host and port to connect to"},
		{inet.Dial{Addr: "example.org"}, transport.ErrUsage, `"example.org" is not HOST:PORT`},
		{inet.Dial{Addr: "example.org:"}, transport.ErrUsage, ""},
		{inet.Dial{Addr: "127.0.0.1:nosuchservice"}, transport.ErrUsage, ""},
		{inet.Dial{Addr: "127.0.0.1:1", Socket: inet.Socket{Family: inet.IPv6}}, transport.ErrUsage, "127.0.0.1 is not an address of family ipv6"},
		{inet.Dial{Addr: "127.0.0.1:1", LocalAddr: "::1"}, transport.ErrUsage, ""},
		{inet.Dial{Addr: "127.0.0.1:1", LocalAddr: "192.0.2.1"}, syscall.EADDRNOTAVAIL, ""},
		{inet.Dial{Addr: "127.0.0.1:1", Socket: inet.Socket{Interface: "nosuch0"}}, syscall.ENODEV, ""},
		{inet.Dial{Addr: "127.0.0.1:1", Tuning: inet.Tuning{Congestion: "nosuch"}}, syscall.ENOENT, ""},
	} {
		if test.d.Resolver == nil {
			test.d.Resolver = r
		}
		c, err := test.d.Dial(context.Background())
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, test.want) || test.text != "" && err.Error() != test.text {
			t.Errorf("%s: error %v, want %v %s", test.d.Addr, err, test.want, test.text)
		}
	}
	_, err := (&inet.Dial{Addr: "nowhere:1", Resolver: r}).Dial(context.Background())
	if dns := (*net.DNSError)(nil); !errors.As(err, &dns) || transport.Hint(err) == "" {
		t.Errorf("unknown name: error %v, hint %q", err, transport.Hint(err))
	}
	if _, err := (&inet.Dial{Addr: "only6:1", Resolver: r, Socket: inet.Socket{Family: inet.IPv4}}).Dial(context.Background()); err == nil {
		t.Error("an address of IPv6 is used with family=ipv4")
	}
}

// TestDialItself checks that a socket is not connected to itself, which TCP allows
// and which would look like a server that echoes.
func TestDialItself(t *testing.T) {
	p := freeport.Get(t)
	c, err := (&inet.Dial{Addr: "127.0.0.1:" + p, LocalAddr: "127.0.0.1:" + p}).Dial(context.Background())
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want ECONNREFUSED", err)
	}
}

// A caller is the end of a client that wants to go somewhere.
type caller struct {
	transport.Conn
	target string
	asked  []netip.AddrPort
	denied netip.Addr
}

func (c *caller) Target() string { return c.target }

func (c *caller) Permit(a netip.AddrPort) error {
	c.asked = append(c.asked, a)
	if a.Addr() == c.denied {
		return transport.Mark(errors.New("not there"), transport.ErrDenied)
	}
	return nil
}

func (c *caller) Answer(net.Addr, error) error { return nil }

// TestDialForCaller checks that without a target Dial goes where the client of the
// other end wants, and that each address is permitted in the form in which it is
// reached: not mapped into IPv6, not unspecified.
func TestDialForCaller(t *testing.T) {
	end, far := mem.Pair()
	defer end.Close()
	defer far.Close()
	a := listen(t, "tcp-listen:0")
	p := port(a)
	mapped := netip.MustParseAddr("::ffff:127.0.0.1")
	r := names{"host": {v6, v4}, "trick": {mapped}}
	for _, test := range []struct {
		target string
		denied netip.Addr
		want   string // connected to; "" if refused
		asked  string
	}{
		{"host:" + p, netip.Addr{}, "[::1]:" + p, "[::1]:" + p},
		{"host:" + p, v6, "127.0.0.1:" + p, "[::1]:" + p + " 127.0.0.1:" + p},
		{"[::1]:" + p, v6, "", "[::1]:" + p},
		{"trick:" + p, v4, "", "127.0.0.1:" + p},
		{"[::ffff:127.0.0.1]:" + p, v4, "", "127.0.0.1:" + p},
		{"0.0.0.0:" + p, v4, "", "127.0.0.1:" + p},
		{"[::]:" + p, v6, "", "[::1]:" + p},
	} {
		other := &caller{Conn: end, target: test.target, denied: test.denied}
		c, err := (&inet.Dial{Resolver: r}).Dial(transport.WithOther(context.Background(), other))
		var asked []string
		for _, a := range other.asked {
			asked = append(asked, a.String())
		}
		if got := strings.Join(asked, " "); got != test.asked {
			t.Errorf("%s: asked about %s, want %s", test.target, got, test.asked)
		}
		if test.want == "" {
			if !errors.Is(err, transport.ErrDenied) {
				t.Errorf("%s: error %v, want transport.ErrDenied", test.target, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.target, err)
			continue
		}
		if got := c.RemoteAddr().String(); got != test.want {
			t.Errorf("%s: connected to %s, want %s", test.target, got, test.want)
		}
		c.Close()
	}
	for _, bad := range []string{"", "host", "host:99999", "::1:80", "a:b:c", "[::1", "host:-1", "\x00:1"} {
		c, err := (&inet.Dial{Resolver: r}).Dial(transport.WithOther(context.Background(), &caller{Conn: end, target: bad}))
		if err == nil {
			c.Close()
			t.Errorf("target %q is connected to", bad)
		}
	}
}
