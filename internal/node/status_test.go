package node_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
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

// The code with which a QUIC connection of another protocol is closed passes through a service of bytes in the
// same way, be it with a session or without. The reason does if it is heard: a stream is reset by the code alone,
// which may be seen before the connection is closed.
func TestCloseStatusOfBytesPasses(t *testing.T) {
	for network, config := range map[string]func(w *world, dir, name string) node.Config{"session": (*world).linkedConfig, "plain": (*world).config} {
		w := new(world)
		alice, bob := start(t, config(w, stateDir(t), "alice")), start(t, config(w, stateDir(t), "bob"))
		pairUp(t, alice, bob)
		server, err := tenon.Listen(t.Context(), "quic-listen:127.0.0.1:0,alpn=own")
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		serve(t, alice, api.ServeRequest{Name: "feed", Address: "quic:" + server.Addr().String() + ",alpn=own,insecure", To: []string{"bob"}})
		for name, via := range map[string]ends.Via{"inside": bob, "client": bob.Client()} {
			ready := make(chan string, 1)
			o := tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(via)...), Events: func(e tenon.Event) {
				if e.Type == tenon.Listening {
					ready <- "quic:" + e.Addr.String() + ",alpn=own,insecure"
				}
			}}
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan struct{})
			go func() {
				defer close(over)
				o.Join(ctx, "quic-listen:127.0.0.1:0,alpn=own", "peer:alice/feed", join.Options{})
			}()
			addr := <-ready
			for _, serverCloses := range []bool{true, false} {
				c, err := tenon.Dial(within(t), addr)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.(transport.Stream).Write([]byte("x")); err != nil {
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
				if _, err := io.ReadFull(s.(transport.Stream), make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				status := transport.CloseStatus{Code: 4001, Reason: "enough"}
				closer(closes).SetCloseStatus(status)
				transport.Abort(closes, nil)
				hears.SetDeadline(time.Now().Add(20 * time.Second))
				_, err = hears.(transport.Stream).Read(make([]byte, 1))
				if got, _ := closer(hears).CloseStatus(); got.Code != status.Code || got.Reason != "" && got.Reason != status.Reason {
					t.Errorf("%s, %s, the server closes %v: %+v, %v, want %+v", network, name, serverCloses, got, err, status)
				}
				hears.Close()
			}
			cancel()
			<-over
		}
	}
}

func closer(c transport.Conn) transport.StatusCloser {
	s, _ := transport.About[transport.StatusCloser](c)
	return s
}
