package mem_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// harness is for the kind called name, in a network of its own.
func harness(name string) transporttest.Harness {
	n := new(mem.Network)
	kind, _ := n.Kinds().Lookup(name)
	h := transporttest.Harness{
		Kind:      kind,
		Text:      kind.Traits.Messages,
		Addresses: []string{name + ":here", name + ":a:b'c,'"},
		Bad: map[string]string{
			name + ":":       "a name is missing",
			name + ":x,nope": `unknown option "nope"`,
		},
		Endpoint: func(t testing.TB) transport.Endpoint {
			if !kind.Traits.Listens {
				listener(t, &mem.Listen{Network: n, Name: "endpoint", Messages: kind.Traits.Messages})
				return &mem.Dial{Network: n, Name: "endpoint", Messages: kind.Traits.Messages}
			}
			return &mem.Listen{Network: n, Name: "other", Messages: kind.Traits.Messages}
		},
		Pair: func(t testing.TB) (a, b transport.Conn) {
			l := listener(t, &mem.Listen{Network: n, Name: "pair", Messages: kind.Traits.Messages})
			defer l.Close()
			b, err := (&mem.Dial{Network: n, Name: "pair", Messages: kind.Traits.Messages}).Dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if a, err = l.Accept(); err != nil {
				t.Fatal(err)
			}
			if !kind.Traits.Listens {
				a, b = b, a
			}
			return a, b
		},
	}
	if !kind.Traits.Listens {
		h.Options = map[string]func(*testing.T){"buffer": testBuffer}
	}
	return h
}

func listener(t testing.TB, l *mem.Listen) transport.Acceptor {
	a, err := l.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestConformance(t *testing.T) {
	for _, k := range new(mem.Network).Kinds() {
		t.Run(k.Name, func(t *testing.T) { transporttest.Run(t, harness(k.Name)) })
	}
}

// Ends whose kinds come from one list meet; those of another list do not.
func TestKinds(t *testing.T) {
	open := func(ks transport.Kinds, text string) transport.Endpoint {
		name, _, _ := strings.Cut(text, ":")
		k, ok := ks.Lookup(name)
		if !ok {
			t.Fatalf("no kind %s", name)
		}
		e, err := transporttest.Fill(k, text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	ours, theirs := mem.Kinds(), mem.Kinds()
	for _, suffix := range []string{"", "-msg"} {
		a, err := open(ours, "mem"+suffix+"-listen:x").(transport.Listener).Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		c, err := open(ours, "mem"+suffix+":x").(transport.Dialer).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.RemoteAddr().String(); got != "x" {
			t.Errorf("RemoteAddr is %q, want the name", got)
		}
		if c, err := open(theirs, "mem"+suffix+":x").(transport.Dialer).Dial(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("another list of kinds finds the name: error %v", err)
			if err == nil {
				c.Close()
			}
		}
	}
}

func TestPairs(t *testing.T) {
	bytes := harness("mem")
	bytes.Pair = func(testing.TB) (a, b transport.Conn) { return mem.Pair() }
	transporttest.Run(t, bytes)
	msgs := harness("mem-msg")
	msgs.Pair = func(testing.TB) (a, b transport.Conn) { return mem.MsgPair() }
	transporttest.Run(t, msgs)
}

func BenchmarkMem(b *testing.B)    { transporttest.Bench(b, harness("mem")) }
func BenchmarkMemMsg(b *testing.B) { transporttest.Bench(b, harness("mem-msg")) }

func FuzzBind(f *testing.F) {
	transporttest.Fuzz(f, harness("mem").Kind, "mem:x,buffer=1k")
}

// testBuffer shows that a write of more than the buffer waits, and of less does not.
func testBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(mem.Network)
		l := listener(t, &mem.Listen{Network: n, Name: "x"})
		kind, _ := n.Kinds().Lookup("mem")
		e, err := transporttest.Fill(kind, "mem:x,buffer=10")
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.(transport.Dialer).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetWriteDeadline(time.Now().Add(time.Hour))
		got, err := c.(transport.Stream).Write(make([]byte, 11))
		if got != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, error %v; want 10 and a deadline", got, err)
		}
		l.Close()
	})
}

func TestHourTakesNoTime(t *testing.T) {
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		a, b := mem.Pair()
		m, other := mem.MsgPair()
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Hour))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: error %v, want os.ErrDeadlineExceeded", err)
		}
		m.SetDeadline(start.Add(2 * time.Hour))
		if _, _, err := m.ReadMsg(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ReadMsg: error %v, want os.ErrDeadlineExceeded", err)
		}
		if got := time.Since(start); got != 2*time.Hour {
			t.Errorf("waited %v, want 2h", got)
		}
		for _, c := range []io.Closer{a, b, m, other} {
			c.Close()
		}
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("two hours took %v", took)
	}
}

func TestNames(t *testing.T) {
	n := new(mem.Network)
	ctx := context.Background()
	dial := &mem.Dial{Network: n, Name: "x"}
	if _, err := dial.Dial(ctx); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: error %v, want connection refused", err)
	}
	l := listener(t, &mem.Listen{Network: n, Name: "x"})
	if _, err := (&mem.Listen{Network: n, Name: "x"}).Listen(ctx); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening twice: error %v, want address in use", err)
	}
	c, err := dial.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := c.(transport.Stream).Read(make([]byte, 1)); !errors.Is(err, mem.ErrReset) {
		t.Errorf("never accepted: error %v, want mem.ErrReset", err)
	}
	if _, err := dial.Dial(ctx); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Close: error %v, want connection refused", err)
	}
}

// TestBacklog shows that a dialer waits for room and stops when its context ends.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(mem.Network)
		l := listener(t, &mem.Listen{Network: n, Name: "x"})
		defer l.Close()
		d := &mem.Dial{Network: n, Name: "x"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := 0; ; i++ {
			if _, err := d.Dial(ctx); err != nil {
				if i != 128 || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("dial %d: error %v, want the 129th to meet its deadline", i, err)
				}
				return
			}
		}
	})
}
