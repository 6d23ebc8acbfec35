package swarm

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// A quicConn is a QUIC connection as libp2p wants it.
type quicConn struct {
	t             *quicTransport
	conn          *quic.Conn
	scope         network.ConnManagementScope
	public        crypto.PubKey
	id            lpeer.ID
	local, remote ma.Multiaddr
}

var _ ltransport.CapableConn = (*quicConn)(nil)

// wrap finds out who is at the other side of a connection, and asks the gate. It has
// closed the connection if it returns an error.
func (t *quicTransport) wrap(c *quic.Conn, dir network.Direction, want lpeer.ID, scope network.ConnManagementScope) (*quicConn, error) {
	x := &quicConn{t: t, conn: c, scope: scope}
	err := x.identify(want)
	if err == nil && x.id == t.n.self {
		t.n.meet(c.ConnectionState().TLS.PeerCertificates, x.remote.String())
		if dir == network.DirOutbound {
			select {
			case <-c.Context().Done(): // it has noticed, too
			case <-time.After(hangUpTime):
			}
		}
	}
	switch {
	case err != nil:
		x.CloseWithError(network.ConnProtocolViolation) //nolint:errcheck // it is gone
		return nil, err
	case dir == network.DirInbound && scope.SetPeer(x.id) != nil:
		x.CloseWithError(network.ConnResourceLimitExceeded) //nolint:errcheck // it is gone
		return nil, network.ErrResourceLimitExceeded
	case !(gate{t.n}).InterceptSecured(dir, x.id, x):
		x.CloseWithError(network.ConnGated) //nolint:errcheck // it is gone
		return nil, errGated
	}
	context.AfterFunc(c.Context(), scope.Done)
	return x, nil
}

func (c *quicConn) identify(want lpeer.ID) (err error) {
	if c.public, err = libp2ptls.PubKeyFromCertChain(c.conn.ConnectionState().TLS.PeerCertificates); err != nil {
		return err
	}
	if c.id, err = lpeer.IDFromPublicKey(c.public); err != nil {
		return err
	}
	if want != "" && c.id != want {
		return errors.New("somebody else answers")
	}
	if c.local, err = quicAddr(c.conn.LocalAddr()); err != nil {
		return err
	}
	c.remote, err = quicAddr(c.conn.RemoteAddr())
	return err
}

func (c *quicConn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	s, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, quicError(err)
	}
	return quicStream{s}, nil
}

func (c *quicConn) AcceptStream() (network.MuxedStream, error) {
	s, err := c.conn.AcceptStream(context.Background())
	if err != nil {
		return nil, quicError(err)
	}
	return quicStream{s}, nil
}

func (c *quicConn) Close() error { return c.CloseWithError(network.ConnNoError) }

func (c *quicConn) CloseWithError(code network.ConnErrorCode) error {
	err := c.conn.CloseWithError(quic.ApplicationErrorCode(code), "")
	c.scope.Done()
	return err
}

func (c *quicConn) IsClosed() bool                  { return c.conn.Context().Err() != nil }
func (c *quicConn) LocalPeer() lpeer.ID             { return c.t.n.self }
func (c *quicConn) RemotePeer() lpeer.ID            { return c.id }
func (c *quicConn) RemotePublicKey() crypto.PubKey  { return c.public }
func (c *quicConn) LocalMultiaddr() ma.Multiaddr    { return c.local }
func (c *quicConn) RemoteMultiaddr() ma.Multiaddr   { return c.remote }
func (c *quicConn) Transport() ltransport.Transport { return c.t }
func (c *quicConn) Scope() network.ConnScope        { return c.scope }
func (c *quicConn) ConnState() network.ConnectionState {
	return network.ConnectionState{Transport: "quic-v1"}
}

// As gives the QUIC connection away.
func (c *quicConn) As(target any) bool {
	t, ok := target.(**quic.Conn)
	if ok {
		*t = c.conn
	}
	return ok
}

// A quicStream is a QUIC stream as libp2p wants it.
type quicStream struct{ *quic.Stream }

var _ network.MuxedStream = quicStream{}

func (s quicStream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	return n, quicError(err)
}

func (s quicStream) Write(p []byte) (int, error) {
	n, err := s.Stream.Write(p)
	return n, quicError(err)
}

func (s quicStream) Close() error {
	s.CancelRead(0)
	return s.Stream.Close()
}

func (s quicStream) CloseRead() error {
	s.CancelRead(0)
	return nil
}

func (s quicStream) CloseWrite() error { return s.Stream.Close() }
func (s quicStream) Reset() error      { return s.ResetWithError(network.StreamNoError) }

func (s quicStream) ResetWithError(code network.StreamErrorCode) error {
	s.CancelRead(quic.StreamErrorCode(code))
	s.CancelWrite(quic.StreamErrorCode(code))
	return nil
}

// quicError says in the words of libp2p how a stream or a connection has ended.
func quicError(err error) error {
	var stream *quic.StreamError
	var conn *quic.ApplicationError
	switch {
	case errors.As(err, &stream):
		return &network.StreamError{ErrorCode: network.StreamErrorCode(min(stream.ErrorCode, math.MaxUint32)), Remote: stream.Remote, TransportError: err}
	case errors.As(err, &conn):
		return &network.ConnError{ErrorCode: network.ConnErrorCode(min(conn.ErrorCode, math.MaxUint32)), Remote: conn.Remote, TransportError: err}
	}
	return err
}
