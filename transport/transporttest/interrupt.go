package transporttest

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A call is one of the methods by which an end is read or written.
type call struct {
	name string
	do   func() outcome
}

// An outcome is what a call returned: how much it says it has moved, and the most
// that it can have moved.
type outcome struct {
	n, most int
	err     error
}

// errEnough is the outcome of a writer that never waits.
var errEnough = errors.New("enough was written without waiting")

// readCalls returns every method that c can be read by.
func readCalls(c transport.Conn) []call {
	p := make([]byte, 64)
	if s, ok := c.(transport.Stream); ok {
		return append(fileCalls(c), call{"Read", func() outcome {
			n, err := s.Read(p)
			return outcome{n, len(p), err}
		}})
	}
	calls := append(fileCalls(c), call{"ReadMsg", func() outcome {
		n, _, err := c.(transport.MsgConn).ReadMsg(p)
		return outcome{n, len(p), err}
	}})
	if l, ok := transport.As[transport.MsgLender](c); ok {
		calls = append(calls, call{"LendMsg", func() outcome {
			lent, _, err := l.LendMsg()
			return outcome{len(lent), l.(transport.MsgConn).MaxMsg(), err}
		}})
	}
	if b, ok := transport.As[transport.MsgBatcher](c); ok {
		calls = append(calls, call{"ReadMsgs", func() outcome {
			ms := make([]transport.Msg, 4)
			n, err := b.ReadMsgs(ms)
			return outcome{n, len(ms), err}
		}})
	}
	return calls
}

// fileCalls returns the method that c receives files by, if it does.
func fileCalls(c transport.Conn) []call {
	f, ok := transport.As[transport.FilePasser](c)
	if !ok {
		return nil
	}
	return []call{{"ReceiveFile", func() outcome {
		file, err := f.ReceiveFile()
		if file != nil {
			file.Close()
			return outcome{1, 1, err}
		}
		return outcome{0, 1, err}
	}}}
}

// writeCalls returns every method that c can be written by.
func writeCalls(c transport.Conn) []call {
	p := make([]byte, 64<<10)
	s, ok := c.(transport.Stream)
	if ok {
		return []call{{"Write", func() outcome {
			n, err := s.Write(p)
			return outcome{n, len(p), err}
		}}}
	}
	m := c.(transport.MsgConn)
	p = p[:min(len(p), m.MaxMsg())]
	calls := []call{{"WriteMsg", func() outcome {
		return outcome{0, 0, m.WriteMsg(p, transport.Meta{})}
	}}}
	if b, ok := transport.As[transport.MsgBatcher](c); ok {
		calls = append(calls, call{"WriteMsgs", func() outcome {
			ms := []transport.Msg{{Buf: p}, {Buf: p[:1]}, {Buf: p}}
			n, err := b.WriteMsgs(ms)
			return outcome{n, len(ms), err}
		}})
	}
	return calls
}

// repeat calls a write until it fails, or has written so much that it is clear that
// it never waits.
func (c call) repeat() outcome {
	for range 256 {
		if o := c.do(); o.err != nil || o.n < 0 || o.n > o.most {
			return o
		}
	}
	return outcome{err: errEnough}
}

// testInterrupted ends calls in progress by Close, by a deadline and by an abort of
// the other side, and looks at all that they return: whoever reads slices a buffer
// with the count, also beside an error.
func (h Harness) testInterrupted(t *testing.T) {
	a, b := h.open(t)
	out, _ := h.flows(a, b)
	if b != nil && (!h.Kind.Traits.OneWay || !h.Writes) {
		for i, c := range readCalls(a) {
			h.interrupt(t, c.name, func(c transport.Conn) <-chan outcome {
				read := readCalls(c)[i]
				got := start(read.do)
				select {
				case o := <-got:
					t.Fatalf("%s with nothing to read: n %d, error %v", read.name, o.n, o.err)
				case <-time.After(quiet / 5): // it waits by now, or nearly
				}
				return got
			}, func(t *testing.T, o outcome) {
				if o.n != 0 {
					t.Errorf("%s returns %d beside error %v, want 0", c.name, o.n, o.err)
				}
			})
		}
	}
	if out.w != nil {
		for i, c := range writeCalls(a) {
			h.interrupt(t, c.name, func(c transport.Conn) <-chan outcome { return start(writeCalls(c)[i].repeat) },
				func(t *testing.T, o outcome) {
					if o.n < 0 || o.n > o.most {
						t.Errorf("%s returns %d of %d, error %v", c.name, o.n, o.most, o.err)
					}
				})
		}
	}
}

// interrupt has begin start a call on an end, ends it in each way that there is, and
// has look see what it returned.
func (h Harness) interrupt(t *testing.T, name string, begin func(transport.Conn) <-chan outcome, look func(*testing.T, outcome)) {
	check := func(t *testing.T, got <-chan outcome, want error) {
		t.Helper()
		o := await(t, got, Patience, name)
		look(t, o)
		switch {
		case o.err == errEnough:
		case o.err == nil:
			t.Errorf("%s succeeds", name)
		case want != nil && !errors.Is(o.err, want):
			t.Errorf("%s: error %v, want one matching %v", name, o.err, want)
		}
	}
	t.Run(name+" ended by Close", func(t *testing.T) {
		a, _ := h.open(t)
		got := begin(a)
		closed := start(a.Close)
		check(t, got, net.ErrClosed)
		await(t, closed, Patience, "Close")
	})
	if h.Kind.Traits.Deadlines {
		t.Run(name+" ended by a deadline", func(t *testing.T) {
			a, _ := h.open(t)
			got := begin(a)
			if err := a.SetDeadline(time.Now()); err != nil {
				t.Fatal(err)
			}
			check(t, got, os.ErrDeadlineExceeded)
		})
	}
	if h.Echo {
		return
	}
	t.Run(name+" ended by the other side", func(t *testing.T) {
		a, b := h.open(t)
		if out, _ := h.flows(a, b); out.w != nil {
			// What b leaves unread is what the kernel resets a unix socket for.
			if err := write(a, []byte("unread")); err != nil {
				t.Fatal(err)
			}
		}
		got := begin(a)
		transport.Abort(b, errors.New("the other end failed"))
		if !h.Kind.Traits.HalfClose || h.Farewell || h.Kind.Traits.OneWay && !h.Writes {
			// Such an end need not learn that the other side has gone.
			select {
			case o := <-got:
				got = start(func() outcome { return o })
			case <-time.After(quiet):
				a.Close()
			}
		}
		check(t, got, nil)
	})
}
