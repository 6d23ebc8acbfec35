package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
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
	return n.injectConn(c)
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
// side listens for the one connection. The socket is closed behind it.
func (n *Network) overPunchedUDP(ctx context.Context, id lpeer.ID, res *punch.Result, opener bool) (ltransport.CapableConn, error) {
	tr := &quic.Transport{Conn: res.UDP}
	end := func() {
		tr.Close()      //nolint:errcheck // nothing is left to be done about it
		res.UDP.Close() //nolint:errcheck // nothing is left to be done about it
	}
	at := net.UDPAddrFromAddrPort(res.Remote)
	a, err := quicAddr(at)
	if err != nil {
		end()
		return nil, err
	}
	var c *quicConn
	if opener {
		c, err = n.overQUIC.dialFrom(ctx, tr, at, a, id)
	} else {
		c, err = n.overQUIC.acceptOne(ctx, tr, a, id)
	}
	if err != nil {
		end()
		return nil, err
	}
	if !n.task(func() {
		<-c.conn.Context().Done()
		end()
	}) {
		c.Close() //nolint:errcheck // it is gone
		end()
		return nil, errStopped
	}
	return c, nil
}
