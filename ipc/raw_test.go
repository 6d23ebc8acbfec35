//go:build linux

package ipc

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// A raw is the other side as a program without manners would be: a socket, the
// descriptor of the memory, and all of the memory.
type raw struct {
	sock *net.UnixConn
	memf *os.File
	mem  []byte
	size int // of a ring
}

// rawDial connects to a listener and takes the greeting.
func rawDial(t testing.TB, path string) *raw {
	t.Helper()
	sock, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close() })
	return &raw{sock: sock}
}

// meet takes the greeting and maps the memory.
func (r *raw) meet(t testing.TB) {
	t.Helper()
	b, oob := make([]byte, greetingSize), make([]byte, 64)
	n, oobn, _, _, err := r.sock.ReadMsgUnix(b, oob)
	if err != nil || n != greetingSize {
		t.Fatalf("the greeting has %d bytes, %v", n, err)
	}
	fds := rights(oob[:oobn])
	if len(fds) != 1 {
		t.Fatalf("%d descriptors came with the greeting", len(fds))
	}
	r.memf = os.NewFile(uintptr(fds[0]), "memory")
	r.size = int(binary.NativeEndian.Uint64(b[16:]))
	r.mem, err = unix.Mmap(fds[0], 0, headSize+2*r.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.memf.Close(); _ = unix.Munmap(r.mem) })
}

// u64 and u32 are words of the memory.
func (r *raw) u64(at int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&r.mem[at])) }
func (r *raw) u32(at int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&r.mem[at])) }

// Where things are; ring 0 is from the dialer, which a raw is.
const (
	ctl0 = 1024
	ctl1 = 2048

	tailAt          = 0
	endAt           = 8
	headAt          = 128
	goneAt          = 136
	consumerWaitsAt = 256
	producerWaitsAt = 384
)

// ring wakes the other side, if it is still there.
func (r *raw) ring() { _, _ = r.sock.Write([]byte{0}) }

// rawPair connects a raw to a Conn or a MsgConn.
func rawPair(t testing.TB, messages bool) (*raw, transport.Conn) {
	t.Helper()
	p := newPlace(t)
	a := listening(t, &Listen{Name: p, Messages: messages, Size: MinSize})
	r := rawDial(t, p)
	c, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r.meet(t)
	return r, c
}

// A rawServer listens at a path and does to each client what f does.
func rawServer(t testing.TB, f func(c *net.UnixConn)) (path string) {
	t.Helper()
	path = newPlace(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			f(c)
		}
	}()
	return path
}

// held is what this process holds of connections: descriptors, but for those of the
// runtime's poller, and mapped regions.
func held(t testing.TB) (fds, maps int) {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dir {
		what, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(what, "anon_inode:[event") && !strings.HasPrefix(what, "/proc/") {
			fds++
		}
	}
	return fds, strings.Count(string(text), "memfd:tenon-shm")
}

// wantHeld waits until the process holds no more than that.
func wantHeld(t testing.TB, fds, maps int) {
	t.Helper()
	nowFds, nowMaps := 0, 0
	defer func() {
		if t.Failed() {
			t.Logf("it holds %d descriptors and %d regions, and held %d and %d", nowFds, nowMaps, fds, maps)
		}
	}()
	until(t, "nothing is left", func() bool {
		nowFds, nowMaps = held(t)
		return nowFds <= fds && nowMaps <= maps
	})
}

// dialFor dials with a limit on time.
func dialFor(path string, messages bool, ctx context.Context) (transport.Conn, error) {
	return (&Dial{Name: path, Messages: messages}).Dial(ctx)
}

// TestGreetingInPieces: the greeting may come byte by byte.
func TestGreetingInPieces(t *testing.T) {
	g := greeting{bytesMode, MinSize}
	r, fd, err := createRegion(g)
	if err != nil {
		t.Fatal(err)
	}
	defer r.unmap()
	defer unix.Close(fd)
	path := rawServer(t, func(c *net.UnixConn) {
		b := g.encode()
		for i := range b {
			var oob []byte
			if i == 20 {
				oob = unix.UnixRights(fd)
			}
			_, _, _ = c.WriteMsgUnix(b[i:i+1], oob, nil)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := dialFor(path, false, ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
