//go:build linux

package local

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// passers opens two ends joined to each other, of every kind that passes files.
func passers(t *testing.T, f func(t *testing.T, a, b transport.Conn)) {
	for name, listen := range map[string]func(path string) (transport.Listener, transport.Dialer){
		unixKind: func(p string) (transport.Listener, transport.Dialer) { return &UnixListen{Path: p}, &Unix{Path: p} },
		packetKind: func(p string) (transport.Listener, transport.Dialer) {
			return &UnixPacketListen{Path: p}, &UnixPacket{Path: p}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, d := listen(path(t))
			a, b := pair(t, l, d)
			f(t, a, b)
		})
	}
}

func pass(t *testing.T, c transport.Conn, f *os.File) {
	t.Helper()
	if err := c.(transport.FilePasser).SendFile(f); err != nil {
		t.Fatalf("SendFile: %v", err)
	}
}

func receivePassed(t *testing.T, c transport.Conn) *os.File {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(transporttest.Patience))
	f, err := c.(transport.FilePasser).ReceiveFile()
	if err != nil {
		t.Fatalf("ReceiveFile: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// write and read move one piece of data by the way of either sort of end.
func write(t *testing.T, c transport.Conn, text string) {
	t.Helper()
	var err error
	if m, ok := c.(transport.MsgConn); ok {
		err = m.WriteMsg([]byte(text), transport.Meta{})
	} else {
		_, err = io.WriteString(c.(io.Writer), text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(c transport.Conn) (string, error) {
	p := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(transporttest.Patience))
	if m, ok := c.(transport.MsgConn); ok {
		n, _, err := m.ReadMsg(p)
		return string(p[:n]), err
	}
	n, err := c.(io.Reader).Read(p)
	return string(p[:n]), err
}

// raw sends data with any number of descriptors, as another program might.
func raw(t *testing.T, c transport.Conn, data string, fds ...int) {
	t.Helper()
	var u *net.UnixConn
	switch c := c.(type) {
	case *Conn:
		u = c.c.(*net.UnixConn)
	case *packetConn:
		u = c.c
	}
	if _, _, err := u.WriteMsgUnix([]byte(data), unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
}

func fd(t *testing.T, f *os.File) (n int) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n = int(fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A canary is the end of a pipe that is written. The other one reads its end when
// all descriptors of it are closed, wherever they have got to.
func canary(t *testing.T) (w *os.File, closed func()) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w, func() {
		t.Helper()
		w.Close()
		r.SetReadDeadline(time.Now().Add(transporttest.Patience))
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a descriptor of the pipe is still open somewhere: %v", err)
		}
	}
}

// What is passed is the same open file, at the same place, and stays the sender's.
func TestPassFile(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		f, err := os.Create(path(t))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		io.WriteString(f, "one")
		for _, way := range [][2]transport.Conn{{a, b}, {b, a}} {
			pass(t, way[0], f)
			got := receivePassed(t, way[1])
			io.WriteString(got, " more")
			flags, err := unix.FcntlInt(uintptr(fd(t, got)), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("the descriptor is inherited by programs: flags %d, %v", flags, err)
			}
		}
		io.WriteString(f, ".")
		if all, err := os.ReadFile(f.Name()); string(all) != "one more more." {
			t.Errorf("the file has %q, %v", all, err)
		}
	})
}

func TestPassSocket(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		pass(t, a, f)
		f.Close()
		taken, err := net.FileListener(receivePassed(t, b))
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatalf("nobody listens: %v", err)
		}
		c.Close()
	})
}

// A file is at its place in the data.
func TestFileBetweenData(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		w, closed := canary(t)
		write(t, a, "before")
		pass(t, a, w)
		write(t, a, "after")
		p := make([]byte, len("before"))
		if s, ok := b.(transport.Stream); ok {
			io.ReadFull(s, p)
		} else {
			b.(transport.MsgConn).ReadMsg(p)
		}
		receivePassed(t, b).Close()
		after, err := read(b)
		if string(p) != "before" || after != "after" || err != nil {
			t.Errorf("read %q and %q, %v", p, after, err)
		}
		closed()
	})
}

// Whatever else comes is an error, and leaves neither a descriptor nor a trace: the
// next file arrives.
func TestNoFile(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		for name, n := range map[string]int{"no file": 0, "two files": 2, "more files than there is room for": 50} {
			w, closed := canary(t)
			var fds []int
			for range n {
				fds = append(fds, fd(t, w))
			}
			raw(t, a, "x", fds...)
			b.SetReadDeadline(time.Now().Add(transporttest.Patience))
			f, err := b.(transport.FilePasser).ReceiveFile()
			if !errors.Is(err, ErrNoFile) || f != nil {
				t.Errorf("%s: %v, %v; want ErrNoFile", name, f, err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: the error has several lines: %q", name, err)
			}
			closed()
		}
		w, closed := canary(t)
		pass(t, a, w)
		receivePassed(t, b).Close()
		closed()
	})
}

func TestLongMessageWithFile(t *testing.T) {
	p := path(t)
	a, b := pair(t, &UnixPacketListen{Path: p}, &UnixPacket{Path: p})
	w, closed := canary(t)
	raw(t, a, "longer", fd(t, w))
	if f, err := b.(transport.FilePasser).ReceiveFile(); !errors.Is(err, ErrNoFile) {
		t.Errorf("%v, %v; want ErrNoFile", f, err)
	}
	closed()
	w, closed = canary(t)
	raw(t, a, "", fd(t, w)) // an empty message is not the end, and may bring a file
	receivePassed(t, b).Close()
	closed()
}

// Descriptors that nobody asked for are closed by the kernel.
func TestReadDropsFiles(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		w, closed := canary(t)
		raw(t, a, "hello", fd(t, w))
		if got, err := read(b); got != "hello" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
		closed()
		w, closed = canary(t)
		raw(t, a, "never read", fd(t, w))
		b.Close()
		closed()
	})
}

func TestReceiveFileEnds(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		passer := b.(transport.FilePasser)
		b.SetReadDeadline(time.Now().Add(-time.Second))
		if _, err := passer.ReceiveFile(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		b.SetReadDeadline(time.Time{})
		a.CloseWrite()
		if _, err := passer.ReceiveFile(); err != io.EOF {
			t.Errorf("at the end: %v; want io.EOF itself", err)
		}
		b.Close()
		if _, err := passer.ReceiveFile(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := passer.SendFile(os.Stderr); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendFile after Close: %v", err)
		}
	})
}

func TestCloseEndsReceiveFile(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		done := make(chan error, 1)
		go func() { _, err := b.(transport.FilePasser).ReceiveFile(); done <- err }()
		b.Close()
		select {
		case err := <-done:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v; want net.ErrClosed", err)
			}
		case <-time.After(transporttest.Patience):
			t.Error("ReceiveFile goes on after Close")
		}
	})
}

func TestSendClosedFile(t *testing.T) {
	passers(t, func(t *testing.T, a, b transport.Conn) {
		w, _ := canary(t)
		w.Close()
		if err := a.(transport.FilePasser).SendFile(w); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v; want os.ErrClosed", err)
		}
		if err := a.(transport.FilePasser).SendFile(nil); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("nil: %v; want os.ErrInvalid", err)
		}
	})
}

// A Conn over what is no unix socket, such as a VM socket, says that it can't.
func TestPassFileUnsupported(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tcp, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	c := newConn(tcp.(*net.TCPConn), vsockKind, tcp.LocalAddr(), tcp.RemoteAddr())
	if err := c.SendFile(os.Stderr); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SendFile: %v", err)
	}
	if _, err := c.ReceiveFile(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("ReceiveFile: %v", err)
	}
}

// A listening socket goes on without its Acceptor, unless that alone decides who
// may come in.
func TestFilesOfListener(t *testing.T) {
	p := path(t)
	files, err := listening(t, &UnixListen{Path: p}).(transport.Filer).Files()
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	defer files[0].Close()
	ln, err := net.FileListener(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed(t, &Unix{Path: p})
	if c, err := ln.Accept(); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	for _, l := range []*UnixListen{{Path: abstract(t)}, {Path: path(t), Access: Access{AllowUID: []string{"0"}}}} {
		if files, err := listening(t, l).(transport.Filer).Files(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, %v; want ErrUnsupported", l.Path, files, err)
		}
	}
}

func TestFilesOfPacketConn(t *testing.T) {
	p := path(t)
	a, b := pair(t, &UnixPacketListen{Path: p}, &UnixPacket{Path: p})
	files, err := a.(transport.Filer).Files()
	if err != nil {
		t.Fatal(err)
	}
	defer files[0].Close()
	files[0].WriteString("from the file")
	if got, err := read(b); got != "from the file" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestAdmit(t *testing.T) {
	p := path(t)
	a, b := pair(t, &UnixListen{Path: p}, &Unix{Path: p})
	other := Access{AllowUID: []string{"12345"}}
	for _, c := range []transport.Conn{a, b} {
		if err := new(Access).Admit(c); err != nil {
			t.Errorf("this user: %v", err)
		}
		if err := other.Admit(c); !errors.Is(err, transport.ErrDenied) {
			t.Errorf("user 12345 only: %v; want ErrDenied", err)
		}
	}
}
