//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stage tells the parent how far a child has come, and then does nothing more: it
// is about to be killed.
func stage(name string) {
	fmt.Println(name)
	select {}
}

// dialPart dials args[1] and stops at the stage args[0].
func dialPart(args []string) error {
	if args[0] == "connected" || args[0] == "greeted" {
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: args[1]})
		if err != nil {
			return err
		}
		if args[0] == "greeted" {
			if _, _, _, _, err := c.ReadMsgUnix(make([]byte, greetingSize), make([]byte, 64)); err != nil {
				return err
			}
		}
		defer c.Close() // it is not collected before
		stage(args[0])
	}
	c, err := dialFor(args[1], false, context.Background())
	if err != nil {
		return err
	}
	return play(args[0], c.(*Conn))
}

// servePart listens at args[1] and stops at the stage args[0].
func servePart(args []string) error {
	a, err := (&Listen{Name: args[1], Size: 64 << 10}).Listen(context.Background())
	if err != nil {
		return err
	}
	fmt.Println("listening")
	if args[0] == "connected" {
		stage(args[0])
	}
	c, err := a.Accept()
	if err != nil {
		return err
	}
	return play(args[0], c.(*Conn))
}

// play does what a connected side does until it is killed.
func play(at string, c *Conn) error {
	switch at {
	case "connected":
	case "silent", "greeted":
		stage(at)
	case "parked":
		go func() { _, _ = c.Read(make([]byte, 1)) }()
		go func() { _, _ = c.Write(make([]byte, 1<<20)) }()
		for c.in.c.ctl.consumerWaits.load() == 0 || c.out.p.ctl.producerWaits.load() == 0 {
			time.Sleep(time.Millisecond)
		}
		stage(at)
	case "reserved":
		p, err := c.Reserve(1000)
		if err != nil {
			return err
		}
		fill(p, 0)
		stage(at)
	case "half-closed":
		if _, err := c.Write([]byte("all")); err != nil {
			return err
		}
		if err := c.CloseWrite(); err != nil {
			return err
		}
		stage(at)
	case "transfer":
		go func() { _, _ = io.Copy(io.Discard, c) }()
		fmt.Println(at)
		p := make([]byte, 3000)
		for done := 0; ; {
			fill(p, done)
			n, err := c.Write(p)
			if done += n; err != nil {
				return err
			}
		}
	}
	return errors.New("there is no stage " + at)
}

// TestKilledDialer kills a program that dials, at every stage. Who accepts sees a
// failure and not an end, nothing stays, and the next client is served.
func TestKilledDialer(t *testing.T) {
	for _, at := range []string{"connected", "greeted", "silent", "parked", "reserved", "half-closed", "transfer"} {
		t.Run(at, func(t *testing.T) {
			fds, maps := held(t)
			t.Run("", func(t *testing.T) {
				p := newPlace(t)
				a := listening(t, &Listen{Name: p, Size: 64 << 10})
				victim := startChild(t, "", "dial", at, p)
				if at == "connected" {
					victim.line(t)
					victim.kill()
					if c, err := a.Accept(); err == nil {
						survive(t, at, c.(*Conn))
						c.Close()
					} else if !errors.Is(err, syscall.ECONNABORTED) {
						t.Errorf("Accept: %v, want ECONNABORTED", err)
					}
				} else {
					c, err := a.Accept()
					if err != nil {
						t.Fatal(err)
					}
					victim.line(t)
					outlive(t, at, c.(*Conn), victim)
				}
				d, s := connect(t, a, &Dial{Name: p})
				transferOne(t, d, s)
			})
			wantHeld(t, fds, maps)
		})
	}
}

// TestKilledListener kills a program that listens, at every stage. What it leaves is
// its socket, which the next listener takes over.
func TestKilledListener(t *testing.T) {
	for _, at := range []string{"connected", "silent", "parked", "reserved", "half-closed", "transfer"} {
		t.Run(at, func(t *testing.T) {
			fds, maps := held(t)
			t.Run("", func(t *testing.T) {
				p := newPlace(t)
				victim := startChild(t, "", "serve", at, p)
				victim.line(t)
				if at == "connected" {
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					dialing := start(func() error { _, err := dialFor(p, false, ctx); return err })
					victim.line(t)
					victim.kill()
					if err := await(t, dialing, "dialing"); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("Dial: %v, want ECONNRESET or, if it was late, ECONNREFUSED", err)
					}
				} else {
					c, err := dialFor(p, false, context.Background())
					if err != nil {
						t.Fatal(err)
					}
					victim.line(t)
					outlive(t, at, c.(*Conn), victim)
				}
				files, err := os.ReadDir(filepath.Dir(p))
				if err != nil || len(files) != 1 {
					t.Errorf("it leaves %v, %v; want the socket only", files, err)
				}
				a := listening(t, &Listen{Name: p})
				d, s := connect(t, a, &Dial{Name: p})
				transferOne(t, d, s)
			})
			wantHeld(t, fds, maps)
		})
	}
}

// outlive kills the other side while a reader and a writer are at work, or parked.
func outlive(t *testing.T, at string, c *Conn, victim *child) {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	writing := start(func() error {
		p := make([]byte, 1000)
		for {
			if _, err := c.Write(p); err != nil {
				return err
			}
		}
	})
	if at == "transfer" {
		if _, err := io.CopyN(checker{new(int)}, readerOnly{c}, 100_000); err != nil {
			t.Fatal(err)
		}
		go victim.kill()
		n, err := io.Copy(checker{ptr(100_000)}, readerOnly{c})
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %d more bytes: %v, want ECONNRESET", n, err)
		}
		victim.kill() // its sockets end one after the other
	} else {
		victim.kill()
		survive(t, at, c)
	}
	if err := await(t, writing, "writing to who is dead"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing: %v, want EPIPE", err)
	}
	if _, err := c.ReceiveFile(); at != "half-closed" && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("receiving a file: %v, want ECONNRESET", err)
	}
}

// survive reads what is left of who is dead.
func survive(t *testing.T, at string, c *Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	left, err := io.ReadAll(readerOnly{c})
	if at == "half-closed" {
		if err != nil || string(left) != "all" {
			t.Errorf("read %q, %v; want all, and the end of file", left, err)
		}
		return
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %d bytes: %v, want ECONNRESET", len(left), err)
	}
}

// A checker is a Writer of coded bytes.
type checker struct{ at *int }

func (c checker) Write(p []byte) (int, error) {
	err := check(p, *c.at)
	*c.at += len(p)
	return len(p), err
}

func ptr(n int) *int { return &n }

// TestKilledInTransfer kills a writer at random moments: all that arrives is right,
// and the end is never taken for a good one.
func TestKilledInTransfer(t *testing.T) {
	p := newPlace(t)
	a := listening(t, &Listen{Name: p, Size: MinSize})
	for i := range 15 {
		victim := startChild(t, "", "dial", "transfer", p)
		c, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		victim.line(t)
		timer := time.AfterFunc(time.Duration(i*300)*time.Microsecond, victim.kill)
		at := new(int)
		_, err = io.Copy(checker{at}, readerOnly{c.(*Conn)})
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %d bytes: %v, want ECONNRESET", *at, err)
		}
		timer.Stop()
		c.Close()
	}
}

// TestMemoryIsFreed: the memory of a connection is gone when both sides are, however
// they went.
func TestMemoryIsFreed(t *testing.T) {
	p := newPlace(t)
	a := listening(t, &Listen{Name: p, Size: 64 << 20})
	victim := startChild(t, "", "dial", "silent", p)
	c, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	victim.line(t)
	before := shmem(t)
	if _, err := c.(*Conn).Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	used := shmem(t) - before
	if used < 60<<20 {
		t.Skipf("the system does not tell what memory is shared, or others free some: %d bytes more", used)
	}
	victim.kill()
	c.Close()
	until(t, "the memory is freed", func() bool { return shmem(t)-before < 32<<20 })
}

// shmem is how much shared memory the machine uses.
func shmem(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	var kb int64
	for line := range strings.Lines(string(text)) {
		if n, _ := fmt.Sscanf(line, "Shmem: %d kB", &kb); n == 1 {
			break
		}
	}
	return kb << 10
}
