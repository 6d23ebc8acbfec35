//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// TestLies has the other side write what it must not, in every field. The
// connection ends with ErrProtocol, for reading and for writing, and another one of
// the same process goes on.
func TestLies(t *testing.T) {
	const max = 1<<64 - 1
	record := func(r *raw, at int, length, flags uint32, tail uint64) {
		r.u32(headSize + at).Store(length)
		r.u32(headSize + at + 4).Store(flags)
		r.u64(ctl0 + tailAt).Store(tail)
	}
	for name, breach := range map[string]struct {
		messages bool
		commit   func(r *raw)
		writes   bool // it is found out by a writer
	}{
		"tail above the ring":     {commit: func(r *raw) { r.u64(ctl0 + tailAt).Store(MinSize + 10 + 1) }},
		"tail at the end of time": {commit: func(r *raw) { r.u64(ctl0 + tailAt).Store(max) }},
		"tail goes back":          {commit: func(r *raw) { r.u64(ctl0 + tailAt).Store(9) }},
		"end":                     {commit: func(r *raw) { r.u32(ctl0 + endAt).Store(3) }},
		"end is all ones":         {commit: func(r *raw) { r.u32(ctl0 + endAt).Store(1<<32 - 1) }},
		"head above tail":         {writes: true, commit: func(r *raw) { r.u64(ctl1 + headAt).Store(MinSize + 11) }},
		"head at the end of time": {writes: true, commit: func(r *raw) { r.u64(ctl1 + headAt).Store(max) }},
		"head goes back":          {writes: true, commit: func(r *raw) { r.u64(ctl1 + headAt).Store(4) }},
		"gone":                    {writes: true, commit: func(r *raw) { r.u32(ctl1 + goneAt).Store(2) }},

		"tail within a record":     {messages: true, commit: func(r *raw) { r.u64(ctl0 + tailAt).Store(32 + 4) }},
		"message longer than tail": {messages: true, commit: func(r *raw) { record(r, 32, 9, 0, 32+16) }},
		"message too long":         {messages: true, commit: func(r *raw) { record(r, 32, MinSize/4-7, 0, 32+2048) }},
		"message of all but ones":  {messages: true, commit: func(r *raw) { record(r, 32, 0xFFFFFFFE, 0, 32+2048) }},
		"message half of all":      {messages: true, commit: func(r *raw) { record(r, 32, 0x7FFFFFFF, 0, 32+2048) }},
		"message 2 to the 31":      {messages: true, commit: func(r *raw) { record(r, 32, 0x80000000, 0, 32+2048) }},
		"flags":                    {messages: true, commit: func(r *raw) { record(r, 32, 1, 2, 32+16) }},
		"mark beyond tail":         {messages: true, commit: func(r *raw) { record(r, 32, skip, 0, 32+16) }},
	} {
		t.Run(name, func(t *testing.T) {
			fds, maps := held(t)
			t.Run("", func(t *testing.T) {
				r, c := rawPair(t, breach.messages)
				other, same := pair(t, breach.messages, MinSize)
				honest(t, r, c)
				call := func() error { return readSome(c) }
				if breach.writes {
					call = func() error { return writeMuch(c) }
				}
				running := start(call) // parked, or about to be
				breach.commit(r)
				r.ring()
				if err := await(t, running, "finding out"); !errors.Is(err, ErrProtocol) {
					t.Errorf("error %v, want ErrProtocol", err)
				}
				if err := readSome(c); !errors.Is(err, ErrProtocol) {
					t.Errorf("reading afterwards: %v, want ErrProtocol", err)
				}
				if err := writeMuch(c); !errors.Is(err, ErrProtocol) {
					t.Errorf("writing afterwards: %v, want ErrProtocol", err)
				}
				if end := r.u32(ctl1 + endAt).Load(); end != aborted {
					t.Errorf("the liar is told %d, want 2", end)
				}
				if _, err := r.sock.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
					t.Errorf("the socket: %v, want its end", err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				if err := readSome(c); !errors.Is(err, net.ErrClosed) {
					t.Errorf("reading after Close: %v, want net.ErrClosed", err)
				}
				transferOne(t, other, same)
			})
			wantHeld(t, fds, maps)
		})
	}
}

// honest exchanges 10 bytes, or a message that takes 32 bytes of the ring, each way.
func honest(t *testing.T, r *raw, c transport.Conn) {
	t.Helper()
	if m, ok := c.(*MsgConn); ok {
		r.u32(headSize).Store(20)
		r.u64(ctl0 + tailAt).Store(32)
		if n, _, err := m.ReadMsg(make([]byte, 100)); n != 20 || err != nil {
			t.Fatalf("ReadMsg: %d, %v", n, err)
		}
		return
	}
	r.u64(ctl0 + tailAt).Store(10)
	if _, err := io.ReadFull(c.(*Conn), make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.(*Conn).Write(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	r.u64(ctl1 + headAt).Store(5)
	if err := linkOf(c).out.p.look(); err != nil {
		t.Fatal(err)
	}
}

func readSome(c transport.Conn) error {
	if m, ok := c.(*MsgConn); ok {
		_, _, err := m.ReadMsg(make([]byte, MinSize))
		return err
	}
	_, err := c.(*Conn).Read(make([]byte, 1000))
	return err
}

// writeMuch writes more than there is room for.
func writeMuch(c transport.Conn) error {
	if m, ok := c.(*MsgConn); ok {
		for {
			if err := m.WriteMsg(make([]byte, 500), transport.Meta{}); err != nil {
				return err
			}
		}
	}
	_, err := c.(*Conn).Write(make([]byte, 2*MinSize))
	return err
}

// transferOne moves a byte or a message.
func transferOne(t *testing.T, from, to transport.Conn) {
	t.Helper()
	var err error
	if m, ok := from.(*MsgConn); ok {
		err = m.WriteMsg([]byte("x"), transport.Meta{})
	} else {
		_, err = from.(*Conn).Write([]byte("x"))
	}
	if err = errors.Join(err, readSome(to)); err != nil {
		t.Errorf("another connection: %v", err)
	}
}

// TestScribbler has the other side write anything anywhere, all the time.
func TestScribbler(t *testing.T) {
	fds, maps := held(t)
	for round := range 40 {
		t.Run("", func(t *testing.T) {
			r, c := rawPair(t, round%2 == 0)
			stop := make(chan struct{})
			scribbled := start(func() error { scribble(r, rand.New(rand.NewPCG(1, uint64(round))), round%4 < 2, stop); return nil })
			deadline := time.Now().Add(100 * time.Millisecond)
			if err := c.SetDeadline(deadline); err != nil {
				t.Fatal(err)
			}
			written := start(func() error {
				for {
					if err := writeMuch(c); err != nil {
						return err
					}
				}
			})
			for {
				if err := readSome(c); err != nil {
					t.Logf("reading ended with: %v", err)
					break
				}
			}
			t.Logf("writing ended with: %v", await(t, written, "writing"))
			close(stop)
			await(t, scribbled, "scribbling")
		})
	}
	wantHeld(t, fds, maps)
}

// scribble writes at random into controls and rings: words that are nearly right,
// or any.
func scribble(r *raw, rnd *rand.Rand, careful bool, stop chan struct{}) {
	words := []int{tailAt, endAt, headAt, goneAt, consumerWaitsAt, producerWaitsAt}
	for {
		select {
		case <-stop:
			return
		default:
		}
		ctl := []int{ctl0, ctl1}[rnd.IntN(2)]
		switch at := ctl + words[rnd.IntN(len(words))]; {
		case careful && rnd.IntN(50) != 0:
			if at == ctl0+tailAt || at == ctl1+headAt {
				r.u64(at).Add(uint64(rnd.IntN(20)) * 8)
			} else if at-ctl >= consumerWaitsAt {
				r.u32(at).Store(uint32(rnd.IntN(2)))
			}
		case rnd.IntN(3) == 0:
			r.u64(at &^ 7).Store(rnd.Uint64())
		default:
			r.u64(at &^ 7).Store(uint64(rnd.IntN(2 * MinSize)))
		}
		r.u32(headSize + rnd.IntN(2*r.size/4)*4).Store([]uint32{rnd.Uint32(), uint32(rnd.IntN(1100)), 0, skip}[rnd.IntN(4)])
		if rnd.IntN(10) == 0 {
			_ = r.sock.SetWriteDeadline(time.Now().Add(time.Millisecond))
			_, _ = r.sock.Write(make([]byte, rnd.IntN(300)))
			runtime.Gosched()
		}
	}
}

// TestFlood: who fills the socket with bytes that nobody needs loses the means to
// wake us, and nothing else happens.
func TestFlood(t *testing.T) {
	r, c := rawPair(t, false)
	park(c)
	if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	read := start(func() error { return readSome(c) })
	until(t, "the reader parks", func() bool { return r.u32(ctl0+consumerWaitsAt).Load() == 1 })
	flood := make([]byte, 1000)
	_ = r.sock.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for sent := 0; ; sent += len(flood) {
		if _, err := r.sock.Write(flood); err != nil {
			t.Logf("%d bytes were sent: %v", sent, err)
			break
		}
	}
	if err := await(t, read, "a read with a deadline"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v, want os.ErrDeadlineExceeded", err)
	}
	r.u64(ctl0 + tailAt).Store(3)
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c.(*Conn), make([]byte, 3)); err != nil {
		t.Errorf("reading after a flood: %v", err)
	}
}

// TestManyDescriptors: one more than may wait ends the connection, and so do many
// at once; none stays open.
func TestManyDescriptors(t *testing.T) {
	send := func(t *testing.T, r *raw, n int) {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		if _, _, err := r.sock.WriteMsgUnix([]byte{1}, unix.UnixRights(fds...), nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range map[string]func(*testing.T, *raw){
		"17 of them": func(t *testing.T, r *raw) {
			for range maxInbox + 1 {
				send(t, r, 1)
			}
		},
		"2 at once":   func(t *testing.T, r *raw) { send(t, r, 2) },
		"253 at once": func(t *testing.T, r *raw) { send(t, r, 253) },
	} {
		t.Run(name, func(t *testing.T) {
			fds, maps := held(t)
			t.Run("", func(t *testing.T) {
				r, c := rawPair(t, false)
				park(c)
				f(t, r)
				for range 2 * maxUnread { // until it reads its socket
					go r.ring()
					_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
					if err := readSome(c); errors.Is(err, ErrProtocol) {
						return
					}
				}
				t.Error("the connection lives on")
			})
			wantHeld(t, fds, maps)
		})
	}
}

// TestSealed: the memory cannot be taken away, nor made longer.
func TestSealed(t *testing.T) {
	r, c := rawPair(t, false)
	for _, size := range []int64{0, headSize, headSize + 2*MinSize + 4096} {
		if err := unix.Ftruncate(int(r.memf.Fd()), size); err != unix.EPERM {
			t.Errorf("a length of %d: %v, want EPERM", size, err)
		}
	}
	// What can be done is to give pages back, which then are zeroes.
	if err := unix.Fallocate(int(r.memf.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, headSize, MinSize); err != nil {
		t.Logf("punching holes: %v", err)
	}
	r.u64(ctl0 + tailAt).Store(100)
	p := make([]byte, 100)
	if _, err := io.ReadFull(c.(*Conn), p); err != nil || p[0] != 0 {
		t.Errorf("read %d, %v", p[0], err)
	}
}

// TestStopsInTheMiddle: a side that closes its socket, or half of it, without a word
// has died.
func TestStopsInTheMiddle(t *testing.T) {
	for name, stop := range map[string]func(*raw){
		"closes":         func(r *raw) { r.sock.Close() },
		"shuts one way":  func(r *raw) { _ = r.sock.CloseWrite() },
		"shuts both":     func(r *raw) { _ = r.sock.CloseWrite(); _ = r.sock.CloseRead() },
		"leaves a stray": func(r *raw) { _, _ = r.sock.Write([]byte{0, 0}); r.sock.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r, c := rawPair(t, false)
			r.u64(ctl0 + tailAt).Store(5)
			stop(r)
			p := make([]byte, 100)
			n, err := c.(*Conn).Read(p)
			if n != 5 || err != nil {
				t.Errorf("read %d, %v; want the 5 bytes that were sent", n, err)
			}
			if _, err := c.(*Conn).Read(p); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("then: %v, want ECONNRESET", err)
			}
			if err := writeMuch(c); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("writing: %v, want EPIPE", err)
			}
			if _, err := linkOf(c).ReceiveFile(); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("receiving a file: %v, want ECONNRESET", err)
			}
		})
	}
}

// TestBadListeners has a dialer meet listeners that are not what they should be.
func TestBadListeners(t *testing.T) {
	good := greeting{bytesMode, MinSize}
	memfd := func(t *testing.T, flags int, size int64, seals int) int {
		fd, err := unix.MemfdCreate("test", flags|unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
		if err == nil {
			err = unix.Ftruncate(fd, size)
		}
		switch {
		case err != nil && flags&unix.MFD_HUGETLB != 0:
			t.Skipf("this kernel makes no files of huge pages: %v", err)
		case err != nil:
			t.Fatal(err)
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	full := int64(good.fileSize())
	say := func(b [greetingSize]byte, fds ...int) func(*net.UnixConn) {
		return func(c *net.UnixConn) { _, _, _ = c.WriteMsgUnix(b[:], unix.UnixRights(fds...), nil) }
	}
	change := func(at int, v byte) [greetingSize]byte { b := good.encode(); b[at] = v; return b }
	for name, f := range map[string]struct {
		fd   func(t *testing.T) []int
		do   func(fds []int) func(*net.UnixConn)
		want error
		hint bool
	}{
		"no seals":     {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, 0)} }, want: ErrProtocol},
		"half sealed":  {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, unix.F_SEAL_GROW)} }, want: ErrProtocol},
		"too short":    {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full-4096, seals)} }, want: ErrProtocol},
		"too long":     {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full+4096, seals)} }, want: ErrProtocol},
		"huge pages":   {fd: func(t *testing.T) []int { return []int{memfd(t, unix.MFD_HUGETLB, 2<<20, seals)} }, want: ErrProtocol},
		"not writable": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals|unix.F_SEAL_WRITE)} }, want: syscall.EPERM},
		"a file": {fd: func(t *testing.T) []int {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_ = f.Truncate(full)
			fd, _ := unix.Dup(int(f.Fd()))
			return []int{fd}
		}, want: ErrProtocol},
		"a file of /dev/shm": {fd: func(t *testing.T) []int {
			f, err := os.CreateTemp("/dev/shm", "tenon-test")
			if err != nil {
				t.Fatal(err)
			}
			os.Remove(f.Name())
			defer f.Close()
			_ = f.Truncate(full)
			fd, _ := unix.Dup(int(f.Fd()))
			return []int{fd}
		}, want: ErrProtocol},
		"a pipe": {fd: func(t *testing.T) []int {
			p := make([]int, 2)
			_ = unix.Pipe(p)
			unix.Close(p[1])
			return p[:1]
		}, want: ErrProtocol},
		"no descriptor": {fd: func(*testing.T) []int { return nil }, want: ErrProtocol},
		"two descriptors": {fd: func(t *testing.T) []int {
			return []int{memfd(t, 0, full, seals), memfd(t, 0, full, seals)}
		}, want: ErrProtocol},
		"another version": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals)} },
			do: func(fds []int) func(*net.UnixConn) { return say(change(8, 2), fds...) }, hint: true},
		"another mode": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals)} },
			do: func(fds []int) func(*net.UnixConn) { return say(change(12, 1), fds...) }, hint: true},
		"no mode": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals)} },
			do: func(fds []int) func(*net.UnixConn) { return say(change(12, 7), fds...) }, want: ErrProtocol},
		"a ring of 4097": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals)} },
			do: func(fds []int) func(*net.UnixConn) { return say(change(16, 1), fds...) }, want: ErrProtocol},
		"another length": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals)} },
			do: func(fds []int) func(*net.UnixConn) { return say(change(24, 1), fds...) }, want: ErrProtocol},
		"a giant ring": {fd: func(t *testing.T) []int { return []int{memfd(t, 0, full, seals)} },
			do: func(fds []int) func(*net.UnixConn) {
				return say(greeting{bytesMode, 1 << 62}.encode(), fds...)
			}, want: ErrProtocol},
		"hangs up": {do: func([]int) func(*net.UnixConn) { return func(c *net.UnixConn) { c.Close() } }, want: syscall.ECONNRESET, hint: true},
		"hangs up in the middle": {do: func([]int) func(*net.UnixConn) {
			return func(c *net.UnixConn) { _, _ = c.Write([]byte(magic)); c.Close() }
		}, want: syscall.ECONNRESET, hint: true},
		"speaks something else": {do: func([]int) func(*net.UnixConn) { return func(c *net.UnixConn) { _, _ = c.Write([]byte("220")) } }, want: errStranger, hint: true},
		"says nothing":          {do: func([]int) func(*net.UnixConn) { return func(*net.UnixConn) {} }, want: context.DeadlineExceeded, hint: true},
		"stops in the middle": {do: func([]int) func(*net.UnixConn) {
			return func(c *net.UnixConn) { _, _ = c.Write([]byte(magic)) }
		}, want: context.DeadlineExceeded, hint: true},
	} {
		t.Run(name, func(t *testing.T) {
			fds, maps := held(t)
			t.Run("", func(t *testing.T) {
				var mine []int
				if f.fd != nil {
					mine = f.fd(t)
				}
				defer closeAll(mine)
				do := say(good.encode(), mine...)
				if f.do != nil {
					do = f.do(mine)
				}
				path := rawServer(t, do)
				dial := func(ctx context.Context) error { _, err := dialFor(path, false, ctx); return err }
				var err error
				if f.want == context.DeadlineExceeded {
					err = untilBound(dial)
				} else {
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					err = dial(ctx)
				}
				if err == nil {
					t.Fatal("it was taken for a listener")
				}
				if f.want != nil && !errors.Is(err, f.want) {
					t.Errorf("error %v, want %v", err, f.want)
				}
				if f.hint && transport.Hint(err) == "" {
					t.Errorf("error %v has no hint", err)
				}
			})
			wantHeld(t, fds, maps)
		})
	}
}
