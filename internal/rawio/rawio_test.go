package rawio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/rawio"
)

// pair returns the two ends of a connection.
func pair(t *testing.T, network string) (c *rawio.Conn, other rawio.Socket) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, other = rawio.New(dialed.(rawio.Socket)), accepted.(rawio.Socket)
	t.Cleanup(func() { c.Close(); other.Close() })
	return c, other
}

func onEach(t *testing.T, f func(t *testing.T, c *rawio.Conn, other rawio.Socket)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			c, other := pair(t, network)
			f(t, c, other)
		})
	}
}

// TestSizes sends pieces of all sizes there and back, so that short ones follow long ones, and ends.
func TestSizes(t *testing.T) {
	onEach(t, func(t *testing.T, c *rawio.Conn, other rawio.Socket) {
		go func() {
			io.Copy(other, struct{ io.Reader }{other})
			other.CloseWrite()
		}()
		for _, size := range []int{1, 64, 4 << 10, 4<<10 + 1, 64, 300 << 10, 1, 0, 2} {
			p := bytes.Repeat([]byte{byte(size)}, size)
			wrote := make(chan error, 1)
			go func() {
				n, err := c.Write(p)
				if err == nil && n != size {
					err = io.ErrShortWrite
				}
				wrote <- err
			}()
			got := make([]byte, size)
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, p) {
				t.Fatalf("%d bytes came back as %d others: %v", size, len(got), err)
			}
			if err := <-wrote; err != nil {
				t.Fatal(err)
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
				t.Fatalf("read %d, %v at the end", n, err)
			}
		}
	})
}

// TestErrors: a Conn fails as its Socket does.
func TestErrors(t *testing.T) {
	same := func(t *testing.T, what string, c *rawio.Conn, call func(net.Conn) error, is error) {
		t.Helper()
		got, want := call(c), call(c.Unwrap())
		if !errors.Is(got, is) || got.Error() != want.Error() {
			t.Errorf("%s: %v, and package net says %v", what, got, want)
		}
		if _, ok := got.(*net.OpError); !ok {
			t.Errorf("%s: a %T", what, got)
		}
	}
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 8)); return err }
	write := func(c net.Conn) error { _, err := c.Write(make([]byte, 8)); return err }
	onEach(t, func(t *testing.T, c *rawio.Conn, other rawio.Socket) {
		c.SetDeadline(time.Unix(1, 0))
		same(t, "read too late", c, read, os.ErrDeadlineExceeded)
		same(t, "write too late", c, write, os.ErrDeadlineExceeded)
		c.SetDeadline(time.Time{})
		c.Close()
		same(t, "read when closed", c, read, net.ErrClosed)
		same(t, "write when closed", c, write, net.ErrClosed)
	})
}

// TestCloseUnblocks: Close ends a Read that waits.
func TestCloseUnblocks(t *testing.T) {
	onEach(t, func(t *testing.T, c *rawio.Conn, other rawio.Socket) {
		done := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 8))
			done <- err
		}()
		c.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	})
}

// TestShortWritesWait: what the socket has no room for is written when there is some, and a deadline
// tells how much was.
func TestShortWritesWait(t *testing.T) {
	onEach(t, func(t *testing.T, c *rawio.Conn, other rawio.Socket) {
		p := bytes.Repeat([]byte("0123456789abcde"), 200)
		total := 0
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			n, err := c.Write(p)
			total += n
			if err == nil {
				continue
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			p = append(p[n:len(p):len(p)], p[:n]...) // goes on where it was cut
			break
		}
		c.SetWriteDeadline(time.Time{})
		done := make(chan error, 1)
		go func() {
			_, err := c.Write(p)
			c.CloseWrite()
			done <- err
		}()
		got, err := io.ReadAll(other)
		if err != nil || len(got) != total+len(p) {
			t.Fatalf("%d bytes came of %d: %v", len(got), total+len(p), err)
		}
		for i := range got {
			if got[i] != "0123456789abcde"[i%15] {
				t.Fatalf("byte %d is wrong", i)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
