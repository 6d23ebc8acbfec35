package peertest

import (
	"errors"
	"io"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
)

// testGoes closes a Network while a peer opens one stream after the other: the peer that
// goes cannot be reached any more, and never is one without services.
func testGoes(t *testing.T, s Set) {
	b, ok := s.B.(io.Closer)
	if !ok {
		t.Skip("this Network cannot be closed by itself")
	}
	s.B.Serve("echo", echo)
	open(t, s.A, s.B, "echo")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		b.Close() //nolint:errcheck // what the other side sees is the point
	}()
	for {
		c, err := s.A.Open(ctxFor(t), s.B.Self(), "echo")
		switch {
		case errors.Is(err, peer.ErrNoProtocol):
			t.Fatalf("while the peer goes: %v", err)
		case err == nil:
			c.Close() //nolint:errcheck // it may be lost
		}
		select {
		case <-gone:
			return
		default:
		}
	}
}
