package swarm

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ltransport "github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/peer"
)

// A quicTransport is libp2p's QUIC with a configuration of our own: libp2p's has room
// for 256 streams of a connection, and takes no sockets that were made by punching.
type quicTransport struct {
	n      *Network
	secure *secureTransport
	limits network.ResourceManager

	mu      sync.Mutex // guards sockets
	sockets []*quicSocket
}

var _ ltransport.Transport = (*quicTransport)(nil)

// A quicSocket is a UDP socket with QUIC on it.
type quicSocket struct {
	tr     *quic.Transport
	socket net.PacketConn
	at     *net.UDPAddr
}

// quicSilence is after how long without any answer a connection is over.
const quicSilence = 20 * time.Second

func (t *quicTransport) config() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:             handshakeTimeout,
		MaxIdleTimeout:                   quicSilence,
		KeepAlivePeriod:                  quicSilence / 4,
		MaxIncomingStreams:               maxStreamsPeer,
		MaxIncomingUniStreams:            -1,
		MaxStreamReceiveWindow:           10 << 20,
		MaxConnectionReceiveWindow:       15 << 20,
		Versions:                         []quic.Version{quic.Version1},
		AllowConnectionWindowIncrease:    mayGrow,
		EnableStreamResetPartialDelivery: false,
		EnableDatagrams:                  !t.n.config.noDatagrams,
	}
}

// mayGrow books the memory of a window at the connection's scope, if it has one.
func mayGrow(c *quic.Conn, more uint64) bool {
	scope, err := network.UnwrapConnManagementScope(c.Context())
	return err != nil || scope.ReserveMemory(int(more), network.ReservationPriorityMedium) == nil
}

func (t *quicTransport) Protocols() []int            { return []int{ma.P_QUIC_V1} }
func (t *quicTransport) Proxy() bool                 { return false }
func (t *quicTransport) String() string              { return "QUIC" }
func (t *quicTransport) CanDial(a ma.Multiaddr) bool { return udpAddr(a) != nil }

// udpAddr returns the socket of "/ip4/…/udp/…/quic-v1", or nil.
func udpAddr(a ma.Multiaddr) *net.UDPAddr {
	a = undisguised(a)
	p := withoutZone(a).Protocols()
	if len(p) != 3 || p[1].Code != ma.P_UDP || p[2].Code != ma.P_QUIC_V1 {
		return nil
	}
	at, err := manet.ToNetAddr(a.Decapsulate(quicV1))
	if err != nil {
		return nil
	}
	u, _ := at.(*net.UDPAddr)
	return u
}

var quicV1 = ma.StringCast("/quic-v1")

func quicAddr(a net.Addr) (ma.Multiaddr, error) {
	m, err := manet.FromNetAddr(a)
	if err != nil {
		return nil, err
	}
	return m.Encapsulate(quicV1), nil
}

// open puts QUIC on a socket.
func (t *quicTransport) open(family string, at *net.UDPAddr) (*quicSocket, error) {
	c, err := t.listenPacket(family, at)
	if err != nil {
		return nil, err
	}
	is, _ := c.LocalAddr().(*net.UDPAddr)
	var token quic.TokenGeneratorKey
	rand.Read(token[:]) //nolint:errcheck // it does not fail
	reset := resetKey(t.n.config.Key)
	s := &quicSocket{socket: c, at: is, tr: &quic.Transport{Conn: c, TokenGeneratorKey: &token, StatelessResetKey: &reset,
		ConnContext: t.enter, VerifySourceAddress: t.n.halfOpen.crowded}}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sockets = append(t.sockets, s)
	return s, nil
}

// resetKey returns the key of stateless resets (RFC 9000 section 10.3). It is the same each time
// that a node starts, so that one that was killed can tell others that their connections with it
// are over. An Ed25519 signature is as secret as the key is, if nobody is ever shown it.
func resetKey(key *peer.Key) (reset quic.StatelessResetKey) {
	b, err := hkdf.Key(sha256.New, key.SignAs(peer.ContextReset, nil), nil, string(peer.ContextReset), len(reset))
	if err != nil {
		panic(err) // so much there always is
	}
	copy(reset[:], b)
	return reset
}

func (t *quicTransport) listenPacket(family string, at *net.UDPAddr) (net.PacketConn, error) {
	if t.n.config.packets != nil {
		return t.n.config.packets(at)
	}
	return net.ListenUDP(family, at)
}

func (s *quicSocket) close() {
	s.tr.Close()     //nolint:errcheck // nothing is left to be done about it
	s.socket.Close() //nolint:errcheck // nothing is left to be done about it
}

// enter is asked for each connection that arrives, before its handshake.
func (t *quicTransport) enter(ctx context.Context, from *quic.ClientInfo) (context.Context, error) {
	if !t.n.halfOpen.enter(from.RemoteAddr) {
		return ctx, network.ErrResourceLimitExceeded
	}
	leave := sync.OnceFunc(func() { t.n.halfOpen.leave(from.RemoteAddr) })
	at, err := quicAddr(from.RemoteAddr)
	if err == nil {
		var scope network.ConnManagementScope
		if scope, err = t.limits.OpenConnection(network.DirInbound, false, at); err == nil {
			context.AfterFunc(ctx, func() {
				leave()
				scope.Done()
			})
			return context.WithValue(network.WithConnManagementScope(ctx, scope), leaveKey{}, leave), nil
		}
	}
	leave()
	return ctx, err
}

type leaveKey struct{}

// serverTLS shows our certificate and takes everybody's: who it is, is looked at later.
func (t *quicTransport) serverTLS() *tls.Config {
	config, _ := t.secure.configFor("")
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own, _ := t.secure.configFor("")
		return own, nil
	}
	return config
}

// Dial dials from a port that is listened on, if there is one.
func (t *quicTransport) Dial(ctx context.Context, a ma.Multiaddr, p lpeer.ID) (ltransport.CapableConn, error) {
	to := udpAddr(a)
	if to == nil {
		return nil, errors.ErrUnsupported
	}
	s, err := t.from(to)
	if err != nil {
		return nil, err
	}
	return t.dialFrom(ctx, s.tr, to, a, p)
}

func (t *quicTransport) dialFrom(ctx context.Context, from *quic.Transport, to *net.UDPAddr, a ma.Multiaddr, p lpeer.ID) (*quicConn, error) {
	scope, err := t.limits.OpenConnection(network.DirOutbound, false, a)
	if err != nil {
		return nil, err
	}
	if err := scope.SetPeer(p); err != nil {
		scope.Done()
		return nil, err
	}
	config, _ := t.secure.configFor(p)
	c, err := from.Dial(ctx, to, config, t.config())
	if err != nil {
		scope.Done()
		return nil, quicError(err)
	}
	return t.wrap(c, network.DirOutbound, p, scope)
}

// from returns a socket to dial from.
func (t *quicTransport) from(to *net.UDPAddr) (*quicSocket, error) {
	is4 := to.IP.To4() != nil
	t.mu.Lock()
	for _, s := range t.sockets {
		if (s.at.IP.To4() != nil) == is4 && (s.at.IP.IsUnspecified() || s.at.IP.IsLoopback() && to.IP.IsLoopback() || t.n.config.packets != nil) {
			t.mu.Unlock()
			return s, nil
		}
	}
	t.mu.Unlock()
	if is4 {
		return t.open("udp4", &net.UDPAddr{IP: net.IPv4zero})
	}
	return t.open("udp6", &net.UDPAddr{IP: net.IPv6unspecified})
}

// Close closes all sockets.
func (t *quicTransport) Close() error {
	t.mu.Lock()
	all := t.sockets
	t.sockets = nil
	t.mu.Unlock()
	for _, s := range all {
		s.close()
	}
	return nil
}

// Listen listens for QUIC.
func (t *quicTransport) Listen(a ma.Multiaddr) (ltransport.Listener, error) {
	at := udpAddr(a)
	if at == nil {
		return nil, errors.ErrUnsupported
	}
	family := "udp6"
	if at.IP.To4() != nil {
		family = "udp4"
	}
	s, err := t.open(family, at)
	if err != nil {
		return nil, err
	}
	inner, err := s.tr.Listen(t.serverTLS(), t.config())
	if err != nil {
		return nil, err
	}
	is, err := quicAddr(inner.Addr())
	return &quicListener{t, inner, is}, err
}

// A quicListener takes the connections that arrive at a socket.
type quicListener struct {
	t     *quicTransport
	inner *quic.Listener
	at    ma.Multiaddr
}

// Accept returns the next connection of somebody who is let in.
func (l *quicListener) Accept() (ltransport.CapableConn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *quicListener) accept() (*quicConn, error) {
	for {
		c, err := l.inner.Accept(context.Background())
		if err != nil {
			return nil, ltransport.ErrListenerClosed
		}
		if leave, ok := c.Context().Value(leaveKey{}).(func()); ok {
			leave()
		}
		scope, err := network.UnwrapConnManagementScope(c.Context())
		if err != nil {
			c.CloseWithError(quic.ApplicationErrorCode(network.ConnResourceLimitExceeded), "") //nolint:errcheck // it is gone
			continue
		}
		if x, err := l.t.wrap(c, network.DirInbound, "", scope); err == nil {
			return x, nil
		}
	}
}

func (l *quicListener) Close() error            { return l.inner.Close() }
func (l *quicListener) Addr() net.Addr          { return l.inner.Addr() }
func (l *quicListener) Multiaddr() ma.Multiaddr { return l.at }

// acceptOne waits for the one connection that is to come to a socket.
func (t *quicTransport) acceptOne(ctx context.Context, tr *quic.Transport, a ma.Multiaddr, id lpeer.ID) (*quicConn, error) {
	scope, err := t.limits.OpenConnection(network.DirInbound, false, a)
	if err != nil {
		return nil, err
	}
	l, err := tr.Listen(t.serverTLS(), t.config())
	if err != nil {
		scope.Done()
		return nil, err
	}
	defer l.Close() //nolint:errcheck // its connection lives on
	c, err := l.Accept(ctx)
	if err != nil {
		scope.Done()
		return nil, err
	}
	return t.wrap(c, network.DirInbound, id, scope)
}
