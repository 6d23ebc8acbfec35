//go:build linux

package c

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipeFile is a descriptor that is no memory.
func pipeFile(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w
}

// diskFile is a file that anybody can cut short.
func diskFile(t *testing.T, size int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	return f
}

// readOnly is the same memory, which cannot be mapped for writing.
func readOnly(t *testing.T, size int) *os.File {
	t.Helper()
	return memory(t, size, allSeals|unix.F_SEAL_WRITE)
}

// A dialer closes the socket on a greeting that is not as it should be.
func TestHostileGreetings(t *testing.T) {
	const size, file = 4096, 4096 + 2*4096
	number := func(at int, bits int, v uint64) []byte {
		g := greet(0, size)
		if bits == 32 {
			binary.NativeEndian.PutUint32(g[at:], uint32(v))
		} else {
			binary.NativeEndian.PutUint64(g[at:], v)
		}
		return g
	}
	for name, v := range map[string]struct {
		want  string
		greet []byte
		files []*os.File
	}{
		"another protocol":       {"EPROTO", append([]byte("HTTP/1.1"), greet(0, size)[8:]...), []*os.File{sealed(t, file)}},
		"version 2":              {"EPROTO", number(8, 32, 2), []*os.File{sealed(t, file)}},
		"mode 2":                 {"EPROTO", number(12, 32, 2), []*os.File{sealed(t, file)}},
		"mode 1<<31":             {"EPROTO", number(12, 32, 1<<31), []*os.File{sealed(t, file)}},
		"ring of 0":              {"EPROTO", greet(0, 0), []*os.File{sealed(t, 4096)}},
		"ring of 2048":           {"EPROTO", greet(0, 2048), []*os.File{sealed(t, 8192)}},
		"ring of 5000":           {"EPROTO", greet(0, 5000), []*os.File{sealed(t, 4096+10000)}},
		"ring of 2 GiB":          {"EPROTO", greet(0, 1<<31), []*os.File{sealed(t, 4096+1<<32)}},
		"ring of 1<<63":          {"EPROTO", number(16, 64, 1<<63), []*os.File{sealed(t, file)}},
		"another file size":      {"EPROTO", number(24, 64, file+4096), []*os.File{sealed(t, file+4096)}},
		"a short file":           {"EPROTO", greet(0, size), []*os.File{sealed(t, file-4096)}},
		"a long file":            {"EPROTO", greet(0, size), []*os.File{sealed(t, file+4096)}},
		"no file":                {"EPROTO", greet(0, size), nil},
		"two files":              {"EPROTO", greet(0, size), []*os.File{sealed(t, file), sealed(t, file)}},
		"many files":             {"EPROTO", greet(0, size), []*os.File{sealed(t, file), sealed(t, file), sealed(t, file), sealed(t, file)}},
		"a pipe":                 {"EPROTO", greet(0, size), []*os.File{pipeFile(t)}},
		"a file on disk":         {"EPROTO", greet(0, size), []*os.File{diskFile(t, file)}},
		"no seals":               {"EPROTO", greet(0, size), []*os.File{memory(t, file, 0)}},
		"it may shrink":          {"EPROTO", greet(0, size), []*os.File{memory(t, file, unix.F_SEAL_GROW|unix.F_SEAL_SEAL)}},
		"it may grow":            {"EPROTO", greet(0, size), []*os.File{memory(t, file, unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)}},
		"seals may follow":       {"EPROTO", greet(0, size), []*os.File{memory(t, file, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW)}},
		"it may not be written":  {"", greet(0, size), []*os.File{readOnly(t, file)}},
		"the beginning, and end": {"EPROTO", greet(0, size)[:31], []*os.File{sealed(t, file)}},
		"nothing":                {"ECONNRESET", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			d := startEnd(t, checkedEnd(t), howto{role: "dial", name: path, action: "storm"})
			r := acceptRaw(t, ln)
			if v.greet != nil {
				r.saySomething(t, v.greet, v.files)
			}
			if len(v.greet) < 32 {
				r.close()
			} else {
				r.ended(t)
			}
			if v.want != "" {
				d.ends(t, "dial: "+v.want, 3)
			} else {
				d.ends(t, "", 3)
			}
		})
	}
}

// saySomething sends a greeting without looking at the files.
func (r *raw) saySomething(t *testing.T, greeting []byte, files []*os.File) {
	t.Helper()
	var oob []byte
	if len(files) > 0 {
		var fds []int
		for _, f := range files {
			fds = append(fds, int(f.Fd()))
		}
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := r.conn.WriteMsgUnix(greeting, oob, nil); err != nil {
		t.Fatal(err)
	}
}

// A dialer does not wait for ever for somebody who says nothing.
func TestSilentListener(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	defer theirs.Close()
	p := startWith(t, []*os.File{theirs}, checkedEnd(t), "socket", "3", "bytes", "0", "50", "sink")
	p.ends(t, "dial: ETIMEDOUT", 3)
}

// A breach is something that the protocol forbids, on a connection that works.
type breach struct {
	name     string
	messages bool
	action   string // what the C program does meanwhile
	commit   func(t *testing.T, r *raw)
	want     string
	head     uint64 // up to where the program has shown that it has read
}

// record writes what stands before a message.
func (r *raw) record(at int, length, flags uint32) *raw {
	binary.NativeEndian.PutUint32(r.out.data[at:], length)
	binary.NativeEndian.PutUint32(r.out.data[at+4:], flags)
	return r
}

// show shows a tail.
func (r *raw) show(tail uint64) *raw {
	r.out.u64(tailAt).Store(tail)
	return r.wake()
}

func breaches() []breach {
	tail := func(v uint64) func(*testing.T, *raw) {
		return func(_ *testing.T, r *raw) { r.show(v) }
	}
	head := func(v uint64) func(*testing.T, *raw) {
		return func(t *testing.T, r *raw) {
			r.until(t, "tail", func() bool { return r.in.u64(tailAt).Load() > 0 })
			r.in.u64(headAt).Store(v)
			r.wake()
		}
	}
	record := func(length, flags uint32, shown uint64) func(*testing.T, *raw) {
		return func(_ *testing.T, r *raw) { r.record(0, length, flags).show(shown) }
	}
	return []breach{
		{"tail above the ring", false, "sink", tail(4097), "read: EPROTO", 0},
		{"tail far above", false, "sink", tail(1 << 63), "read: EPROTO", 0},
		{"tail of all ones", false, "sink", tail(^uint64(0)), "read: EPROTO", 0},
		{"tail goes back", false, "sink", func(t *testing.T, r *raw) {
			r.show(100)
			r.until(t, "head", func() bool { return r.out.u64(headAt).Load() == 100 })
			r.show(99)
		}, "read: EPROTO", 100},
		{"tail goes back, to what has not been read", true, "echo", func(t *testing.T, r *raw) {
			// The program has read five messages and knows of two more when it
			// waits because there is no room for the answer to the fifth.
			for at := uint64(0); at < 7*1024; at += 1024 {
				r.record(int(at%4096), 1016, 0)
				if at == 2*1024 || at == 6*1024 {
					r.show(at + 1024)
				}
				if at == 2*1024 {
					r.until(t, "head", func() bool { return r.out.u64(headAt).Load() == at+1024 })
				}
			}
			r.until(t, "waiter", func() bool { return r.in.u32(producerWaitsAt).Load() == 1 && r.out.u64(headAt).Load() == 5*1024 })
			r.out.u64(tailAt).Store(6 * 1024)
			r.in.u64(headAt).Store(4096)
			r.wake()
		}, "recv_msg: EPROTO", 5 * 1024},
		{"end 3", false, "sink", func(_ *testing.T, r *raw) { r.out.u32(endAt).Store(3); r.wake() }, "read: EPROTO", 0},
		{"end of all ones", true, "sink", func(_ *testing.T, r *raw) { r.out.u32(endAt).Store(^uint32(0)); r.wake() }, "read: EPROTO", 0},
		{"head above tail", false, "flood", head(1 << 40), "write: EPROTO", 0},
		{"head of all ones", true, "flood", head(^uint64(0)), "write: EPROTO", 0},
		{"head goes back", false, "flood", func(t *testing.T, r *raw) {
			r.until(t, "tail", func() bool { return r.in.u64(tailAt).Load() == 4096 })
			r.in.u64(headAt).Store(4096)
			r.wake()
			r.until(t, "tail", func() bool { return r.in.u64(tailAt).Load() == 8192 })
			r.in.u64(headAt).Store(4095)
			r.wake()
		}, "write: EPROTO", 0},
		{"gone 2", false, "flood", func(_ *testing.T, r *raw) { r.in.u32(goneAt).Store(2); r.wake() }, "write: EPROTO", 0},
		{"tail within a record", true, "sink", record(1000, 0, 1012), "read: EPROTO", 0},
		{"record above the longest", true, "sink", record(1017, 0, 4096), "read: EPROTO", 0},
		{"record of almost 4 GiB", true, "sink", record(0xFFFFFFFE, 0, 4096), "read: EPROTO", 0},
		{"record of 4 GiB less 8", true, "sink", record(0xFFFFFFF8, 0, 4096), "read: EPROTO", 0},
		{"record after tail", true, "sink", record(1009, 0, 1016), "read: EPROTO", 0},
		{"record after the end of the ring", true, "sink", func(t *testing.T, r *raw) {
			r.record(0, 8, 0).show(16)
			r.until(t, "head", func() bool { return r.out.u64(headAt).Load() == 16 })
			for at := 16; at < 4096-1024; at += 1024 {
				r.record(at, 1016, 0).show(uint64(at + 1024))
				r.until(t, "head", func() bool { return r.out.u64(headAt).Load() == uint64(at+1024) })
			}
			r.record(16+3*1024, 1016, 0).show(16 + 4*1024)
		}, "read: EPROTO", 16 + 3*1024},
		{"unknown flags", true, "sink", record(8, 2, 16), "read: EPROTO", 0},
		{"mark after tail", true, "sink", record(0xFFFFFFFF, 0, 8), "read: EPROTO", 0},
		{"mark after tail, later", true, "sink", func(_ *testing.T, r *raw) {
			r.record(0, 8, 0).record(16, 0xFFFFFFFF, 0).show(24)
		}, "read: EPROTO", 0}, // the first one was read, and that is not shown yet
		{"mark at the beginning", true, "sink", record(0xFFFFFFFF, 0, 4096), "read: EPROTO", 0},
		{"part of a record, then the end", true, "sink", func(_ *testing.T, r *raw) { r.record(0, 100, 0).show(8).end() }, "read: EPROTO", 0},
		{"aborted", false, "sink", func(_ *testing.T, r *raw) { r.out.u32(endAt).Store(2); r.put([]byte("data")) }, "read: ECONNRESET", 0},
		{"nobody reads", false, "flood", func(_ *testing.T, r *raw) { r.in.u32(goneAt).Store(1); r.wake() }, "write: EPIPE", 0},
		{"dies", false, "sink", func(_ *testing.T, r *raw) { r.close() }, "read: ECONNRESET", 0},
		{"dies with data in the ring", true, "sink", func(_ *testing.T, r *raw) { r.record(0, 8, 0).show(16); r.close() }, "read: ECONNRESET", 0},
		{"dies while the ring is full", false, "flood", func(t *testing.T, r *raw) {
			r.until(t, "tail", func() bool { return r.in.u64(tailAt).Load() == 4096 })
			r.close()
		}, "write: EPIPE", 0},
		{"half-closes its socket only", false, "sink", func(_ *testing.T, r *raw) { _ = r.conn.CloseWrite() }, "read: ECONNRESET", 0},
		{"17 descriptors", false, "sink", func(t *testing.T, r *raw) { r.descriptors(t, 1, 17) }, "read: EPROTO", 0},
		{"17 descriptors at once", false, "sink", func(t *testing.T, r *raw) { r.descriptors(t, 17, 1) }, "read: EPROTO", 0},
		{"250 descriptors at once", true, "sink", func(t *testing.T, r *raw) { r.descriptors(t, 250, 1) }, "read: EPROTO", 0},
	}
}

// descriptors sends many, until the other side has gone.
func (r *raw) descriptors(t *testing.T, each, times int) {
	t.Helper()
	f := pipeFile(t)
	fds := make([]int, each)
	for i := range fds {
		fds[i] = int(f.Fd())
	}
	for range times {
		if _, _, err := r.conn.WriteMsgUnix([]byte{1}, unix.UnixRights(fds...), nil); err != nil {
			return
		}
	}
}

// pairRaw connects a C program to a raw peer, in either role.
func pairRaw(t *testing.T, role string, how howto) (*program, *raw) {
	t.Helper()
	how.role, how.name, how.ring = role, filepath.Join(t.TempDir(), "s"), 4096
	if role == "listen" {
		p := startEnd(t, checkedEnd(t), how)
		return p, dialRaw(t, how.name)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: how.name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := startEnd(t, checkedEnd(t), how)
	mode := uint32(0)
	if how.messages {
		mode = 1
	}
	return p, acceptRaw(t, ln).say(t, greet(mode, how.ring), sealed(t, 4096+2*how.ring))
}

// A peer that breaks the rules ends its connection with an error, and the program goes on.
func TestHostilePeers(t *testing.T) {
	for _, v := range breaches() {
		for _, role := range []string{"listen", "dial"} {
			t.Run(v.name+" "+role, func(t *testing.T) {
				t.Parallel()
				p, r := pairRaw(t, role, howto{messages: v.messages, action: v.action})
				v.commit(t, r)
				p.ends(t, v.want, 3)
				if got := r.out.u64(headAt).Load(); got != v.head && v.action != "flood" && v.want != "read: ECONNRESET" {
					t.Errorf("the program has read up to %d, want %d", got, v.head)
				}
				if strings.HasSuffix(v.want, "EPROTO") {
					if end, gone := r.in.u32(endAt).Load(), r.out.u32(goneAt).Load(); end != 2 || gone != 1 {
						t.Errorf("the program leaves end %d and gone %d, want 2 and 1", end, gone)
					}
				}
				r.ended(t)
			})
		}
	}
}

// The memory that a C program hands over cannot be taken away under its feet.
func TestMemoryStays(t *testing.T) {
	p, r := pairRaw(t, "listen", howto{action: "sink"})
	if err := r.files[0].Truncate(0); err == nil {
		t.Error("the file was cut short")
	}
	if err := r.files[0].Truncate(1 << 20); err == nil {
		t.Error("the file was made longer")
	}
	r.put([]byte("all is well")).end()
	p.ok(t, 11)
}

// What was written before a death is read first.
func TestDataBeforeDeath(t *testing.T) {
	p, r := pairRaw(t, "dial", howto{messages: true, action: "echo"})
	r.record(0, 8, 1)
	copy(r.out.data[8:], "one more")
	r.show(16)
	r.until(t, "the answer", func() bool { return r.in.u64(tailAt).Load() == 16 })
	if got := string(r.in.data[8:16]); got != "one more" {
		t.Errorf("the answer is %q", got)
	}
	r.close()
	p.ends(t, "recv_msg: ECONNRESET", 3)
}

// A peer that wakes a program and never says anything does not keep a program from looking at
// its clock.
func TestRingingForNothing(t *testing.T) {
	p, r := pairRaw(t, "listen", howto{action: "sink", timeout: 100 * time.Millisecond})
	for noise := make([]byte, 4096); ; {
		if _, err := r.conn.Write(noise); err != nil {
			break
		}
	}
	p.ends(t, "read: ETIMEDOUT", 3)
}

// A ring that comes late, for something that has been read long ago, takes the flag of
// a reader that waits again. It must not miss the next one.
func TestLateRing(t *testing.T) {
	p, r := pairRaw(t, "listen", howto{action: "sink"})
	for i := range uint64(50) {
		r.until(t, "the flag", func() bool { return r.out.u32(consumerWaitsAt).Load() == 1 })
		r.out.u32(consumerWaitsAt).Store(0)
		r.wake() // for nothing
		r.until(t, "the flag", func() bool { return r.out.u32(consumerWaitsAt).Load() == 1 })
		r.out.u64(tailAt).Store(i + 1)
		if r.out.u32(consumerWaitsAt).Swap(0) == 1 {
			r.wake()
		}
		r.until(t, "head", func() bool { return r.out.u64(headAt).Load() == i+1 })
	}
	r.end()
	p.ok(t, 50)
}

// Memory that a peer scribbles over at random, all the time, ends a connection and
// never a program.
func TestScribbler(t *testing.T) {
	for i := range 12 {
		role := []string{"listen", "dial"}[i%2]
		p, r := pairRaw(t, role, howto{messages: i%4 < 2, action: "storm"})
		random := rand.New(rand.NewPCG(uint64(i), 1))
		controls := r.mem[1024:3072]
		for limit := time.Now().Add(patience); ; {
			if time.Now().After(limit) {
				t.Fatal("the program believes everything")
			}
			switch random.IntN(4) {
			case 0:
				controls[random.IntN(len(controls))] = byte(random.Uint32())
			case 1: // something that may look right
				r.out.u64(tailAt).Store(r.out.u64(headAt).Load() + random.Uint64N(uint64(r.size)/8)*8)
			case 2:
				r.in.u64(headAt).Store(r.in.u64(tailAt).Load() - random.Uint64N(uint64(r.size)))
			case 3:
				r.record(random.IntN(r.size/8)*8, random.Uint32N(2000), random.Uint32N(2))
			}
			_ = r.conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
			if _, err := r.conn.Write([]byte{0}); errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
				break
			}
		}
		p.ends(t, "", 3)
		r.close()
	}
}
