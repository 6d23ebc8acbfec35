// Package transporttest is the suite that every kind of end runs. It turns the
// promises in package transport into checks: what a kind's Traits claim must
// work, and what they do not claim must say so.
//
// The test of a kind is a [Harness] and a call of [Run]:
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, transporttest.Harness{
//			Kind:      kind,
//			Pair:      pair,
//			Addresses: []string{"tcp:example.org:80"},
//			Bad:       map[string]string{"tcp:h:x:1": "..."},
//			Options:   map[string]func(*testing.T){"nodelay": testNoDelay},
//		})
//	}
//
// The suite knows nothing about any kind. What only one kind does, its own tests
// check.
package transporttest

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// The limits on waiting. Patience is for what takes as long as it takes, such as
// moving a megabyte on a busy machine; Prompt is the promise of Close.
const (
	Patience = 20 * time.Second
	Prompt   = time.Second
)

// A Harness makes what the suite needs of one kind.
type Harness struct {
	Kind transport.Kind

	// Pair opens two ends joined to each other: a is of the kind, b is its
	// other side, of any kind that carries the same. For a kind that listens,
	// a is what it accepted. Whatever else is opened for them, such as a
	// listener, is released by t.Cleanup; the suite closes a and b.
	//
	// With Echo, or if the kind has no other side to hold, b is nil. If Pair
	// itself is nil, as for a kind that cannot be opened in a test, only what
	// the kind says of itself is checked.
	Pair func(t testing.TB) (a, b transport.Conn)

	// Ending, which may be nil, is Pair for a kind with Traits.EndsBoth of which
	// the pairs of Pair do not end soon after b is closed: a session that has to
	// run out, say.
	Ending func(t testing.TB) (a, b transport.Conn)

	// Layers returns the layers of both sides, one of them of the kind: for a kind
	// with Traits.Layers.
	Layers func(t testing.TB) (client, server transport.Layer)

	Echo   bool // what is written to a comes back from a, as from a program like cat
	Writes bool // for Traits.OneWay: a writes and b reads; otherwise a reads what b writes

	// Endpoint, which may be nil, returns an Endpoint that can be opened: for
	// the checks of contexts. What it needs is released by t.Cleanup.
	Endpoint func(t testing.TB) transport.Endpoint

	Addresses []string          // texts that must parse, fill the Endpoint and survive String
	Bad       map[string]string // texts that must be refused, and the error that [Fill] or Validate gives

	// Options has a check for each option that the kind's Bind binds: that it
	// changes something observable. An option without one fails the suite.
	Options map[string]func(t *testing.T)

	// Farewell says that CloseWrite of this MsgConn ends what it reads, too, and
	// is not seen by b: many are joined, and one of them leaves.
	Farewell bool

	// HangsUp says that what b has written may be lost when it closes, as by a
	// terminal.
	HangsUp bool

	NoEmpty bool // messages of no bytes are refused with errors.ErrUnsupported
	Text    bool // Meta.Text arrives as it was sent
	Cred    bool // Info().Cred of a is this process
	TLS     bool // Info().TLS of a is set

	// NoNettest says why nettest.TestConn cannot hold for a Stream that has
	// deadlines; "" if it does. The suite's own checks of deadlines still run.
	NoNettest string
}

// Run runs every check that applies to the kind as a subtest.
func Run(t *testing.T, h Harness) {
	t.Run("kind", h.testKind)
	t.Run("text", h.testText)
	t.Run("options", h.testOptions)
	if h.Endpoint != nil {
		t.Run("context", h.testContext)
	}
	if h.Kind.Traits.Layers && h.Kind.New != nil {
		t.Run("layer", h.testLayer)
	}
	if h.Pair == nil {
		return
	}
	h.warm(t)
	before := resources(t)
	t.Run("metadata", h.testMetadata)
	if h.Kind.Traits.Messages {
		t.Run("messages", h.testMessages)
	} else {
		t.Run("stream", h.testStream)
	}
	t.Run("ends", h.testEnds)
	t.Run("ended", h.testEnded)
	t.Run("deadlines", h.testDeadlines)
	t.Run("detach", h.testDetach)
	t.Run("leaks", func(t *testing.T) { before.check(t) })
}

// warm opens a pair once, so that what the system or the runtime keeps for good
// does not look like a leak.
func (h Harness) warm(t *testing.T) {
	t.Run("open", func(t *testing.T) { h.open(t) })
}

// open makes a pair that is closed when t ends.
func (h Harness) open(t testing.TB) (a, b transport.Conn) {
	t.Helper()
	return h.opened(t, h.Pair)
}

func (h Harness) opened(t testing.TB, pair func(testing.TB) (a, b transport.Conn)) (a, b transport.Conn) {
	t.Helper()
	a, b = pair(t)
	if a == nil {
		t.Fatal("Pair returned no end")
	}
	t.Cleanup(func() { closeBoth(a, b) })
	_, stream := a.(transport.Stream)
	_, messages := a.(transport.MsgConn)
	if stream == messages || messages != h.Kind.Traits.Messages {
		t.Fatalf("%T: is a Stream: %v, is a MsgConn: %v; Traits.Messages is %v", a, stream, messages, h.Kind.Traits.Messages)
	}
	return a, b
}

// closeBoth closes a and b, which may be nil, at the same time: the Close of a kind
// may wait until its other side has read everything or is closed too.
func closeBoth(a, b transport.Conn) {
	closing := start(a.Close)
	if b != nil {
		b.Close()
	}
	<-closing
}

// A flow is a way for data from one end to another.
type flow struct{ w, r transport.Conn }

// flows returns the flow that a writes and the flow that a reads. A flow that the
// kind does not have has nil ends.
func (h Harness) flows(a, b transport.Conn) (out, in flow) {
	switch one := h.Kind.Traits.OneWay; {
	case h.Echo:
		return flow{a, a}, flow{}
	case b == nil:
		return flow{}, flow{}
	case one && h.Writes:
		return flow{a, b}, flow{}
	case one:
		return flow{}, flow{b, a}
	}
	return flow{a, b}, flow{b, a}
}

// all returns those of the pair's flows that exist.
func (h Harness) all(a, b transport.Conn) []flow {
	var fs []flow
	out, in := h.flows(a, b)
	for _, f := range []flow{out, in} {
		if f.w != nil {
			fs = append(fs, f)
		}
	}
	return fs
}

// read reads once from a Stream or a MsgConn. A count that cannot be is an error.
func read(c transport.Conn, p []byte) (n int, err error) {
	if m, ok := c.(transport.MsgConn); ok {
		n, _, err = m.ReadMsg(p)
	} else {
		n, err = c.(transport.Stream).Read(p)
	}
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("a read returned %d of %d, error %w", n, len(p), err)
	}
	return n, err
}

// write writes once to a Stream or a MsgConn.
func write(c transport.Conn, p []byte) error {
	if m, ok := c.(transport.MsgConn); ok {
		return m.WriteMsg(p, transport.Meta{})
	}
	n, err := c.(transport.Stream).Write(p)
	if err == nil && n != len(p) {
		return fmt.Errorf("a write returned %d of %d and no error", n, len(p))
	}
	return err
}

// start runs f in a goroutine and returns where its result will be.
func start[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// await returns what arrives on c, or fails the test with all goroutines' stacks.
func await[T any](t testing.TB, c <-chan T, limit time.Duration, what string) T {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		stacks := make([]byte, 64<<10)
		t.Fatalf("%s took more than %v\n\n%s", what, limit, stacks[:runtime.Stack(stacks, true)])
		panic("unreachable")
	}
}

// wantClosed checks the error of a call on a closed end.
func wantClosed(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: error %v, want one matching net.ErrClosed", what, err)
	}
}
