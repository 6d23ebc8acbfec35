package join

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// described is a kind that exists only so that the suite has a name and Traits for
// the ends that this file makes by hand.
type described struct{}

func (described) Bind(*opt.Set) {}
func (described) Dial(context.Context) (transport.Conn, error) {
	return nil, errors.ErrUnsupported
}

func suite(t *testing.T, traits transport.Traits, noNettest string, pair func(testing.TB) (a, b transport.Conn)) {
	transporttest.Run(t, transporttest.Harness{
		Kind: transport.Kind{Name: "framed", Syntax: "framed", Doc: "Is framed.", Example: "framed", Traits: traits,
			New: func() transport.Endpoint { return described{} }},
		Pair: pair, NoNettest: noNettest,
	})
}

func TestMessagesConform(t *testing.T) {
	suite(t, transport.Traits{Messages: true, HalfClose: true, Deadlines: true}, "", func(testing.TB) (a, b transport.Conn) {
		x, y := mem.Pair()
		return Messages(x, Prefixed, 100_000), Messages(y, Prefixed, 100_000)
	})
}

func TestBytesConform(t *testing.T) {
	traits := transport.Traits{HalfClose: true, Deadlines: true}
	t.Run("chunks", func(t *testing.T) {
		suite(t, traits, "", func(testing.TB) (a, b transport.Conn) {
			x, y := mem.MsgPair()
			return Bytes(x, Chunks), Bytes(y, Chunks)
		})
	})
	t.Run("there and back", func(t *testing.T) {
		const why = "a deadline in the middle of a message leaves nothing to write after it"
		suite(t, traits, why, func(testing.TB) (a, b transport.Conn) {
			x, y := mem.Pair()
			return Bytes(Messages(x, Prefixed, 5000), Chunks), Bytes(Messages(y, Prefixed, 5000), Chunks)
		})
	})
}

func TestFramingNames(t *testing.T) {
	for f, name := range map[Framing]string{Chunks: "none", Lines: "lines", Nul: "nul", Prefixed: "len32"} {
		text, err := f.MarshalText()
		var back Framing = -1
		if err != nil || string(text) != name || back.UnmarshalText(text) != nil || back != f {
			t.Errorf("%d: %q, error %v, reads as %d; want %q", f, text, err, back, name)
		}
	}
	f := Lines
	if err := f.UnmarshalText([]byte("line")); err == nil || f != Lines {
		t.Errorf("%q is taken as %v", "line", f)
	}
	if _, err := Framing(9).MarshalText(); err == nil {
		t.Error("framing 9 has a name")
	}
}

// source is a Stream that reads from r; all else is a Stream in memory.
func source(t testing.TB, r io.Reader) transport.Stream {
	a, b := mem.Pair()
	t.Cleanup(func() { a.Close(); b.Close() })
	return &transport.Filter{Stream: a, R: r}
}

func readAll(m transport.MsgConn) (msgs []string, err error) {
	p := make([]byte, m.MaxMsg())
	for {
		n, _, err := m.ReadMsg(p)
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, string(p[:n]))
	}
}

func TestCutting(t *testing.T) {
	long := strings.Repeat("x", 10)
	for _, test := range []struct {
		f     Framing
		bytes string
		want  []string
		err   error
	}{
		{Lines, "", nil, io.EOF},
		{Lines, "a\n\nb\r\n", []string{"a", "", "b\r"}, io.EOF},
		{Lines, "a\nlast", []string{"a", "last"}, io.EOF},
		{Lines, long + "\n" + long, []string{long, long}, io.EOF},
		{Lines, "a\n" + long + "x\nb\n", []string{"a"}, transport.ErrMsgTooLong},
		{Lines, "a\n" + long + "x", []string{"a"}, transport.ErrMsgTooLong},
		{Nul, "a\nb\x00\x00c", []string{"a\nb", "", "c"}, io.EOF},
		{Prefixed, "\x00\x00\x00\x02hi\x00\x00\x00\x00", []string{"hi", ""}, io.EOF},
		{Prefixed, "\x00\x00\x00\x0bhi", nil, transport.ErrMsgTooLong},
		{Prefixed, "\xff\xff\xff\xff", nil, transport.ErrMsgTooLong},
		{Prefixed, "\x00\x00\x00\x02h", nil, io.ErrUnexpectedEOF},
		{Prefixed, "\x00\x00", nil, io.ErrUnexpectedEOF},
	} {
		for name, r := range map[string]io.Reader{
			"whole":        strings.NewReader(test.bytes),
			"byte by byte": iotest.OneByteReader(strings.NewReader(test.bytes)),
			"EOF with it":  iotest.DataErrReader(strings.NewReader(test.bytes)),
		} {
			m := Messages(source(t, r), test.f, 10)
			got, err := readAll(m)
			if !slices.Equal(got, test.want) || !errors.Is(err, test.err) {
				t.Errorf("%v, %q, %s: got %q, error %v; want %q, %v", test.f, test.bytes, name, got, err, test.want, test.err)
			}
			if _, again := readAll(m); !errors.Is(again, test.err) {
				t.Errorf("%v, %q, %s: then error %v, want %v", test.f, test.bytes, name, again, test.err)
			}
		}
	}
}

// TestDeadlineLosesNothing interrupts a message in the middle.
func TestDeadlineLosesNothing(t *testing.T) {
	a, b := mem.Pair()
	defer a.Close()
	defer b.Close()
	m := Messages(a, Lines, 0)
	io.WriteString(b, "half")
	m.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, err := m.ReadMsg(make([]byte, 20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("error %v, want a deadline", err)
	}
	m.SetReadDeadline(time.Time{})
	io.WriteString(b, " and half\n")
	p := make([]byte, 20)
	if n, _, err := m.ReadMsg(p); err != nil || string(p[:n]) != "half and half" {
		t.Errorf("got %q, error %v", p[:n], err)
	}
}

func TestFailureDropsPartOfMessage(t *testing.T) {
	broken := errors.New("broken")
	m := Messages(source(t, io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(broken))), Lines, 0)
	if got, err := readAll(m); err != broken || !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q, error %v; want only the whole line and the failure", got, err)
	}
}

func TestWritingSeparators(t *testing.T) {
	for _, test := range []struct {
		f    Framing
		msg  string
		want string
		err  error
	}{
		{Chunks, "", "", nil},
		{Chunks, "a\nb", "a\nb", nil},
		{Lines, "", "\n", nil},
		{Lines, "a", "a\n", nil},
		{Lines, "a\n", "a\n", nil},
		{Lines, "\n", "\n", nil},
		{Lines, "a\nb", "", ErrSeparator},
		{Lines, "a\n\n", "", ErrSeparator},
		{Nul, "a\nb", "a\nb\x00", nil},
		{Nul, "a\x00", "", ErrSeparator},
		{Prefixed, "a\x00\n", "\x00\x00\x00\x03a\x00\n", nil},
		{Prefixed, "longer than 8", "", transport.ErrMsgTooLong},
	} {
		a, b := mem.Pair()
		m := Messages(a, test.f, 8)
		if err := m.WriteMsg([]byte(test.msg), transport.Meta{}); !errors.Is(err, test.err) {
			t.Errorf("%v, %q: error %v, want %v", test.f, test.msg, err, test.err)
		}
		m.Close()
		if got, _ := io.ReadAll(b); string(got) != test.want {
			t.Errorf("%v, %q: wrote %q, want %q", test.f, test.msg, got, test.want)
		}
	}
}

// TestBytesSendsRest shows that CloseWrite sends an unfinished line and refuses to
// end in the middle of a message that has a length.
func TestBytesSendsRest(t *testing.T) {
	a, b := mem.MsgPair()
	s := Bytes(a, Lines)
	io.WriteString(s, "one\ntwo\nthr")
	io.WriteString(s, "ee")
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	if got, err := readAll(b); err != io.EOF || !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("got %q, error %v", got, err)
	}
	a, _ = mem.MsgPair()
	s = Bytes(a, Prefixed)
	io.WriteString(s, "\x00\x00\x00\x02h")
	if err := s.CloseWrite(); err != io.ErrUnexpectedEOF {
		t.Errorf("half a message: CloseWrite returns %v", err)
	}
}

func TestHalfWrittenMessageBreaksStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the deadline passes when the write waits, not before
		a, b := mem.Pair()
		defer a.Close()
		defer b.Close()
		m := Messages(a, Prefixed, 0)
		m.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		if err := m.WriteMsg(make([]byte, 2*mem.DefaultBuffer), transport.Meta{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("error %v, want a deadline", err)
		}
		m.SetWriteDeadline(time.Time{})
		if err := m.WriteMsg([]byte("x"), transport.Meta{}); err != errBroken {
			t.Errorf("after half a message: error %v, want errBroken", err)
		}
	})
}

// FuzzCut checks that a cutter gives the same messages however the bytes come, and
// holds no more than it may.
func FuzzCut(f *testing.F) {
	f.Add(byte(1), []byte("a\n\nb"), byte(1))
	f.Add(byte(2), []byte("a\x00b"), byte(3))
	f.Add(byte(3), []byte("\x00\x00\x00\x02hi\x00\x00"), byte(2))
	f.Add(byte(3), []byte("\xff\xff\xff\xff"), byte(255))
	f.Fuzz(func(t *testing.T, framing byte, data []byte, step byte) {
		f := Framing(1 + framing%3)
		whole, wholeErr := cutAll(t, f, data, len(data)+1)
		parts, partsErr := cutAll(t, f, data, 1+int(step))
		if (wholeErr == nil) != (partsErr == nil) || !slices.Equal(whole, parts) {
			t.Errorf("%v: whole %q, %v; in parts %q, %v", f, whole, wholeErr, parts, partsErr)
		}
	})
}

func cutAll(t *testing.T, f Framing, data []byte, step int) (msgs []string, err error) {
	c := newCutter(f, 100)
	for len(data) > 0 {
		n := copy(c.space(), data[:min(step, len(data))])
		c.added(n)
		data = data[n:]
		if len(c.buf) > 2*chunkLen {
			t.Fatalf("the buffer has grown to %d", len(c.buf))
		}
		for {
			msg, ok, err := c.next()
			if err != nil {
				return msgs, err
			}
			if !ok {
				break
			}
			msgs = append(msgs, string(msg))
		}
	}
	if msg, ok, err := c.rest(); err != nil {
		return msgs, err
	} else if ok {
		msgs = append(msgs, string(msg))
	}
	return msgs, nil
}

// FuzzFrame checks that messages come back as they were written, however the
// Stream cuts them, and that those that would not are refused.
func FuzzFrame(f *testing.F) {
	f.Add(byte(3), []byte("\x01a\x00\x02bc"), byte(1))
	f.Add(byte(1), []byte("\x01a\x02\n\n\x02b\n"), byte(7))
	f.Fuzz(func(t *testing.T, framing byte, data []byte, step byte) {
		f := Framing(1 + framing%3)
		var want []string
		var wire []byte
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			msg := data[1 : 1+n]
			data = data[1+n:]
			var err error
			if wire, err = f.frame(wire, msg); err == nil {
				want = append(want, string(msg))
			} else if !errors.Is(err, ErrSeparator) || !bytes.Contains(msg, []byte{f.separator()}) {
				t.Fatalf("%v: %q refused: %v", f, msg, err)
			}
		}
		got, err := cutAll(t, f, wire, 1+int(step))
		if f == Lines {
			for i, w := range want {
				want[i] = strings.TrimSuffix(w, "\n")
			}
		}
		if slices.ContainsFunc(want, func(m string) bool { return len(m) > 100 }) {
			return
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: wrote %q, read %q, error %v", f, want, got, err)
		}
	})
}

// TestLyingLength shows that a length makes nobody reserve memory.
func TestLyingLength(t *testing.T) {
	c := newCutter(Prefixed, 1<<30)
	c.added(copy(c.space(), binary.BigEndian.AppendUint32(nil, 1<<30)))
	if _, ok, err := c.next(); ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := len(c.space()); n > chunkLen {
		t.Errorf("%d bytes reserved for a message that is only announced", n)
	}
}
