package load

import (
	"context"
	"net"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// shmLimit is above the number of connections of any scenario; the default is for strangers.
const shmLimit = ",max=20000"

func listenShm(o *options) (net.Listener, error) {
	a, err := tenon.Listen(context.Background(), "shm-listen:"+o.addr+shmLimit)
	if err != nil {
		return nil, err
	}
	return tenon.NetListener(a), nil
}

func dialShm(o *options) (net.Conn, error) {
	c, err := dialTenon("shm:" + o.addr)
	if err != nil {
		return nil, err
	}
	return c.(net.Conn), nil
}

func dialTenon(addr string) (transport.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	return tenon.Dial(ctx, addr)
}

func listenShmMsg(o *options) (net.Listener, error) {
	a, err := tenon.Listen(context.Background(), "shm-msg-listen:"+o.addr+shmLimit)
	if err != nil {
		return nil, err
	}
	return msgListener{a}, nil
}

func dialShmMsg(o *options) (net.Conn, error) {
	c, err := dialTenon("shm-msg:" + o.addr)
	if err != nil {
		return nil, err
	}
	return &messages{c.(transport.MsgConn)}, nil
}

type msgListener struct{ a transport.Acceptor }

func (l msgListener) Accept() (net.Conn, error) {
	c, err := l.a.Accept()
	if err != nil {
		return nil, err
	}
	return &messages{c.(transport.MsgConn)}, nil
}

func (l msgListener) Addr() net.Addr { return l.a.Addr() }
func (l msgListener) Close() error   { return l.a.Close() }

// messages lets those who expect a net.Conn read and write messages.
type messages struct{ c transport.MsgConn }

func (m *messages) Read(p []byte) (int, error) {
	n, _, err := m.c.ReadMsg(p)
	return n, err
}

func (m *messages) Write(p []byte) (int, error) {
	if err := m.c.WriteMsg(p, transport.Meta{}); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (m *messages) Close() error                       { return m.c.Close() }
func (m *messages) LocalAddr() net.Addr                { return m.c.LocalAddr() }
func (m *messages) RemoteAddr() net.Addr               { return m.c.RemoteAddr() }
func (m *messages) SetDeadline(t time.Time) error      { return m.c.SetDeadline(t) }
func (m *messages) SetReadDeadline(t time.Time) error  { return m.c.SetReadDeadline(t) }
func (m *messages) SetWriteDeadline(t time.Time) error { return m.c.SetWriteDeadline(t) }
