package relay_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/relay"
	"golang.org/x/sys/unix"
)

// patience bounds what must happen; no test waits for it unless it fails.
const patience = 2 * time.Minute

// newEngine makes an engine that the test closes.
func newEngine(t *testing.T) *relay.Engine {
	t.Helper()
	e, err := relay.New(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// network makes connected pairs: the near end is the peer's, the far end is a
// descriptor for the engine.
type network struct {
	name string
	pair func(t testing.TB) (peer net.Conn, fd int)
}

func networks(t testing.TB) []network {
	return []network{{"tcp", tcpPair}, {"unix", unixPair}}
}

func tcpPair(t testing.TB) (net.Conn, int) { return pairOf(t, "tcp", "127.0.0.1:0") }

func unixPair(t testing.TB) (net.Conn, int) {
	return pairOf(t, "unix", filepath.Join(t.TempDir(), "s"))
}

func pairOf(t testing.TB, netw, addr string) (net.Conn, int) {
	t.Helper()
	l, err := net.Listen(netw, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial(netw, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return peer, detach(t, far)
}

// detach takes the descriptor out of c.
func detach(t testing.TB, c net.Conn) int {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	var dupErr error
	if err := rc.Control(func(p uintptr) { fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || dupErr != nil {
		t.Fatal(err, dupErr)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return fd
}

// running is a call of Run.
type running struct {
	t   testing.TB
	res chan relay.Result
}

func start(ctx context.Context, t testing.TB, e *relay.Engine, a, b int, o relay.Options) running {
	r := running{t, make(chan relay.Result, 1)}
	go func() {
		res, err := e.Run(ctx, a, b, o)
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		r.res <- res
	}()
	return r
}

func (r running) wait() relay.Result {
	r.t.Helper()
	select {
	case res := <-r.res:
		return res
	case <-time.After(patience):
		r.t.Fatal("the joint did not end")
		return relay.Result{}
	}
}

// word is the byte that belongs at position at in the stream seed, so that a byte
// that is lost, doubled, moved or from another stream shows.
func word(seed uint64, at int64) byte {
	var b [8]byte
	x := (uint64(at)>>3 + seed*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	binary.LittleEndian.PutUint64(b[:], x^x>>29)
	return b[at&7]
}

// send writes n coded bytes in chunks of random size.
func send(w io.Writer, seed uint64, n int64) error {
	rnd := rand.New(rand.NewPCG(seed, 1))
	buf := make([]byte, min(n, 300<<10))
	for at := int64(0); at < n; {
		m := min(n-at, chunk(rnd))
		for i := range buf[:m] {
			buf[i] = word(seed, at+int64(i))
		}
		if _, err := w.Write(buf[:m]); err != nil {
			return fmt.Errorf("write at %d: %w", at, err)
		}
		at += m
	}
	return nil
}

// chunk is small more often than not.
func chunk(rnd *rand.Rand) int64 {
	if rnd.IntN(3) > 0 {
		return 1 + rnd.Int64N(2000)
	}
	return 1 + rnd.Int64N(300<<10)
}

// check reads coded bytes to the end and returns how many were right before err.
func check(r io.Reader, seed uint64) (n int64, err error) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	buf := make([]byte, 64<<10)
	for {
		m, err := r.Read(buf[:min(chunk(rnd), int64(len(buf)))])
		for i, c := range buf[:m] {
			if c != word(seed, n+int64(i)) {
				return n, fmt.Errorf("wrong byte at %d", n+int64(i))
			}
		}
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func closeWrite(c net.Conn) error { return c.(interface{ CloseWrite() error }).CloseWrite() }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

// abortConn closes c with a reset.
func abortConn(t testing.TB, c net.Conn) {
	t.Helper()
	must(t, c.(*net.TCPConn).SetLinger(0))
	must(t, c.Close())
}

// mustReset reads until c ends, which must be by a reset.
func mustReset(t testing.TB, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the peer saw %v, want a reset", err)
	}
}

// descriptors counts the open descriptors of the process.
func descriptors(t testing.TB) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// waitWriteFails waits until the system reports an error on c without any byte
// being written.
func waitWriteFails(t *testing.T, c net.Conn) {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	must(t, err)
	must(t, rc.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd)}}
		for {
			n, err := unix.Poll(p, int(patience.Milliseconds()))
			if err == unix.EINTR {
				continue
			}
			if n != 1 || p[0].Revents&unix.POLLERR == 0 {
				t.Errorf("poll: %d, %v, events %x; want an error", n, err, p[0].Revents)
			}
			return
		}
	}))
}

// signalling calls first once bytes have come.
type signalling struct {
	r     io.Reader
	first func()
}

func (s *signalling) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if n > 0 && s.first != nil {
		s.first()
		s.first = nil
	}
	return n, err
}
