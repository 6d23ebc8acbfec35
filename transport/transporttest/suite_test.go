package transporttest_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// A fault breaks one promise of a kind that keeps all others.
type fault struct {
	name  string
	says  string // part of what the suite must say
	apply func(*harness)
}

// A harness is one in the making, with wrappers for the end under test.
type harness struct {
	transporttest.Harness
	stream func(*stream)
	msgs   func(*msgs)
	ended  func(*stream) func() <-chan struct{} // if not nil, of an Ender
}

// stream and msgs pass all on to an end in memory, save for what a fault replaces.
type stream struct {
	*transport.Filter
	closeWrite func() error
	close      func() error
	abort      func(error) error
	readDL     func(time.Time) error
	local      func() net.Addr
	remote     func() net.Addr
}

// ender is a stream that knows when both directions have ended.
type ender struct {
	*stream
	ended func() <-chan struct{}
}

func (e *ender) Ended() <-chan struct{} { return e.ended() }

func same(c chan struct{}) func() <-chan struct{} { return func() <-chan struct{} { return c } }

func (s *stream) CloseWrite() error                 { return s.closeWrite() }
func (s *stream) Close() error                      { return s.close() }
func (s *stream) Abort(err error) error             { return s.abort(err) }
func (s *stream) SetReadDeadline(t time.Time) error { return s.readDL(t) }
func (s *stream) LocalAddr() net.Addr               { return s.local() }
func (s *stream) RemoteAddr() net.Addr              { return s.remote() }

type msgs struct {
	transport.MsgConn
	read  func([]byte) (int, transport.Meta, error)
	write func([]byte, transport.Meta) error
}

func (m *msgs) ReadMsg(p []byte) (int, transport.Meta, error) { return m.read(p) }
func (m *msgs) WriteMsg(p []byte, meta transport.Meta) error  { return m.write(p, meta) }

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

// unlessClosed returns err, or nil where it says that the end is closed.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// endpoint has an option, so that a check can be missing.
type endpoint struct {
	size    int64
	lingers bool // ignores contexts
}

func (e *endpoint) Bind(s *opt.Set) {
	s.Target(opt.Text, "NAME", func(t address.Target) error {
		if t.Text == "" {
			return errors.New("a name is missing")
		}
		return nil
	})
	s.Size(&e.size, "size", 0, "does nothing")
}

func (e *endpoint) Dial(ctx context.Context) (transport.Conn, error) {
	if ctx.Err() != nil && !e.lingers {
		return nil, ctx.Err()
	}
	a, b := mem.Pair()
	context.AfterFunc(ctx, func() {
		if e.lingers {
			a.Close()
		}
	})
	_ = b
	return a, nil
}

func messages(h *harness) { h.Kind.Traits.Messages = true }

var faults = []fault{
	{"nothing", "", func(h *harness) {}},
	{"nothing in messages", "", messages},
	{"half-close without the trait", "want errors.ErrUnsupported", func(h *harness) { h.Kind.Traits.HalfClose = false }},
	{"half-close closes", "the other direction, after CloseWrite", func(h *harness) {
		h.stream = func(s *stream) { s.closeWrite = s.close }
	}},
	{"close is an end of file", "want one matching net.ErrClosed", func(h *harness) {
		h.stream = func(s *stream) {
			s.R = readFunc(func(p []byte) (int, error) {
				n, err := s.Stream.Read(p)
				if errors.Is(err, net.ErrClosed) {
					err = io.EOF
				}
				return n, err
			})
		}
	}},
	{"second close fails", "Close: first", func(h *harness) {
		h.stream = func(s *stream) {
			closed := false
			s.close = func() error {
				if closed {
					return net.ErrClosed
				}
				closed = true
				return s.Stream.Close()
			}
		}
	}},
	{"half-close after Close", "CloseWrite: error <nil>", func(h *harness) {
		h.stream = func(s *stream) { s.closeWrite = func() error { return unlessClosed(s.Stream.CloseWrite()) } }
	}},
	{"deadlines after Close", "SetReadDeadline: error <nil>", func(h *harness) {
		h.stream = func(s *stream) {
			s.readDL = func(t time.Time) error { return unlessClosed(s.Stream.SetReadDeadline(t)) }
		}
	}},
	{"abort is a clean end", "want an error that is not io.EOF", func(h *harness) {
		h.stream = func(s *stream) { s.abort = func(error) error { return s.Stream.Close() } }
	}},
	{"a byte is doubled", "byte ", func(h *harness) {
		h.NoNettest = "the fault counts without a lock"
		h.stream = func(s *stream) {
			total := 0
			s.R = readFunc(func(p []byte) (int, error) {
				n, err := s.Stream.Read(p)
				if total += n; total > 100_000 && n > 1 {
					p[n-1] = p[n-2]
				}
				return n, err
			})
		}
	}},
	{"deadlines do nothing", "a read with a deadline took more than", func(h *harness) {
		h.NoNettest = "it would take a minute"
		h.stream = func(s *stream) { s.readDL = func(time.Time) error { return nil } }
	}},
	{"deadlines without the trait", "want os.ErrNoDeadline", func(h *harness) { h.Kind.Traits.Deadlines = false }},
	{"no address", "LocalAddr is nil", func(h *harness) {
		h.stream = func(s *stream) { s.local = func() net.Addr { return nil } }
	}},
	{"a goroutine is left", "goroutines left running", func(h *harness) {
		h.stream = func(*stream) { go func() { select {} }() }
	}},
	{"a descriptor is left", "descriptors left open", func(h *harness) {
		h.stream = func(*stream) { syscall.Open(os.DevNull, syscall.O_RDONLY, 0) }
	}},
	{"short messages are cut", "want 10, io.ErrShortBuffer", func(h *harness) {
		messages(h)
		h.msgs = func(m *msgs) {
			m.read = func(p []byte) (int, transport.Meta, error) {
				n, meta, err := m.MsgConn.ReadMsg(p)
				if err == io.ErrShortBuffer {
					err = nil
				}
				return n, meta, err
			}
		}
	}},
	{"long messages are cut", "want transport.ErrMsgTooLong", func(h *harness) {
		messages(h)
		h.msgs = func(m *msgs) {
			m.write = func(p []byte, meta transport.Meta) error {
				return m.MsgConn.WriteMsg(p[:min(len(p), m.MaxMsg())], meta)
			}
		}
	}},
	{"empty messages are the end", "want 0 bytes", func(h *harness) {
		messages(h)
		h.msgs = func(m *msgs) {
			m.read = func(p []byte) (int, transport.Meta, error) {
				n, meta, err := m.MsgConn.ReadMsg(p)
				if n == 0 && err == nil {
					err = io.EOF
				}
				return n, meta, err
			}
		}
	}},
	{"text is forgotten", "arrived as binary", func(h *harness) {
		messages(h)
		h.Text = true
		h.msgs = func(m *msgs) {
			m.write = func(p []byte, _ transport.Meta) error { return m.MsgConn.WriteMsg(p, transport.Meta{}) }
		}
	}},
	{"a count beside an error", "ReadMsg returns -1 beside error", func(h *harness) {
		messages(h)
		h.msgs = func(m *msgs) {
			m.read = func(p []byte) (int, transport.Meta, error) {
				n, meta, err := m.MsgConn.ReadMsg(p)
				if err != nil && err != io.ErrShortBuffer {
					n = -1 // as recvmsg(2) has it
				}
				return n, meta, err
			}
		}
	}},
	{"writes more than there is", "Write returns 65537 of 65536", func(h *harness) {
		h.stream = func(s *stream) {
			s.W = writeFunc(func(p []byte) (int, error) {
				n, err := s.Stream.Write(p)
				if errors.Is(err, net.ErrClosed) {
					n = len(p) + 1
				}
				return n, err
			})
		}
	}},
	{"a layer without Layers", "Harness.Layers is missing", func(h *harness) { h.Kind.Traits.Layers = true }},
	{"no name", `RemoteAddr is ""`, func(h *harness) {
		h.stream = func(s *stream) { s.remote = func() net.Addr { return transport.Addr{Net: "fake"} } }
	}},
	{"ends both and does not say so", "is no Ender", func(h *harness) { h.Kind.Traits.EndsBoth = true }},
	{"ended is never closed", "Ended, after the other side was closed", func(h *harness) {
		h.Kind.Traits.EndsBoth = true
		h.ended = func(*stream) func() <-chan struct{} { return same(make(chan struct{})) }
	}},
	{"ended is another channel", "the same channel each time", func(h *harness) {
		h.ended = func(*stream) func() <-chan struct{} {
			return func() <-chan struct{} { return make(chan struct{}) }
		}
	}},
	{"ended from the beginning", "closed from the beginning", func(h *harness) {
		h.ended = func(*stream) func() <-chan struct{} {
			ended := make(chan struct{})
			close(ended)
			return same(ended)
		}
	}},
	{"ended at a half-close", "Ended is closed after a half-close", func(h *harness) {
		h.ended = func(s *stream) func() <-chan struct{} {
			ended := make(chan struct{})
			s.R = readFunc(func(p []byte) (int, error) {
				n, err := s.Stream.Read(p)
				if err == io.EOF {
					close(ended)
				}
				return n, err
			})
			return same(ended)
		}
	}},
	{"option without a check", "no check in Harness.Options", func(h *harness) { h.Options = nil }},
	{"check without an option", "which is not bound", func(h *harness) { h.Options["other"] = func(*testing.T) {} }},
	{"address does not fill", "a name is missing", func(h *harness) { h.Addresses = []string{"fake:"} }},
	{"bad address is taken", "is taken, want error", func(h *harness) { h.Bad = map[string]string{"fake:x": "no"} }},
	{"another error", "got error", func(h *harness) { h.Bad = map[string]string{"fake:": "no"} }},
	{"context is ignored", "want context.Canceled", func(h *harness) {
		h.Endpoint = func(testing.TB) transport.Endpoint { return &endpoint{lingers: true} }
	}},
	{"no credentials", "Info().Cred is", func(h *harness) { h.Cred = true }},
	{"traits of a listener", "dials true, listens false", func(h *harness) { h.Kind.Traits.Listens = true }},
}

func (f fault) harness() transporttest.Harness {
	h := harness{stream: func(*stream) {}, msgs: func(*msgs) {}}
	h.Kind = transport.Kind{Name: "fake", Syntax: "fake:NAME", Doc: "Is in memory.", Example: "fake:x",
		Traits: transport.Traits{HalfClose: true, Deadlines: true},
		New:    func() transport.Endpoint { return &endpoint{} }}
	h.Addresses = []string{"fake:x,size=1k"}
	h.Bad = map[string]string{"fake:": "a name is missing", "fake:x,size=-": "size: must be a size such as 4096, 64k or 16M"}
	h.Options = map[string]func(*testing.T){"size": func(*testing.T) {}}
	h.Endpoint = func(testing.TB) transport.Endpoint { return &endpoint{} }
	f.apply(&h)
	h.Pair = func(testing.TB) (a, b transport.Conn) {
		if h.Kind.Traits.Messages {
			x, y := mem.MsgPair()
			m := &msgs{x, x.ReadMsg, x.WriteMsg}
			h.msgs(m)
			return m, y
		}
		x, y := mem.Pair()
		s := &stream{&transport.Filter{Stream: x}, x.CloseWrite, x.Close, nil, x.SetReadDeadline, x.LocalAddr, x.RemoteAddr}
		s.abort = func(err error) error { return transport.Abort(x, err) }
		h.stream(s)
		if h.ended != nil {
			return &ender{s, h.ended(s)}, y
		}
		return s, y
	}
	return h.Harness
}

// TestFaulty runs the suite on one fault, for TestSuiteFindsFaults, and else on none.
func TestFaulty(t *testing.T) {
	name := cmp.Or(os.Getenv("TRANSPORTTEST_FAULT"), "nothing")
	for _, f := range faults {
		if f.name == name {
			transporttest.Run(t, f.harness())
		}
	}
}

// TestSuiteFindsFaults checks the suite itself: for each fault it must fail, and
// say why; without one it must pass.
func TestSuiteFindsFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFaulty$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), "TRANSPORTTEST_FAULT="+f.name)
			out, err := cmd.CombinedOutput()
			if (err != nil) != (f.says != "") || !strings.Contains(string(out), f.says) {
				t.Errorf("the suite ends with %v, want it to say %q:\n%.3000s", err, f.says, out)
			}
		})
	}
}
