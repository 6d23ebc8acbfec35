//go:build linux

package ipc

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// TestLendStream moves a stream without a copy at either side.
func TestLendStream(t *testing.T) {
	a, b := streams(t, MinSize)
	const total = 100_000
	sent := start(func() error {
		for done := 0; done < total; {
			p, err := a.Reserve(min(1000, total-done))
			if err != nil {
				return err
			}
			fill(p, done)
			if err := a.Commit(len(p)); err != nil {
				return err
			}
			done += len(p)
		}
		return a.CloseWrite()
	})
	done := 0
	for {
		p, err := b.Peek()
		if err == io.EOF {
			break
		}
		if err != nil || len(p) == 0 {
			t.Fatalf("Peek: %d bytes, %v", len(p), err)
		}
		n := (len(p) + 1) / 2
		if err := errors.Join(check(p[:n], done), b.Release(n)); err != nil {
			t.Fatal(err)
		}
		done += n
	}
	if err := await(t, sent, "sending"); err != nil || done != total {
		t.Errorf("%d bytes arrived, %v", done, err)
	}
}

// TestLendMessages moves messages without a copy at either side.
func TestLendMessages(t *testing.T) {
	a, b := messages(t, MinSize)
	const n = 2000
	sent := start(func() error {
		for i := range n {
			p, err := a.Reserve(i % 1000)
			if err != nil {
				return err
			}
			fill(p, i)
			if i%5 == 0 { // another one instead, shorter
				if err := a.Commit(-1, transport.Meta{}); err != nil {
					return err
				}
				if p, err = a.Reserve(1000); err != nil {
					return err
				}
				fill(p, i)
			}
			if err := a.Commit(i%1000, transport.Meta{Text: i%2 == 0}); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range n {
		p, m, err := b.Peek()
		if err != nil || len(p) != i%1000 || m.Text != (i%2 == 0) {
			t.Fatalf("Peek of message %d: %d bytes, %v, %v", i, len(p), m, err)
		}
		if err := errors.Join(check(p, i), b.Release()); err != nil {
			t.Fatal(err)
		}
	}
	if err := await(t, sent, "sending"); err != nil {
		t.Error(err)
	}
}

// TestLentMemoryOutlivesClose: whoever holds memory that was lent may use it until
// it gives it back, whatever happens; then it is gone.
func TestLentMemoryOutlivesClose(t *testing.T) {
	for _, msgs := range []bool{false, true} {
		_, maps := held(t)
		a, b := pair(t, msgs, MinSize)
		var out, in []byte
		var err1, err2, err3 error
		if m, ok := a.(*MsgConn); ok {
			err1 = m.WriteMsg([]byte("sent"), transport.Meta{})
			out, err2 = m.Reserve(10)
			in, _, err3 = b.(*MsgConn).Peek()
		} else {
			_, err1 = a.(*Conn).Write([]byte("sent"))
			out, err2 = a.(*Conn).Reserve(10)
			in, err3 = b.(*Conn).Peek()
		}
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		a.Close()
		b.Close()
		copy(out, "0123456789")
		if string(in) != "sent" {
			t.Errorf("what was lent is %q after Close", in)
		}
		if _, now := held(t); now != maps+2 {
			t.Errorf("%d regions are mapped while memory is lent, want 2 more than %d", now, maps)
		}
		if m, ok := a.(*MsgConn); ok {
			err1, err2 = m.Commit(10, transport.Meta{}), b.(*MsgConn).Release()
		} else {
			err1, err2 = a.(*Conn).Commit(10), b.(*Conn).Release(4)
		}
		if !errors.Is(err1, net.ErrClosed) || !errors.Is(err2, net.ErrClosed) {
			t.Errorf("giving it back: %v, %v; want net.ErrClosed", err1, err2)
		}
		if _, now := held(t); now != maps {
			t.Errorf("%d regions are mapped afterwards, want %d", now, maps)
		}
	}
}

// TestLendInOrder: calls that would move what is lent are refused, and what is given
// back must have been lent.
func TestLendInOrder(t *testing.T) {
	a, b := streams(t, MinSize)
	if err := a.Commit(0); err == nil {
		t.Error("Commit without Reserve")
	}
	if err := a.Release(0); err == nil {
		t.Error("Release without Peek")
	}
	p, err := a.Reserve(10)
	if err != nil || len(p) != 10 || cap(p) != 10 {
		t.Fatalf("Reserve: %d, %d, %v", len(p), cap(p), err)
	}
	if _, err := a.Write([]byte("x")); err != errorIn(err, errReserved) {
		t.Errorf("Write: %v", err)
	}
	if _, err := a.Reserve(1); err != errorIn(err, errReserved) {
		t.Errorf("Reserve: %v", err)
	}
	if err := a.Commit(11); err == nil {
		t.Error("Commit of more than was reserved")
	}
	copy(p, "0123456789")
	if err := a.Commit(3); err != nil {
		t.Error(err)
	}
	if p, err = b.Peek(); err != nil || string(p) != "012" {
		t.Fatalf("Peek: %q, %v", p, err)
	}
	if _, err := b.Read(make([]byte, 1)); err != errorIn(err, errPeeked) {
		t.Errorf("Read: %v", err)
	}
	if err := b.Release(4); err == nil {
		t.Error("Release of more than was there")
	}
	if err := b.Release(1); err != nil {
		t.Error(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "12" {
		t.Errorf("read %q, %v", got, err)
	}
	m, _ := messages(t, MinSize)
	if _, err := m.Reserve(m.MaxMsg() + 1); !errors.Is(err, transport.ErrMsgTooLong) {
		t.Errorf("Reserve of too much: %v, want ErrMsgTooLong", err)
	}
}

// errorIn returns err if it matches want, else want.
func errorIn(err, want error) error {
	if errors.Is(err, want) {
		return err
	}
	return want
}

// TestLentCopies: what LendMsg and ReadMsgs return is of this process alone.
func TestLentCopies(t *testing.T) {
	a, b := messages(t, 1<<20)
	long := bytes.Repeat([]byte("long "), 30_000)
	in := [][]byte{[]byte("one"), {}, []byte("three"), long, []byte("five")}
	ms := make([]transport.Msg, 10)
	for i, p := range in {
		ms[i] = transport.Msg{Buf: p, Meta: transport.Meta{Text: i == 2}}
	}
	if n, err := a.WriteMsgs(ms[:len(in)]); n != len(in) || err != nil {
		t.Fatalf("WriteMsgs: %d, %v", n, err)
	}
	var out [][]byte
	for len(out) < len(in) {
		n, err := b.ReadMsgs(ms)
		if err != nil || n == 0 {
			t.Fatalf("ReadMsgs: %d, %v", n, err)
		}
		for _, m := range ms[:n] {
			if m.Meta.Text != (len(out) == 2) {
				t.Errorf("message %d: text is %v", len(out), m.Meta.Text)
			}
			out = append(out, bytes.Clone(m.Buf))
		}
	}
	for i, p := range in {
		if !bytes.Equal(out[i], p) {
			t.Errorf("message %d has %d bytes, or others; want %d", i, len(out[i]), len(p))
		}
	}
	if err := a.WriteMsg([]byte("last"), transport.Meta{}); err != nil {
		t.Fatal(err)
	}
	p, _, err := b.LendMsg()
	b.Close()
	if err != nil || string(p) != "last" {
		t.Errorf("LendMsg, and Close: %q, %v", p, err)
	}
}

// TestBatchTooLong: a batch ends at the message that is too long, and says so.
func TestBatchTooLong(t *testing.T) {
	a, b := messages(t, MinSize)
	ms := []transport.Msg{{Buf: []byte("first")}, {Buf: make([]byte, a.MaxMsg()+1)}, {Buf: []byte("third")}}
	if n, err := a.WriteMsgs(ms); n != 1 || !errors.Is(err, transport.ErrMsgTooLong) {
		t.Errorf("WriteMsgs: %d, %v; want 1, ErrMsgTooLong", n, err)
	}
	if p, _, err := b.LendMsg(); string(p) != "first" || err != nil {
		t.Errorf("LendMsg: %q, %v", p, err)
	}
}

// TestCopy moves data between a Conn and files, pipes, and what is neither.
func TestCopy(t *testing.T) {
	data := make([]byte, 300_000)
	fill(data, 0)
	file := func() *os.File {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	from := file()
	if _, err := from.Write(data); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"file": from, "part of a file": io.LimitReader(from, int64(len(data))), "memory": struct{ io.Reader }{bytes.NewReader(data)},
	} {
		for _, toFile := range []bool{false, true} {
			if _, err := from.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			a, b := streams(t, MinSize)
			if s, ok := r.(*io.LimitedReader); ok {
				s.N = int64(len(data))
			}
			if name == "memory" {
				r = struct{ io.Reader }{bytes.NewReader(data)}
			}
			sent := start(func() error {
				n, err := a.ReadFrom(r)
				if n != int64(len(data)) {
					t.Errorf("%s: ReadFrom returns %d", name, n)
				}
				return errors.Join(err, a.CloseWrite())
			})
			var got []byte
			var err error
			if toFile {
				f := file()
				_, err = b.WriteTo(f)
				got, _ = os.ReadFile(f.Name())
			} else {
				var s strings.Builder
				_, err = b.WriteTo(&s)
				got = []byte(s.String())
			}
			if err := errors.Join(err, await(t, sent, "ReadFrom")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes arrived, or others", name, len(got))
			}
		}
	}
	failed := errors.New("no more")
	a, _ := streams(t, MinSize)
	if n, err := a.ReadFrom(io.MultiReader(strings.NewReader("some"), failing{failed})); n != 4 || err != failed {
		t.Errorf("ReadFrom who fails: %d, %v; want 4 and what it said", n, err)
	}
	closed := file()
	closed.Close()
	if _, err := a.ReadFrom(closed); !errors.Is(err, os.ErrClosed) {
		t.Errorf("ReadFrom a closed file: %v, want os.ErrClosed", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestCopyDuringClose closes a Conn while a pipe is being waited for: Close does not
// wait, and the memory goes when the pipe has said something.
func TestCopyDuringClose(t *testing.T) {
	_, maps := held(t)
	a, b := streams(t, MinSize)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	copying := start(func() error { _, err := a.ReadFrom(r); return err })
	until(t, "somebody writes", func() bool {
		free := a.out.mu.TryLock()
		if free {
			a.out.mu.Unlock()
		}
		return !free
	})
	if err := await(t, start(a.Close), "Close"); err != nil {
		t.Error(err)
	}
	b.Close()
	if _, err := w.WriteString("late"); err != nil {
		t.Fatal(err)
	}
	if err := await(t, copying, "ReadFrom"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrom during Close: %v, want net.ErrClosed", err)
	}
	if _, now := held(t); now != maps {
		t.Errorf("%d regions are mapped, want %d", now, maps)
	}
}
