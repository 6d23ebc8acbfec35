package transporttest

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// quiet is how long nothing must happen.
const quiet = 50 * time.Millisecond

// testContext checks that a context bounds the call it is given to, and nothing
// after it.
func (h Harness) testContext(t *testing.T) {
	switch e := h.Endpoint(t).(type) {
	case transport.Layer:
		t.Run("wrap", func(t *testing.T) { testWrap(t, e) })
	case transport.Listener:
		t.Run("listen", func(t *testing.T) { testListen(t, e) })
	case transport.Dialer:
		t.Run("dial", func(t *testing.T) { h.testDial(t, e) })
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (h Harness) testDial(t *testing.T, d transport.Dialer) {
	type result struct {
		c   transport.Conn
		err error
	}
	dial := func(ctx context.Context) result {
		c, err := d.Dial(ctx)
		return result{c, err}
	}
	r := await(t, start(func() result { return dial(canceled()) }), Prompt, "Dial with a cancelled context")
	if r.err == nil {
		r.c.Close()
	}
	if !errors.Is(r.err, context.Canceled) {
		t.Errorf("Dial with a cancelled context: error %v, want context.Canceled", r.err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r = await(t, start(func() result { return dial(ctx) }), Patience, "Dial")
	cancel()
	if r.err != nil {
		t.Fatalf("Dial: %v", r.err)
	}
	defer r.c.Close()
	if h.Kind.Traits.OneWay && h.Writes {
		return
	}
	got := start(func() error { _, err := read(r.c, make([]byte, 64)); return err })
	select {
	case err := <-got:
		if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
			t.Errorf("read after the context of Dial was cancelled: %v", err)
		}
	case <-time.After(quiet):
		r.c.Close()
		await(t, got, Patience, "a read during Close")
	}
}

func testListen(t *testing.T, l transport.Listener) {
	if a, err := l.Listen(canceled()); !errors.Is(err, context.Canceled) {
		t.Errorf("Listen with a cancelled context: error %v, want context.Canceled", err)
		if err == nil {
			a.Close()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := l.Listen(ctx)
	cancel()
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	if a.Addr() == nil {
		t.Error("Addr is nil")
	}
	accepting := start(func() error { _, err := a.Accept(); return err })
	select {
	case err := <-accepting:
		t.Fatalf("Accept, with no client and the context of Listen cancelled: %v", err)
	case <-time.After(quiet):
	}
	first := await(t, start(a.Close), Prompt, "Close")
	wantClosed(t, "Accept during Close", await(t, accepting, Prompt, "an Accept during Close"))
	_, err = a.Accept()
	wantClosed(t, "Accept after Close", err)
	if second := a.Close(); (first == nil) != (second == nil) {
		t.Errorf("Close: first %v, then %v", first, second)
	}
}

// testWrap checks that a handshake ends with its context, when nobody answers it,
// and that the end beneath is closed then. A layer without a handshake is done
// before the context is.
func testWrap(t *testing.T, l transport.Layer) {
	for name, side := range map[string]transport.Side{"dialed": transport.Dialed, "accepted": transport.Accepted} {
		inner, far := mem.Pair()
		ctx, cancel := context.WithTimeout(context.Background(), quiet)
		wrapped := start(func() error {
			c, err := l.Wrap(ctx, inner, side)
			if err == nil {
				c.Close()
			}
			return err
		})
		err := await(t, wrapped, Prompt+quiet, "Wrap with a silent client")
		cancel()
		switch {
		case err == nil || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, transport.ErrUsage):
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, transport.ErrTimeout):
			t.Errorf("%s: Wrap with nobody answering: error %v, want context.DeadlineExceeded", name, err)
		}
		_, err = inner.Read(make([]byte, 1))
		wantClosed(t, name+": the end beneath, afterwards", err)
		far.Close()
	}
}
