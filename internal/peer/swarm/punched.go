package swarm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/peer/punch"
)

func asPunchError(err error, to **punch.Error) bool { return errors.As(err, to) }

// connectPunched makes a connection of libp2p over a way that was found, and gives it to the swarm.
// Who is at the other side, its handshake proves.
func (n *Network) connectPunched(ctx context.Context, id lpeer.ID, res *punch.Result, opener bool) error {
	var c ltransport.CapableConn
	var err error
	if res.UDP != nil {
		c, err = n.overPunchedUDP(ctx, id, res, opener)
	} else {
		c, err = n.overPunchedTCP(ctx, id, res.TCP, opener)
	}
	if err != nil {
		return err
	}
	if c.RemotePeer() != id {
		c.Close() //nolint:errcheck // it is gone
		return fmt.Errorf("somebody else is there: %s", c.RemotePeer())
	}
	select {
	case n.inject.conns <- c:
		return nil
	case <-n.inject.closed:
		c.Close() //nolint:errcheck // it is gone
		return errStopped
	}
}

// overPunchedTCP does TLS and yamux over a connection.
func (n *Network) overPunchedTCP(ctx context.Context, id lpeer.ID, conn *net.TCPConn, opener bool) (ltransport.CapableConn, error) {
	c, err := manet.WrapNetConn(conn)
	if err != nil {
		conn.Close() //nolint:errcheck // it is gone
		return nil, err
	}
	dir := network.DirOutbound
	if !opener {
		dir, id = network.DirInbound, ""
	}
	scope, err := n.swarm.ResourceManager().OpenConnection(dir, true, c.RemoteMultiaddr())
	if err != nil {
		c.Close() //nolint:errcheck // it is gone
		return nil, err
	}
	return n.upgrader.Upgrade(ctx, n.inject, c, dir, id, scope)
}

// overPunchedUDP does QUIC over a socket, of which it is the only user: the opener dials, the other
// side listens for the one connection.
func (n *Network) overPunchedUDP(ctx context.Context, id lpeer.ID, res *punch.Result, opener bool) (_ ltransport.CapableConn, err error) {
	own := &punchedConn{socket: res.UDP}
	defer func() {
		if err != nil {
			own.release()
		}
	}()
	key, err := newPrivKey(n.config.Key)
	if err != nil {
		return nil, err
	}
	var reset quic.StatelessResetKey
	var token quic.TokenGeneratorKey
	rand.Read(reset[:]) //nolint:errcheck // it does not fail
	rand.Read(token[:]) //nolint:errcheck // it does not fail
	sockets, err := quicreuse.NewConnManager(reset, token, quicreuse.DisableReuseport(),
		quicreuse.OverrideListenUDP(func(string, *net.UDPAddr) (net.PacketConn, error) { return res.UDP, nil }))
	if err != nil {
		return nil, err
	}
	t, err := libp2pquic.NewTransport(key, sockets, nil, gate{n}, n.swarm.ResourceManager())
	if err != nil {
		return nil, err
	}
	if opener {
		at, err := manet.FromNetAddr(net.UDPAddrFromAddrPort(res.Remote))
		if err != nil {
			return nil, err
		}
		own.CapableConn, err = t.Dial(ctx, ma.Join(at, ma.StringCast("/quic-v1")), id)
		if err != nil {
			return nil, err
		}
		return own, nil
	}
	any := "/ip4/0.0.0.0/udp/0/quic-v1"
	if res.Remote.Addr().Is6() {
		any = "/ip6/::/udp/0/quic-v1"
	}
	if own.listener, err = t.Listen(ma.StringCast(any)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { own.listener.Close() }) //nolint:errcheck // it is gone
	own.CapableConn, err = own.listener.Accept()
	if !stop() && err == nil {
		own.CapableConn.Close() //nolint:errcheck // it is gone
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return own, nil
}

// A punchedConn owns the socket that it goes over.
type punchedConn struct {
	ltransport.CapableConn
	socket   *net.UDPConn
	listener ltransport.Listener // nil at the opener
	once     sync.Once
}

func (c *punchedConn) Close() error {
	err := c.CapableConn.Close()
	c.release()
	return err
}

func (c *punchedConn) CloseWithError(code network.ConnErrorCode) error {
	err := c.CapableConn.CloseWithError(code)
	c.release()
	return err
}

// release closes the socket, once the connection has said its last.
func (c *punchedConn) release() {
	c.once.Do(func() {
		if c.listener != nil {
			c.listener.Close() //nolint:errcheck // it is gone
		}
		c.socket.Close() //nolint:errcheck // it is gone
	})
}
