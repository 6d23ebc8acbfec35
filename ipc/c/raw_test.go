//go:build linux

package c

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in a control: docs/protocol/shm.md, "The file".
const (
	tailAt          = 0
	endAt           = 8
	headAt          = 128
	goneAt          = 136
	consumerWaitsAt = 256
	producerWaitsAt = 384
)

// A raw is a peer of a C program that writes into the memory whatever a test wants.
type raw struct {
	conn     *net.UnixConn
	greeting []byte
	files    []*os.File // that came with the greeting
	mem      []byte
	size     int
	out, in  ring // that it puts into, and that it takes out of
}

type ring struct{ control, data []byte }

func (g ring) u64(at int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&g.control[at])) }
func (g ring) u32(at int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&g.control[at])) }

// greet returns the greeting of docs/protocol/shm.md, "Meeting".
func greet(mode uint32, size int) []byte {
	b := append([]byte("TENONSHM"), make([]byte, 24)...)
	binary.NativeEndian.PutUint32(b[8:], 1)
	binary.NativeEndian.PutUint32(b[12:], mode)
	binary.NativeEndian.PutUint64(b[16:], uint64(size))
	binary.NativeEndian.PutUint64(b[24:], uint64(4096+2*size))
	return b
}

// memory makes a memory file with these seals.
func memory(t *testing.T, size, seals int) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("raw", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "raw")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return f
}

const allSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// sealed makes a memory file as the protocol has it.
func sealed(t *testing.T, size int) *os.File {
	t.Helper()
	return memory(t, size, allSeals)
}

func newRaw(t *testing.T, conn *net.UnixConn) *raw {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{conn: conn}
}

// acceptRaw accepts a C program.
func acceptRaw(t *testing.T, ln *net.UnixListener) *raw {
	t.Helper()
	if err := ln.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, conn)
}

// say sends bytes as the greeting, with these files beside it, and maps the first one if
// it is as long as the greeting says.
func (r *raw) say(t *testing.T, greeting []byte, files ...*os.File) *raw {
	t.Helper()
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if _, _, err := r.conn.WriteMsgUnix(greeting, unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
	if len(files) > 0 && len(greeting) == 32 {
		r.mapFile(t, files[0], greeting, true)
	}
	return r
}

// dialRaw connects to a C program that listens, and maps what it hands over.
func dialRaw(t *testing.T, name string) *raw {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, conn)
	r.greeting, r.files = r.receive(t)
	if len(r.files) != 1 {
		t.Fatalf("%d descriptors come with the greeting", len(r.files))
	}
	r.mapFile(t, r.files[0], r.greeting, false)
	return r
}

// receive reads what the socket has, with descriptors.
func (r *raw) receive(t *testing.T) (p []byte, files []*os.File) {
	t.Helper()
	p, oob := make([]byte, 32), make([]byte, 256)
	n, oobn, _, _, err := r.conn.ReadMsgUnix(p, oob)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), "received")
			t.Cleanup(func() { f.Close() })
			files = append(files, f)
		}
	}
	return p[:n], files
}

// mapFile maps the file, if it is right.
func (r *raw) mapFile(t *testing.T, f *os.File, greeting []byte, listener bool) {
	t.Helper()
	size := int(binary.NativeEndian.Uint64(greeting[16:]))
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() || fi.Size() != int64(4096+2*size) {
		return
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 4096+2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	r.mem, r.size = mem, size
	r.out = ring{mem[1024:2048], mem[4096 : 4096+size]}
	r.in = ring{mem[2048:3072], mem[4096+size:]}
	if listener {
		r.out, r.in = r.in, r.out
	}
}

// wake sends a wake-up, whether the other side waits or not. It may have gone.
func (r *raw) wake() *raw {
	_, err := r.conn.Write([]byte{0})
	_ = err // the test sees what the program says
	return r
}

// put puts bytes into the ring, at its beginning, and shows them.
func (r *raw) put(p []byte) *raw {
	copy(r.out.data, p)
	r.out.u64(tailAt).Store(uint64(len(p)))
	return r.wake()
}

// end says that no more comes.
func (r *raw) end() *raw {
	r.out.u32(endAt).Store(1)
	return r.wake()
}

func (r *raw) close() { r.conn.Close() }

// until waits until the other side has written a value. It looks again and again,
// since it sets no flag for which anybody would ring.
func (r *raw) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ok(); {
		if time.Now().After(limit) {
			t.Fatalf("%s does not come", what)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// ended reads the socket to its end.
func (r *raw) ended(t *testing.T) {
	t.Helper()
	p := make([]byte, 64)
	for {
		if _, err := r.conn.Read(p); err != nil {
			if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
				t.Error("the socket does not end")
			}
			return
		}
	}
}
