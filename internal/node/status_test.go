package node_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// A WebSocket is closed with a code and a reason, at either side, and the WebSocket at the
// other end of a peer's service hears both, as if the peers were not there: whether the
// program that uses the service is the node or asks it.
func TestCloseStatusPasses(t *testing.T) {
	w := new(world)
	alice, bob := w.node(t, "alice"), w.node(t, "bob")
	pairUp(t, alice, bob)
	server, err := tenon.Listen(t.Context(), "ws-listen:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	serve(t, alice, api.ServeRequest{Name: "feed", Address: "ws:" + server.Addr().String(), To: []string{"bob"}})
	for name, via := range map[string]ends.Via{"inside": bob, "client": bob.Client()} {
		ready := make(chan string, 1)
		o := tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(via)...), Events: func(e tenon.Event) {
			if e.Type == tenon.Listening {
				ready <- "ws:" + e.Addr.String()
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() {
			defer close(over)
			o.Join(ctx, "ws-listen:127.0.0.1:0", "peer:alice/feed", join.Options{})
		}()
		addr := <-ready
		for _, status := range []transport.CloseStatus{
			{Code: 4001, Reason: "token expired"}, {Code: 1000, Reason: "bye"}, {Code: 1001, Reason: ""}, {Code: 3000, Reason: strings.Repeat("é", 61)}, {Code: 1011, Reason: "disk full"},
		} {
			for _, serverCloses := range []bool{true, false} {
				c, err := tenon.Dial(within(t), addr)
				if err != nil {
					t.Fatal(err)
				}
				s, err := server.Accept()
				if err != nil {
					t.Fatal(err)
				}
				closes, hears := s, c
				if !serverCloses {
					closes, hears = c, s
				}
				hears.SetDeadline(time.Now().Add(20 * time.Second))
				if serverCloses {
					passes(t, c, s, "before")
				}
				closes.(transport.StatusCloser).SetCloseStatus(status)
				closed := make(chan error)
				go func() { closed <- closes.Close() }()
				_, _, err = hears.(transport.MsgConn).ReadMsg(make([]byte, 10))
				if got, ok := hears.(transport.StatusCloser).CloseStatus(); got != status || errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s, the server closes %v: %+v, %v, %v, want %+v", name, serverCloses, got, ok, err, status)
				}
				hears.Close()
				<-closed
			}
		}
		cancel()
		<-over
	}
}
