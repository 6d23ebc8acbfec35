//go:build unix

package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// childEnv names what this program does when it is started again as a child.
const childEnv = "TENON_TEST_CHILD"

// TestMain is the tests, or what they start.
func TestMain(m *testing.M) {
	what := os.Getenv(childEnv)
	if what == "" {
		os.Exit(m.Run())
	}
	f := map[string]func() error{
		"cat": childCat, "unblock": childUnblock, "flood": childFlood, "modes": childModes, "tty": childTTY, "escapes": childEscapes, "say": childSay,
	}[what]
	if err := f(); err != nil {
		fmt.Fprint(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

func child(t testing.TB, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.Stderr = new(bytes.Buffer)
	return cmd
}

func wantChild(t testing.TB, what string, err error, cmd *exec.Cmd) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v: %s", what, err, cmd.Stderr)
	}
}

func stdio() (transport.Stream, error) {
	c, err := new(Stdio).Dial(context.Background())
	if err != nil {
		return nil, err
	}
	return c.(transport.Stream), nil
}

// childCat copies its input to its output, half-closes, and tells on stderr.
func childCat() error {
	s, err := stdio()
	if err != nil {
		return err
	}
	_, err = io.Copy(s, s)
	return errors.Join(err, s.CloseWrite(), s.CloseWrite(), s.Close())
}

// childSay writes to the end that is named, and reads from it.
func childSay() error {
	k, _ := Kinds().Lookup(os.Getenv("TENON_TEST_KIND"))
	e, err := transporttest.Fill(k, os.Getenv("TENON_TEST_ADDRESS"))
	if err != nil {
		return err
	}
	c, err := e.(transport.Dialer).Dial(context.Background())
	if err != nil {
		return err
	}
	_, err = c.(transport.Stream).Write([]byte("said"))
	return errors.Join(err, c.CloseWrite(), c.Close())
}

// childUnblock closes the end while it reads from something that says nothing.
func childUnblock() error {
	s, err := stdio()
	if err != nil {
		return err
	}
	got := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); got <- err }()
	select {
	case err := <-got:
		return fmt.Errorf("read before Close: %w", err)
	case <-time.After(50 * time.Millisecond): // nothing happens
	}
	if err := s.Close(); err != nil {
		return err
	}
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

// childFlood writes until that fails, which must be an error and not a signal.
func childFlood() error {
	s, err := stdio()
	for err == nil {
		_, err = s.Write(make([]byte, 65536))
	}
	if errors.Is(err, syscall.EPIPE) {
		os.Exit(42)
	}
	return err
}

// childModes tells whether the descriptors are non-blocking while they are in use.
func childModes() error {
	s, err := stdio()
	if err != nil {
		return err
	}
	if _, err := s.Read(make([]byte, 1)); err != nil {
		return err
	}
	for fd := range uintptr(2) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			return fmt.Errorf("descriptor %d: flags %#x, error %w", fd, flags, err)
		}
	}
	_, err = s.Write([]byte("ok"))
	return errors.Join(err, s.Close())
}

func childEscapes() error {
	s, err := stdio()
	if err != nil {
		return err
	}
	_, err = s.Write([]byte("\x1b[31mred\u202e\n"))
	return errors.Join(err, s.CloseWrite(), s.Close())
}

// childTTY holds its terminal in raw mode until it gets a signal.
func childTTY() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := (&TTY{Path: os.Getenv("TENON_TEST_TTY")}).Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("raw")
	<-ctx.Done()
	return nil
}

func pipes(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// own returns a descriptor of its own for f, blocking, and closes f.
func own(t testing.TB, f *os.File) int {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return fd
}

func unixPair(t testing.TB) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
}

func taken(t testing.TB, in, out int) transport.Conn {
	t.Helper()
	c, err := takeOver(context.Background(), "-", "stdio", in, out, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stdioPairs makes ends over what a shell and inetd hand to a program.
func stdioPairs() map[string]func(testing.TB) (a, b transport.Conn) {
	overPipes := func(t testing.TB) (a, b transport.Conn) {
		r1, w1 := pipes(t)
		r2, w2 := pipes(t)
		return taken(t, own(t, r1), own(t, w2)), newStream("peer", "peer", r2, fileOut{File: w1})
	}
	return map[string]func(testing.TB) (a, b transport.Conn){
		"pipes": overPipes,
		"pipes of an old kernel": func(t testing.TB) (a, b transport.Conn) {
			a, b = overPipes(t)
			a.(*ender).in.(*shared).nowait.Store(true)
			a.(*ender).out.(*sharedOut).nowait.Store(true)
			return a, b
		},
		"socket": func(t testing.TB) (a, b transport.Conn) {
			f, peer := unixPair(t)
			in, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				t.Fatal(err)
			}
			end := func() error {
				return term.Control(peer, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
			}
			return taken(t, in, own(t, f)), newStream("peer", "peer", peer, fileOut{peer, end})
		},
	}
}

func TestStdio(t *testing.T) {
	for name, pair := range stdioPairs() {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Harness{
				Kind: kindOf(t, "-"), Pair: pair,
				Addresses: []string{"-", "-,raw", "stdio:", "STDIO"},
				Bad:       map[string]string{"stdio:x": "kind - takes no target", "-,row": `unknown option "row"`},
				Options:   map[string]func(*testing.T){"raw": testStdioRaw},
			})
		})
	}
	oneWay := func(name string, options map[string]func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Harness{Kind: kindOf(t, name), Addresses: []string{name + ":"}, Options: options})
		})
	}
	oneWay("stdin", nil)
	oneWay("stdout", map[string]func(*testing.T){"raw": testStdioRaw})
}

func testStdioRaw(t *testing.T) {
	for raw, want := range map[bool]string{false: "^[[31mred", true: "\x1b[31mred"} {
		master, slave, _, err := term.OpenPTY()
		if err != nil {
			t.Fatal(err)
		}
		defer master.Close()
		c, err := takeOver(context.Background(), "-", "stdio", -1, own(t, slave), raw)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.(transport.Stream).Write([]byte("\x1b[31mred")); n != 8 || err != nil {
			t.Errorf("wrote %d bytes, error %v", n, err)
		}
		wantRead(t, master, want)
		c.Close()
	}
}

func TestStdioOfAShell(t *testing.T) {
	t.Run("file to file", func(t *testing.T) {
		cmd, path := child(t, "cat"), filepath.Join(t.TempDir(), "out")
		text := strings.Repeat("0123456789", 100_000)
		in, err := os.Open(written(t, text))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd.Stdin, cmd.Stdout = in, out
		wantChild(t, "cat", cmd.Run(), cmd)
		wantContent(t, path, text)
	})
	t.Run("pipe to pipe", func(t *testing.T) {
		cmd := child(t, "cat")
		text := strings.Repeat("0123456789", 100_000)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		wantChild(t, "cat", err, cmd)
		if string(out) != text {
			t.Errorf("%d bytes came out of %d", len(out), len(text))
		}
	})
	t.Run("nothing", func(t *testing.T) { // the descriptors are closed
		cmd := exec.Command("/bin/sh", "-c", `exec "$0" <&- >&-`, os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"=cat"), new(bytes.Buffer)
		wantChild(t, "cat", cmd.Run(), cmd)
	})
	t.Run("nobody reads", func(t *testing.T) {
		cmd := child(t, "flood")
		r, w := pipes(t)
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		r.Close()
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
			t.Errorf("got %v: %s; want an error of Write, EPIPE", err, cmd.Stderr)
		}
	})
}

func TestStdioCloseEndsRead(t *testing.T) {
	open := map[string]func(*testing.T) (in *os.File, done func()){
		"pipe": func(t *testing.T) (*os.File, func()) {
			r, w := pipes(t)
			return r, func() { r.Close(); w.Close() }
		},
		"terminal": func(t *testing.T) (*os.File, func()) {
			master, slave, _, err := term.OpenPTY()
			if err != nil {
				t.Fatal(err)
			}
			return slave, func() { slave.Close(); master.Close() }
		},
		"socket": func(t *testing.T) (*os.File, func()) {
			a, b := unixPair(t)
			return a, func() { a.Close(); b.Close() }
		},
	}
	for name, f := range open {
		t.Run(name, func(t *testing.T) {
			in, done := f(t)
			defer done()
			cmd := child(t, "unblock")
			cmd.Stdin = in
			wantChild(t, name, cmd.Run(), cmd)
		})
	}
}

// The user's shell reads from the same terminal: its mode is not ours to change.
func TestStdioLeavesTheModeAlone(t *testing.T) {
	master, slave, _, err := term.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	cmd := child(t, "modes")
	cmd.Stdin, cmd.Stdout = slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := master.Write([]byte("x\n")); err != nil {
		t.Fatal(err)
	}
	wantChild(t, "modes", cmd.Wait(), cmd)
	slave.Close()
}

func TestStdioOnATerminal(t *testing.T) {
	master, slave, _, err := term.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	cmd := child(t, "escapes")
	cmd.Stdout = slave
	err = cmd.Run()
	slave.Close()
	wantChild(t, "escapes", err, cmd)
	out, _ := io.ReadAll(masterIn{master})
	if got, want := string(out), "^[[31mred\\u202e\r\n"; got != want {
		t.Errorf("the terminal shows %q, want %q", got, want)
	}
}

func TestStdioTellsTheSize(t *testing.T) {
	master, slave, _, err := term.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := term.SetSize(master, 7, 8); err != nil {
		t.Fatal(err)
	}
	c := taken(t, own(t, slave), -1)
	s, ok := transport.As[transport.Sizer](c)
	if !ok {
		t.Fatal("an end on a terminal has no size")
	}
	if rows, cols := s.WindowSize(); rows != 7 || cols != 8 {
		t.Errorf("size %d, %d", rows, cols)
	}
	changes := s.SizeChanges()
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	<-changes
	if !s.(*screen).Interactive() {
		t.Error("nobody types at the terminal")
	}
	c.Close()
	if _, open := <-changes; open {
		t.Error("a change after Close")
	}
}
