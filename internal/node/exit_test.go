//go:build unix

package node_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// The programs that TestExitStatusPasses runs, by what they are for.
var programs = map[string]string{
	"well":      `exec:sh -c "cat; echo half"`,
	"status":    `exec:sh -c "echo half; exit 9"`,
	"signal":    `exec:sh -c "echo half; kill -TERM $$"`,
	"nameless":  `exec:sh -c "echo half; kill -35 $$"`,
	"late":      `exec:sh -c "echo half; exec >&-; cat >/dev/null; exit 7"`,
	"input":     `exec:sh -c "cat; exit 3"`,
	"socket":    `exec:sh -c "cat; exit 4",wire=socketpair`,
	"terminal":  `exec:sh -c "echo half; exit 5",pty`,
	"unread":    `exec:sh -c "exit 6"`,
	"overdue":   `exec:sh -c "echo half; exec >&- 2>&-; trap : TERM; while :; do sleep 0.01; done",kill-after=50ms`,
	"shell":     `sh:exit 8`,
	"no output": `exec:sh -c "exec >&- <&-; exit 10"`,
}

// How a program of a service has ended is what the joint of who uses it ends with, as that of one who
// runs the program himself: whatever carries the service, whether the one who uses it or offers it is the
// node, or asks it, and whether the node joins the socket itself.
func TestExitStatusPasses(t *testing.T) {
	for network, config := range map[string]func(w *world, dir, name string) node.Config{"session": (*world).linkedConfig, "plain": (*world).config} {
		t.Run(network, func(t *testing.T) {
			w, dir := new(world), stateDir(t)
			alice, bob := start(t, config(w, stateDir(t), "alice")), start(t, config(w, dir, "bob"))
			pairUp(t, alice, bob)
			for name, address := range programs {
				local := how(t, &tenon.Opener{}, "text:input", address)
				service := strings.ReplaceAll(name, " ", "-")
				serve(t, alice, api.ServeRequest{Name: service, Address: address, To: []string{"bob"}})
				for via, v := range map[string]ends.Via{"inside": bob, "client": bob.Client()} {
					o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(v)...)}
					if got := how(t, o, "text:input", "peer:alice/"+service); got != local {
						t.Errorf("%s, %s: it is %+v, and by peers %+v", name, via, local, got)
					}
					if network == "session" && via == "client" {
						if got := how(t, o, "text:input", "peer:alice/"+service+",survive=0"); got != local {
							t.Errorf("%s, %s: it is %+v, and without a session %+v", name, via, local, got)
						}
					}
				}
			}
			t.Run("offered", func(t *testing.T) { offered(t, alice, bob) })
			t.Run("adopted", func(t *testing.T) { adopted(t, bob, dir) })
		})
	}
}

// how joins two ends, and returns how the program has ended that one of them is, without
// what is known at one side only.
func how(t *testing.T, o *tenon.Opener, a, b string) transport.ExitError {
	t.Helper()
	_, err := o.Join(within(t), a, b, join.Options{})
	exit := (*transport.ExitError)(nil)
	if !errors.As(err, &exit) {
		if err != nil {
			t.Errorf("%s: %v", b, err)
		}
		return transport.ExitError{}
	}
	if exit.Remote != strings.HasPrefix(b, "peer:") || exit.Remote && exit.Program != "the program" {
		t.Errorf("%s: %+v", b, exit)
	}
	e := *exit
	e.Program, e.Remote = "", false
	return e
}

// offered has the program run where the offer is.
func offered(t *testing.T, alice, bob *node.Node) {
	for name, v := range map[string]ends.Via{"inside": alice, "client": alice.Client()} {
		ctx, cancel := context.WithCancel(t.Context())
		ready, over := make(chan struct{}, 1), make(chan struct{})
		o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(v)...), Events: func(e tenon.Event) {
			if e.Type == tenon.Listening {
				ready <- struct{}{}
			}
		}}
		go func() {
			defer close(over)
			o.Join(ctx, "peer-listen:live,to=bob", programs["input"], join.Options{})
		}()
		<-ready
		dials := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(bob.Client())...)}
		if got := how(t, dials, "text:input", "peer:alice/live"); got.Status != 3 {
			t.Errorf("%s: %+v", name, got)
		}
		cancel()
		<-over
	}
}

// adopted has the node join a socket.
func adopted(t *testing.T, bob *node.Node, dir string) {
	if err := bob.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(client)...)}
	if got := how(t, o, "tcp:"+l.Addr().String(), "peer:alice/signal"); got.Signal != "SIGTERM" {
		t.Errorf("%+v", got)
	}
}
