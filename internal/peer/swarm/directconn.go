package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/rawio"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/tlslayer"
)

// keepAlive finds out within 15 seconds that the other side is gone.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 2}

// A directConn is a TLS connection that carries one stream after the other.
type directConn struct {
	d     *direct
	tls   *tlslayer.Conn
	tcp   *net.TCPConn
	id    lpeer.ID
	who   peer.ID
	scope network.ConnManagementScope
	at    string    // that was dialed
	made  time.Time // when it was counted; guarded by direct.mu
	proto string    // of the last stream; for whoever has the connection
	since time.Time // when it became idle; likewise, and guarded by direct.mu while nobody has
}

// handshake does the handshake. The other side has to be want, unless that is nobody.
func (d *direct) handshake(ctx context.Context, c *net.TCPConn, side transport.Side, want lpeer.ID) (*directConn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	config, shown := d.secure.configFor(want)
	config.NextProtos = []string{alpn}
	over, err := tlslayer.Over(ctx, newTCPStream(c), config, side)
	if err != nil {
		return nil, err
	}
	x := &directConn{d: d, tls: over, tcp: c}
	if got := over.Info().TLS.NegotiatedProtocol; got != alpn {
		err = fmt.Errorf("the peer does not speak %s", alpn)
	} else if x.id, err = lpeer.IDFromPublicKey(<-shown); err == nil { // it is there: the handshake is over
		x.who, err = ours(x.id)
	}
	if err != nil {
		x.cut()
		return nil, err
	}
	return x, nil
}

// cut ends the connection so that the other side sees a failure.
func (x *directConn) cut() {
	x.tls.Abort(nil) //nolint:errcheck // it is gone
	x.d.forget(x)
}

// request asks for a stream.
func (x *directConn) request(ctx context.Context, proto string) error {
	if len(proto) == 0 || len(proto) > maxName {
		return peer.ErrNoProtocol
	}
	stop := context.AfterFunc(ctx, func() { x.tls.Abort(nil) }) //nolint:errcheck // it is gone
	_, err := x.tls.Write(frame(frameOpen, proto))
	var answer []byte
	if err == nil {
		answer, err = readFrame(x.tls, frameAnswer, 1, 1)
	}
	if !stop() {
		return errors.Join(context.Cause(ctx), err)
	}
	switch {
	case err != nil:
		return err
	case answer[0] == answerNoProtocol:
		return peer.ErrNoProtocol
	case answer[0] != answerYes:
		return fmt.Errorf("%w: the answer %d", errFrame, answer[0])
	}
	return nil
}

// A tcpStream is a TCP connection as TLS wants it.
type tcpStream struct {
	*rawio.Conn
	tcp  *net.TCPConn
	info transport.Info
}

func newTCPStream(c *net.TCPConn) *tcpStream {
	return &tcpStream{rawio.New(c), c, transport.Info{Kind: "tcp", Socket: c.RemoteAddr()}}
}

func (s *tcpStream) Info() *transport.Info { return &s.info }

// Abort resets the connection.
func (s *tcpStream) Abort(error) error {
	return errors.Join(s.tcp.SetLinger(0), s.tcp.Close())
}
