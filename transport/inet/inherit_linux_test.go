package inet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// helperVar makes the test binary a program that answers on the inherited socket
// which it names.
const helperVar = "INET_TEST_INHERIT"

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(helperVar); ok {
		if err := answer(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// answer tells two clients of the socket what is known about them.
func answer(name string) error {
	a, err := (&inet.Inherit{Socket: name}).Listen(context.Background())
	if err != nil {
		return err
	}
	defer a.Close()
	for range 2 {
		c, err := a.Accept()
		if err != nil {
			return err
		}
		pid := -1
		if cred := c.Info().Cred; cred != nil {
			pid = cred.PID
		}
		fmt.Fprintf(c.(io.Writer), "%s %s %d", c.Info().Kind, c.LocalAddr().Network(), pid)
		c.Close()
	}
	return nil
}

// TestSocketActivation is started by a program of systemd, which passes a socket
// of TCP and one of the file system.
func TestSocketActivation(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Fatal("systemd-socket-activate is not installed; ./check installs it")
	}
	for _, name := range []string{"systemd", "web"} {
		tcp, path := "127.0.0.1:"+freeport.Get(t), filepath.Join(t.TempDir(), "s")
		cmd := exec.Command(activate, "-l", tcp, "-l", path, "--fdname=web:web", "-E", helperVar+"="+name, os.Args[0])
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, to := range [][2]string{{"tcp", tcp}, {"unix", path}} {
			want := "accept-fd " + to[0] + " -1"
			if to[0] == "unix" {
				want = "accept-fd unix " + strconv.Itoa(os.Getpid())
			}
			if got := ask(t, to[0], to[1]); got != want {
				t.Errorf("%s answers %q, want %q", to[0], got, want)
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ask connects, as soon as somebody listens, and reads all.
func ask(t *testing.T, network, addr string) string {
	t.Helper()
	for end := time.Now().Add(transporttest.Patience); ; {
		c, err := net.Dial(network, addr)
		if err != nil {
			if time.Now().After(end) {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond) // no event tells when the other program is ready
			continue
		}
		defer c.Close()
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
}

// inheritable listens and returns the number of a descriptor, as a parent would
// have passed it.
func inheritable(t testing.TB, network, addr string) (number string, at net.Addr) {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	t.Cleanup(func() { f.Close() })
	return strconv.Itoa(int(f.Fd())), ln.Addr()
}

func inheritedPair(t testing.TB, network, addr string) (a, b transport.Conn) {
	number, at := inheritable(t, network, addr)
	acc, err := (&inet.Inherit{Socket: number}).Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { acc.Close() })
	nc, err := net.Dial(network, at.String())
	if err != nil {
		t.Fatal(err)
	}
	if a, err = acc.Accept(); err != nil {
		t.Fatal(err)
	}
	switch nc := nc.(type) {
	case *net.TCPConn:
		return a, inet.FromNet(nc, "peer")
	case *net.UnixConn:
		return a, inet.FromNet(nc, "peer")
	}
	panic("unreachable")
}

func TestAcceptFD(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Kind: kind(t, "accept-fd"),
		Pair: func(t testing.TB) (a, b transport.Conn) { return inheritedPair(t, "tcp", "127.0.0.1:0") },
		Endpoint: func(t testing.TB) transport.Endpoint {
			number, _ := inheritable(t, "tcp", "127.0.0.1:0")
			return &inet.Inherit{Socket: number}
		},
		Addresses: []string{"accept-fd:3", "accept-fd:systemd", "systemd:web.socket", "ACCEPT-FD:0"},
		Bad: map[string]string{
			"accept-fd:-1":  `"-1" is neither the number of a descriptor nor the name of a socket`,
			"accept-fd:a:b": `"a:b" is neither the number of a descriptor nor the name of a socket`,
		},
	})
}

// TestAcceptFDUnix checks connections of a socket in the file system. The suite
// cannot: Abort has no way to look unlike the end there.
func TestAcceptFDUnix(t *testing.T) {
	a, b := inheritedPair(t, "unix", filepath.Join(t.TempDir(), "s"))
	defer a.Close()
	defer b.Close()
	if cred := a.Info().Cred; cred == nil || cred.PID != os.Getpid() || cred.UID != os.Getuid() {
		t.Errorf("Cred is %+v, want this process", cred)
	}
	if got := a.LocalAddr().String(); !strings.HasSuffix(got, "/s") {
		t.Errorf("LocalAddr is %q", got)
	}
	if got := a.RemoteAddr(); got.Network() != "unix" || got.String() != fmt.Sprintf("unnamed (pid %d, uid %d)", os.Getpid(), os.Getuid()) {
		t.Errorf("RemoteAddr is %q of network %q", got, got.Network())
	}
	if _, err := b.(*inet.Conn).Write([]byte("over")); err != nil {
		t.Fatal(err)
	}
	if err := b.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(a.(*inet.Conn), a.(*inet.Conn)); n != 4 || err != nil {
		t.Errorf("echoed %d bytes, error %v", n, err)
	}
	a.Close()
	if got, err := io.ReadAll(b.(*inet.Conn)); string(got) != "over" || err != nil {
		t.Errorf("got %q, error %v", got, err)
	}
}

// TestAcceptFDAgain checks that the socket outlives an acceptor: what connects in
// between waits.
func TestAcceptFDAgain(t *testing.T) {
	number, at := inheritable(t, "tcp", "127.0.0.1:0")
	for range 2 {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := (&inet.Inherit{Socket: number}).Listen(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if s.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("accepted %v, want %v", s.RemoteAddr(), c.LocalAddr())
		}
		s.Close()
		a.Close()
	}
}

func TestAcceptFDErrors(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, _ := pair(t, "tcp", "tcp-listen:127.0.0.1:0")
	fd, err := c.Detach()
	if err != nil {
		t.Fatal(err)
	}
	open := os.NewFile(uintptr(fd), "connection")
	defer open.Close()
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()+1))
	t.Setenv("LISTEN_FDS", "1")
	for _, socket := range []string{strconv.Itoa(int(f.Fd())), strconv.Itoa(fd), "", "systemd", "web"} {
		a, err := (&inet.Inherit{Socket: socket}).Listen(context.Background())
		if err == nil {
			a.Close()
		}
		if !errors.Is(err, transport.ErrUsage) || transport.Hint(err) == "" {
			t.Errorf("%q: error %v, hint %q, want transport.ErrUsage and a hint", socket, err, transport.Hint(err))
		}
	}
	if a, err := (&inet.Inherit{Socket: "9999"}).Listen(context.Background()); err == nil {
		a.Close()
		t.Error("a descriptor that is not open is taken")
	}
}
