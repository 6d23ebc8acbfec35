package swarm

import (
	"net"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/quic-go/quic-go"
)

// A countingMuxer is yamux that counts what arrives on each connection, whatever it is for:
// somebody is alive who sends anything.
type countingMuxer struct{ network.Multiplexer }

// muxer is what connections are multiplexed with that are not QUIC's.
var muxer network.Multiplexer = countingMuxer{yamux.DefaultTransport}

// NewConn puts yamux on a connection, behind which the other side has proved who it is.
func (m countingMuxer) NewConn(nc net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	c := &countedConn{Conn: nc}
	muxed, err := m.Multiplexer.NewConn(c, isServer, scope)
	if err != nil {
		return nil, err
	}
	return &countedMux{muxed, &c.heard}, nil
}

// A countedConn counts the reads that bring something.
type countedConn struct {
	net.Conn
	heard atomic.Uint64
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Add(1)
	}
	return n, err
}

// A countedMux shows the count of the connection beneath.
type countedMux struct {
	network.MuxedConn
	heard *atomic.Uint64
}

func (c *countedMux) As(target any) bool {
	if heard, ok := target.(**atomic.Uint64); ok {
		*heard = c.heard
		return true
	}
	return c.MuxedConn.As(target)
}

// heardOver returns a function that counts what arrives over a connection, in whatever unit.
func heardOver(c network.Conn) func() uint64 {
	var heard *atomic.Uint64
	var conn *quic.Conn
	switch {
	case c.As(&heard):
		return heard.Load
	case c.As(&conn):
		return func() uint64 { return conn.ConnectionStats().PacketsReceived }
	}
	return func() uint64 { return 0 }
}
