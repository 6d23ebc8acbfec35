//go:build linux

package ipc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// A child is a second process: this test, started again to play a part.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	in    io.WriteCloser
	once  sync.Once // guards Wait
}

// parts are what a child can do. It ends when its standard input does.
var parts = map[string]func(args []string) error{
	"echo":  func(args []string) error { return withConn(args, echoAll) },
	"drain": func(args []string) error { return withConn(args, drainAll) },
	"dial":  dialPart,
	"serve": servePart,
	"squat": squatPart,
}

const partVariable = "TENON_IPC_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		args := strings.Split(part, " ")
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3) // who started us is gone
		}()
		if err := parts[args[0]](args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", part, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startChild starts a child in that part, on those processors ("" is all).
func startChild(t testing.TB, cpus string, part ...string) *child {
	t.Helper()
	args := []string{os.Args[0]}
	if cpus != "" {
		args = append([]string{"taskset", "-c", cpus}, args...)
	}
	return runChild(t, exec.Command(args[0], args[1:]...), part)
}

// startChildAs starts a child as another user, to whom the path of this test may be
// closed.
func startChildAs(t testing.TB, uid uint32, part ...string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return runChild(t, cmd, part)
}

func runChild(t testing.TB, cmd *exec.Cmd, part []string) *child {
	t.Helper()
	cmd.Env = append(os.Environ(), partVariable+"="+strings.Join(part, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, lines: bufio.NewScanner(out), in: in}
	t.Cleanup(func() { in.Close(); c.wait() })
	return c
}

// line returns the next line that the child prints.
func (c *child) line(t testing.TB) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the child says nothing more: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// kill ends the child as nothing else does, and waits until it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	c.wait()
}

func (c *child) wait() { c.once.Do(func() { _ = c.cmd.Wait() }) }

// dialAny dials "shm", "shm-msg" or "unix".
func dialAny(kind, name string) (net.Conn, *MsgConn, error) {
	switch kind {
	case "unix":
		c, err := net.Dial("unix", name)
		return c, nil, err
	case "shm":
		c, err := (&Dial{Name: name}).Dial(context.Background())
		if err != nil {
			return nil, nil, err
		}
		return c.(*Conn), nil, nil
	}
	c, err := (&Dial{Name: name, Messages: true}).Dial(context.Background())
	if err != nil {
		return nil, nil, err
	}
	return nil, c.(*MsgConn), nil
}

// withConn dials args[0], a kind, at args[1], and hands the connection to f.
func withConn(args []string, f func(net.Conn, *MsgConn) error) error {
	c, m, err := dialAny(args[0], args[1])
	if err != nil {
		return err
	}
	if m != nil {
		defer m.Close()
	} else {
		defer c.Close()
	}
	return f(c, m)
}

func echoAll(c net.Conn, m *MsgConn) error {
	pin(nil, 1)
	p := make([]byte, 1<<20)
	for {
		var n int
		var err error
		if m != nil {
			n, _, err = m.ReadMsg(p)
		} else {
			n, err = c.Read(p)
		}
		if err != nil {
			return nil
		}
		if m != nil {
			err = m.WriteMsg(p[:n], transport.Meta{})
		} else {
			_, err = c.Write(p[:n])
		}
		if err != nil {
			return nil
		}
	}
}

func drainAll(c net.Conn, m *MsgConn) error {
	p := make([]byte, 1<<20)
	for {
		var err error
		if m != nil {
			_, _, err = m.ReadMsg(p)
		} else {
			_, err = c.Read(p)
		}
		if err != nil {
			return nil
		}
	}
}
