package node

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/transport"
)

// maxPackets is how many messages wait to be read before those of a peer that sends more
// wait at the peer.
const maxPackets = 64

// ListenPacket offers a service that carries messages, as a net.PacketConn: all peers
// that use it send to one place, and the address of each message, which is of one use of
// the service, is where an answer goes. Messages keep their boundaries; unlike those of
// UDP none is lost while the connection lasts, unless the Offer is of Datagrams.
func (n *Node) ListenPacket(ctx context.Context, service string, o Offer) (net.PacketConn, error) {
	o.Messages = true
	acc, err := n.Accept(ctx, service, o)
	if err != nil {
		return nil, err
	}
	p := &packetConn{acc: acc, packets: make(chan packet, maxPackets), closed: make(chan struct{}), peers: map[string]transport.MsgConn{}}
	p.all.Go(p.accept)
	return p, nil
}

type packet struct {
	data []byte
	from net.Addr
}

type packetConn struct {
	acc     transport.Acceptor
	packets chan packet
	late    deadline.Deadline
	closed  chan struct{}
	once    sync.Once
	all     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	last  int
	peers map[string]transport.MsgConn
}

var _ net.PacketConn = (*packetConn)(nil)

func (p *packetConn) accept() {
	for {
		c, err := p.acc.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m, ok := c.(transport.MsgConn)
		if err != nil || !ok {
			continue
		}
		p.mu.Lock()
		p.last++
		from := transport.Addr{Net: "peer", Name: m.RemoteAddr().String() + "#" + strconv.Itoa(p.last)}
		p.peers[from.Name] = m
		p.mu.Unlock()
		p.all.Go(func() { p.read(m, from) })
	}
}

// read hands on the messages of one use of the service.
func (p *packetConn) read(m transport.MsgConn, from transport.Addr) {
	defer func() {
		m.Close() //nolint:errcheck // it has ended
		p.mu.Lock()
		delete(p.peers, from.Name)
		p.mu.Unlock()
	}()
	defer context.AfterFunc(p.life(), func() { m.Close() })()
	b := make([]byte, 64<<10)
	for {
		n, _, err := m.ReadMsg(b)
		if err != nil && !errors.Is(err, io.ErrShortBuffer) {
			return
		}
		select {
		case p.packets <- packet{append([]byte(nil), b[:n]...), from}:
		case <-p.closed:
			return
		}
	}
}

// life returns a context that ends with p.
func (p *packetConn) life() context.Context { return closing{p.closed} }

// closing is a context that is done when a channel is closed.
type closing struct{ c <-chan struct{} }

func (closing) Deadline() (t time.Time, ok bool) { return t, false }
func (c closing) Done() <-chan struct{}          { return c.c }
func (closing) Value(any) any                    { return nil }
func (c closing) Err() error {
	if deadline.IsClosed(c.c) {
		return context.Canceled
	}
	return nil
}

// ReadFrom reads one message. What does not fit in b is lost, as with UDP.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	late := p.late.Wait()
	if deadline.IsClosed(p.closed) {
		return 0, nil, net.ErrClosed
	}
	if deadline.IsClosed(late) {
		return 0, nil, os.ErrDeadlineExceeded
	}
	select {
	case m := <-p.packets:
		return copy(b, m.data), m.from, nil
	case <-late:
		return 0, nil, os.ErrDeadlineExceeded
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo answers whoever is at an address that ReadFrom has returned.
func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	p.mu.Lock()
	m := p.peers[to.String()]
	p.mu.Unlock()
	switch {
	case deadline.IsClosed(p.closed):
		return 0, net.ErrClosed
	case m == nil:
		return 0, &net.OpError{Op: "write", Net: "peer", Addr: to, Err: errors.New("nobody is there any more")}
	}
	if err := m.WriteMsg(b, transport.Meta{}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends the offer, and all uses of it.
func (p *packetConn) Close() error {
	var err error
	p.once.Do(func() {
		close(p.closed)
		err = p.acc.Close()
		p.all.Wait()
	})
	return err
}

func (p *packetConn) LocalAddr() net.Addr               { return p.acc.Addr() }
func (p *packetConn) SetDeadline(t time.Time) error     { return p.SetReadDeadline(t) }
func (p *packetConn) SetReadDeadline(t time.Time) error { p.late.Set(t); return nil }
func (p *packetConn) SetWriteDeadline(time.Time) error  { return os.ErrNoDeadline }
