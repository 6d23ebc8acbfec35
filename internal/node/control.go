package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
	"github.com/tenon-net/tenon/transport/mem"
)

// Limits of the control API, which only this user and root can reach.
const (
	maxBody = 1 << 20
)

// Listen serves the control socket until the node ends. Only this user and root may
// connect, which the kernel is asked about for each. A socket that a dead process has
// left is taken over.
func (n *Node) Listen(ctx context.Context) error {
	l := &local.UnixListen{Path: api.SocketPath(n.config.Dir),
		Access: local.Access{Mode: 0o600, AllowUID: []string{strconv.Itoa(os.Geteuid()), "0"}}}
	if os.Geteuid() < 0 {
		l.AllowUID = nil // a system without user numbers
	}
	acc, err := l.Listen(ctx)
	if err != nil {
		return err
	}
	n.serveControl(clients{tenon.NetListener(acc), n})
	return nil
}

// clients are those who are let in; one who is not does not end the server.
type clients struct {
	net.Listener
	node *Node
}

// Accept returns the next one.
func (l clients) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if !errors.Is(err, transport.ErrDenied) {
			return c, err
		}
		l.node.tell(api.Event{Type: "warning", Text: "control socket: " + err.Error()})
	}
}

// serveControl serves l until the node ends.
func (n *Node) serveControl(l net.Listener) {
	s := &http.Server{Handler: n.handler(), ReadHeaderTimeout: requestTime, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return n.life }}
	n.all.Go(func() { s.Serve(l) }) //nolint:errcheck // it ends with the node
	n.all.Go(func() {
		<-n.life.Done()
		l.Close() //nolint:errcheck // nobody comes any more
		bound, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(bound) != nil {
			s.Close() //nolint:errcheck // it is enough
		}
	})
}

// Client returns a client of the node, through connections in memory.
func (n *Node) Client() *api.Client {
	n.pipeOnce.Do(func() {
		n.pipe = &pipe{ready: make(chan net.Conn), closed: make(chan struct{})}
		n.serveControl(n.pipe)
	})
	return api.NewClient(n.pipe.dial)
}

// A pipe is a listener for connections in memory.
type pipe struct {
	ready  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipe) dial(ctx context.Context) (net.Conn, error) {
	a, b := mem.Pair()
	select {
	case p.ready <- b:
		return a, nil
	case <-p.closed:
		return nil, api.ErrNotRunning
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.ready:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return transport.Addr{Net: "mem", Name: "control"} }
