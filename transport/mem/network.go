package mem

import (
	"context"
	"net"
	"sync"
	"syscall"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// backlog is how many connections wait to be accepted before dialers wait too.
const backlog = 128

// A Network is a place where ends find each other by name. The zero Network is
// empty and ready. It must not be copied, and may be used from any goroutine.
type Network struct {
	mu        sync.Mutex // guards listeners
	listeners map[key]*acceptor
}

// A key is what a listener is found by: bytes and messages do not meet.
type key struct {
	name     string
	messages bool
}

// Kinds returns the kinds whose ends are in a new Network of their own.
func Kinds() transport.Kinds { return new(Network).Kinds() }

// Kinds returns the kinds whose ends are in n.
func (n *Network) Kinds() transport.Kinds {
	bytes := transport.Traits{HalfClose: true, Deadlines: true}
	msgs, listens, both := bytes, bytes, bytes
	msgs.Messages, both.Messages = true, true
	listens.Listens, both.Listens = true, true
	return transport.Kinds{
		{Name: "mem", Syntax: "mem:NAME", Example: "mem:here", Traits: bytes,
			Doc: "Connects to a name inside this program, for those who use Tenon as a library.",
			New: func() transport.Endpoint { return &Dial{Network: n} }},
		{Name: "mem-listen", Syntax: "mem-listen:NAME", Example: "mem-listen:here", Traits: listens,
			Doc: "Waits for connections to a name inside this program.",
			New: func() transport.Endpoint { return &Listen{Network: n} }},
		{Name: "mem-msg", Syntax: "mem-msg:NAME", Example: "mem-msg:here", Traits: msgs,
			Doc: "Connects to a name inside this program and carries messages.",
			New: func() transport.Endpoint { return &Dial{Network: n, Messages: true} }},
		{Name: "mem-msg-listen", Syntax: "mem-msg-listen:NAME", Example: "mem-msg-listen:here", Traits: both,
			Doc: "Waits for connections to a name inside this program and carries messages.",
			New: func() transport.Endpoint { return &Listen{Network: n, Messages: true} }},
	}
}

// Dial connects to a name. It fails at once if nobody listens there.
type Dial struct {
	Network  *Network
	Name     string
	Messages bool  // carry messages, not bytes
	Buffer   int64 // bytes that each direction holds; 0 means DefaultBuffer
}

// Listen waits for connections to a name.
type Listen struct {
	Network  *Network
	Name     string
	Messages bool
}

var (
	_ transport.Dialer   = (*Dial)(nil)
	_ transport.Listener = (*Listen)(nil)
	_ transport.Acceptor = (*acceptor)(nil)
)

// Bind binds the options of mem: and mem-msg:.
func (d *Dial) Bind(s *opt.Set) {
	s.Target(opt.Text, "NAME", bindName(&d.Name))
	s.Size(&d.Buffer, "buffer", DefaultBuffer, "how much each direction holds before the writer waits")
}

// Bind binds the target of mem-listen: and mem-msg-listen:.
func (l *Listen) Bind(s *opt.Set) { s.Target(opt.Text, "NAME", bindName(&l.Name)) }

func bindName(p *string) func(address.Target) error {
	return func(t address.Target) error {
		if t.Text == "" {
			return &opt.ValueError{Msg: "a name is missing"}
		}
		*p = t.Text
		return nil
	}
}

// Dial waits while the listener's backlog is full.
func (d *Dial) Dial(ctx context.Context) (transport.Conn, error) {
	addr := transport.Addr{Net: "mem", Name: d.Name}
	fail := func(err error) (transport.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: addr, Err: err}
	}
	if err := context.Cause(ctx); err != nil {
		return fail(err)
	}
	d.Network.mu.Lock()
	l := d.Network.listeners[key{d.Name, d.Messages}]
	d.Network.mu.Unlock()
	if l == nil {
		return fail(syscall.ECONNREFUSED)
	}
	near, far := newConns(d)
	select {
	case l.waiting <- far:
		if l.isClosed() {
			l.drain()
		}
		return near, nil
	case <-l.closed:
		return fail(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
}

// newConns makes the dialer's end and the listener's.
func newConns(d *Dial) (near, far transport.Conn) {
	buffer := DefaultBuffer
	if d.Buffer > 0 {
		buffer = int(min(d.Buffer, 1<<30))
	}
	kind := "mem"
	if d.Messages {
		kind = "mem-msg"
	}
	a, b := newEnds(kind, d.Name, buffer)
	b.info.Kind += "-listen"
	if d.Messages {
		return &messages{a}, &messages{b}
	}
	return &stream{a}, &stream{b}
}

// Listen fails if another listener has the name.
func (l *Listen) Listen(ctx context.Context) (transport.Acceptor, error) {
	addr := transport.Addr{Net: "mem", Name: l.Name}
	if err := context.Cause(ctx); err != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: addr, Err: err}
	}
	n, k := l.Network, key{l.Name, l.Messages}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[k] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: addr, Err: syscall.EADDRINUSE}
	}
	if n.listeners == nil {
		n.listeners = map[key]*acceptor{}
	}
	a := &acceptor{network: n, key: k, waiting: make(chan transport.Conn, backlog), closed: make(chan struct{})}
	n.listeners[k] = a
	return a, nil
}

// An acceptor is a name in a Network.
type acceptor struct {
	network *Network
	key     key
	waiting chan transport.Conn
	once    sync.Once
	closed  chan struct{} // closed by Close
}

func (a *acceptor) Addr() net.Addr { return transport.Addr{Net: "mem", Name: a.key.name} }

func (a *acceptor) Accept() (transport.Conn, error) {
	if a.isClosed() {
		return nil, net.ErrClosed
	}
	select {
	case c := <-a.waiting:
		return c, nil
	case <-a.closed:
		return nil, net.ErrClosed
	}
}

// Close gives the name up and resets the connections that wait.
func (a *acceptor) Close() error {
	a.once.Do(func() {
		a.network.mu.Lock()
		delete(a.network.listeners, a.key)
		a.network.mu.Unlock()
		close(a.closed)
		a.drain()
	})
	return nil
}

func (a *acceptor) isClosed() bool {
	select {
	case <-a.closed:
		return true
	default:
		return false
	}
}

func (a *acceptor) drain() {
	for {
		select {
		case c := <-a.waiting:
			transport.Abort(c, net.ErrClosed)
		default:
			return
		}
	}
}
