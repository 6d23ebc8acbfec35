package transporttest

import (
	"context"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// Wrap puts a layer on both ends of a pair, and returns what became of them.
func Wrap(t testing.TB, a, b transport.Conn, client, server transport.Layer) (c, s transport.Conn, cerr, serr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		s, serr = server.Wrap(ctx, b, transport.Accepted)
	}()
	c, cerr = client.Wrap(ctx, a, transport.Dialed)
	<-accepted
	return c, s, cerr, serr
}
