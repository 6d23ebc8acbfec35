//go:build linux

package soak

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/join"
)

// The relay, the servers and the clients are processes of their own, because
// ten thousand joints need more descriptors than one process may have. What the
// relay and the servers have to say goes to standard output, a line each.

func TestMain(m *testing.M) {
	switch os.Getenv("TENON_SOAK_PART") {
	case "relay":
		relay(os.Getenv("TENON_SOAK_ARG"))
	case "servers":
		servers()
	default:
		os.Exit(m.Run())
	}
}

// relay is Tenon at work, until standard input ends. It prints its events as JSON,
// and at the end whether anything is left.
func relay(target string) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	o := &tenon.Opener{Events: func(e tenon.Event) {
		mu.Lock()
		defer mu.Unlock()
		out.Encode(e)
	}}
	o.Join(ctx, "tcp-listen:127.0.0.1:0,max=20000", target, join.Options{})
	left := ""
	if !back(goroutines, runtime.NumGoroutine) {
		buf := make([]byte, 1<<16)
		left = fmt.Sprintf("%d goroutines before, %d after\n%s", goroutines, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	}
	if !back(descriptors, openDescriptors) {
		left += fmt.Sprintf("%d descriptors before, %d after", descriptors, openDescriptors())
	}
	out.Encode(map[string]string{"event": "left", "text": left})
}

// back waits until a count has come back to where it began, or nearly: the
// runtime keeps a descriptor for its poller, and the reader of standard input may
// be at its end.
func back(before int, count func() int) bool {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if count() <= before+3 {
			return true
		}
	}
	return false
}

func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// servers play the servers' parts, until standard input ends. The first line is
// the address; each further one is something that should not have happened.
func servers() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		l.Close()
	}()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fmt.Println("accept:", err)
			return
		}
		all.Go(func() {
			if err := serve(c.(*net.TCPConn)); err != nil {
				fmt.Println(err)
			}
		})
	}
}

// serve plays one server's part. The error is a promise that was not kept.
func serve(c *net.TCPConn) error {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte{greeting}); err != nil {
		return nil // as below
	}
	var p plan
	if err := binary.Read(c, binary.BigEndian, &p); err != nil {
		return nil // the client reset before it said anything
	}
	sent := make(chan error, 1)
	if p.Early {
		sent <- serverSends(c, p)
	}
	got, err := receive(c, p.ID, p.Up)
	if !p.Early {
		sent <- serverSends(c, p)
	}
	sendErr := <-sent
	switch {
	case sendErr != nil && !p.cut():
		return fmt.Errorf("server sends: %w; %+v", sendErr, p)
	case p.ClientCuts && err == nil && sendErr == nil && !p.ServerCuts: // a system tells of a reset once
		return fmt.Errorf("the client reset after half its bytes, and the server saw a clean end after %d; %+v", got, p)
	case !p.cut() && (err != nil || got != p.Up):
		return fmt.Errorf("the server read %d bytes, %w; %+v", got, err, p)
	}
	return nil
}

func serverSends(c *net.TCPConn, p plan) error {
	if err := send(c, p.ID^1, 0, p.Down/2); err != nil {
		return err
	}
	if p.ServerCuts {
		c.SetLinger(0)
		return c.Close()
	}
	if err := send(c, p.ID^1, p.Down/2, p.Down); err != nil {
		return err
	}
	return c.CloseWrite()
}

// A part is a process of the soak.
type part struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

func startPart(t *testing.T, name, arg string) *part {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "TENON_SOAK_PART="+name, "TENON_SOAK_ARG="+arg)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	return &part{cmd, stdin, lines}
}

// line returns the next line that the part prints.
func (p *part) line(t *testing.T) string {
	if !p.lines.Scan() {
		t.Fatal("a part of the soak ended: ", p.lines.Err())
	}
	return p.lines.Text()
}
