package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

// A testProxy is a proxy as the joint makes one of a server layer: it connects to
// what the client wants, if that is permitted, and answers.
type testProxy struct {
	layer transport.Layer
	from  net.Addr // where clients seem to come from; nil: where they do
	wg    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns []io.Closer
	errs  []error // what became of each client
	peers []string
}

// startProxy serves layer on the loopback until the test ends, and returns the
// address.
func startProxy(t testing.TB, p *testProxy) (addr string) {
	t.Helper()
	l := listen(t)
	p.wg.Go(func() { p.accept(l) })
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return l.Addr().String()
}

func (p *testProxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.keep(c)
		p.wg.Go(func() {
			err := p.serve(c.(*net.TCPConn))
			p.mu.Lock()
			p.errs = append(p.errs, err)
			p.mu.Unlock()
		})
	}
}

func (p *testProxy) keep(c io.Closer) {
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
}

func (p *testProxy) serve(tcp *net.TCPConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var inner transport.Stream = newTCPConn(tcp, "tcp-listen")
	if p.from != nil {
		c := newConn("test", inner, nil)
		c.remote = p.from
		inner = c
	}
	wrapped, err := p.layer.Wrap(ctx, inner, transport.Accepted)
	if err != nil {
		return err
	}
	defer wrapped.Close()
	client := wrapped.(*caller)
	p.mu.Lock()
	p.peers = append(p.peers, client.Info().Peer)
	p.mu.Unlock()
	d := net.Dialer{Control: func(_, addr string, _ syscall.RawConn) error {
		return client.Permit(netip.MustParseAddrPort(addr))
	}}
	server, err := d.DialContext(ctx, "tcp", client.Target())
	if err != nil {
		return errors.Join(client.Answer(nil, err), err)
	}
	defer server.Close()
	p.keep(server)
	if err := client.Answer(server.LocalAddr(), nil); err != nil {
		return err
	}
	return joined(client, server.(*net.TCPConn))
}

// halfCloser is what joined needs of either side.
type halfCloser interface {
	io.ReadWriter
	CloseWrite() error
}

func joined(a, b halfCloser) error {
	back := make(chan error)
	go func() { back <- oneWay(a, b) }()
	err := oneWay(b, a)
	return errors.Join(err, <-back)
}

// oneWay hides ReadFrom and WriteTo, so that a test sees what Read and Write do.
func oneWay(to, from halfCloser) error {
	_, err := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
	return errors.Join(err, to.CloseWrite())
}

// lastError waits until n clients have been served, and returns what became of the
// last.
func (p *testProxy) lastError(t testing.TB, n int) error {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		p.mu.Lock()
		if len(p.errs) >= n {
			defer p.mu.Unlock()
			return p.errs[n-1]
		}
		p.mu.Unlock()
	}
	t.Fatalf("fewer than %d clients have been served", n)
	return nil
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// startServer has serve speak with each client that connects, until the test ends.
func startServer(t testing.TB, serve func(c *net.TCPConn)) (addr string) {
	t.Helper()
	l := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// startEcho is a server that sends back in capitals, so that nobody can mistake
// what was sent for what came back.
func startEcho(t testing.TB) (addr string) {
	return startServer(t, func(c *net.TCPConn) {
		data, _ := io.ReadAll(c)
		_, _ = c.Write([]byte(strings.ToUpper(string(data))))
	})
}

// dialTCP connects to addr as a transport would.
func dialTCP(t testing.TB, addr string) transport.Stream {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	s := newTCPConn(c.(*net.TCPConn), "tcp")
	t.Cleanup(func() { s.Close() })
	return s
}

// wrap wraps inner as the dialing side.
func wrap(t testing.TB, l transport.Layer, inner transport.Conn) (transport.Stream, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := l.Wrap(ctx, inner, transport.Dialed)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.Stream), nil
}

// exchange sends text, half-closes, and returns all that comes back.
func exchange(t testing.TB, c transport.Stream, text string) string {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// run runs a program with input and returns what it prints.
func run(t testing.TB, input, name string, args ...string) (stdout string, err error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; ./check installs it", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(input)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s %s: %v: %s", name, strings.Join(args, " "), err, errOut.String())
	}
	return string(out), err
}

// bind returns an endpoint of the kind with options set, "name=value" each.
func bind(t testing.TB, e transport.Endpoint, options ...string) {
	t.Helper()
	var s opt.Set
	e.Bind(&s)
	for _, o := range options {
		name, value, has := strings.Cut(o, "=")
		if err := s.Set(name, value, has); err != nil {
			t.Fatalf("%s: %v", o, err)
		}
	}
}

func splitHostPort(t testing.TB, addr string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// background runs a program that listens at addr until the test ends, and returns
// addr once it does.
func background(t testing.TB, addr, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; ./check installs it", name)
	}
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatalf("%s does not listen", name)
	return ""
}
