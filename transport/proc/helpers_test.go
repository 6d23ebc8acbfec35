//go:build unix

package proc

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// dialFor opens the address as the end that is joined to other.
func dialFor(t testing.TB, other transport.Conn, text string) (transport.Stream, error) {
	t.Helper()
	name, _, _ := strings.Cut(text, ":")
	k, ok := Kinds().Lookup(name)
	if !ok {
		t.Fatalf("no kind %s", name)
	}
	e, err := transporttest.Fill(k, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ctx := context.Background()
	if other != nil {
		ctx = transport.WithOther(ctx, other)
	}
	c, err := e.(transport.Dialer).Dial(ctx)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.Stream), nil
}

func dial(t testing.TB, text string) transport.Stream {
	t.Helper()
	c, err := dialFor(t, nil, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// run gives the program no input, and returns all that it writes and what Close
// returns.
func run(t testing.TB, text string) (string, error) {
	t.Helper()
	return finish(t, dial(t, text), "")
}

// finish writes input, ends it if that can be done, reads to the end and closes.
func finish(t testing.TB, c transport.Stream, input string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(c, input); err != nil {
		t.Fatalf("write: %v", err)
	}
	if err := c.CloseWrite(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("CloseWrite: %v", err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	out, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read %q, then: %v", out, err)
	}
	return string(out), c.Close()
}

// readUntil reads until the output has want in it.
func readUntil(t testing.TB, c transport.Stream, want string) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	var out strings.Builder
	p := make([]byte, 4096)
	for !strings.Contains(out.String(), want) {
		n, err := c.Read(p)
		out.Write(p[:n])
		if err != nil {
			t.Fatalf("read %q, then %v; want %q", out.String(), err, want)
		}
	}
	return out.String()
}

func wantOutput(t testing.TB, text, want string) {
	t.Helper()
	if got, err := run(t, text); got != want || err != nil {
		t.Errorf("%s: got %q, error %v; want %q", text, got, err, want)
	}
}

func wantExit(t testing.TB, err error, code int) *ExitError {
	t.Helper()
	var e *ExitError
	if !errors.As(err, &e) || e.ExitCode() != code {
		t.Fatalf("error %v, want an ExitError with code %d", err, code)
	}
	return e
}

// wantGone checks that no process of that number is left, not even as a zombie,
// unless it is not ours to wait for.
func wantGone(t testing.TB, pid int) {
	t.Helper()
	var stat []byte
	for range 500 {
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		stat, _ = os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		_, after, _ := strings.Cut(string(stat), ") ")
		if strings.HasPrefix(after, "Z ") && !strings.HasPrefix(after, "Z "+strconv.Itoa(os.Getpid())+" ") {
			return
		}
		time.Sleep(10 * time.Millisecond) // the signal has been sent, and takes its time
	}
	t.Errorf("process %d is still there: %s", pid, stat)
}
