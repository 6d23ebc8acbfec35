package swarm

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// A secureTransport is libp2p's TLS with certificates in which a node that has had
// other keys says so (docs/protocol/hello.md): a peer that knows one of those, and has not
// heard, would turn the new key away before it could be told anything.
type secureTransport struct {
	n        *Network
	identity *libp2ptls.Identity
	own      []byte // the certificate, which no other process has
	muxers   []protocol.ID
}

var _ sec.SecureTransport = (*secureTransport)(nil)

// rotationsID is the extension of a certificate that has the statements. It is below the
// arc of UUIDs (ITU-T X.667), under which nobody has to be asked.
var rotationsID = asn1.ObjectIdentifier{2, 25, 1413828175, 1}

func newSecureTransport(n *Network, key *privKey, muxers ...protocol.ID) (*secureTransport, error) {
	var opts []libp2ptls.IdentityOption
	if len(n.config.Rotations) > 0 {
		serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
		if err != nil {
			return nil, err
		}
		opts = append(opts, libp2ptls.WithCertTemplate(&x509.Certificate{ // as libp2p makes it, and the extension
			SerialNumber:    serial,
			Subject:         pkix.Name{SerialNumber: serial.String()},
			NotBefore:       time.Now().Add(-time.Hour),
			NotAfter:        time.Now().AddDate(100, 0, 0),
			ExtraExtensions: []pkix.Extension{{Id: rotationsID, Value: n.config.Rotations}},
		}))
	}
	identity, err := libp2ptls.NewIdentity(key, opts...)
	if err != nil {
		return nil, err
	}
	config, _ := identity.ConfigForPeer("")
	return &secureTransport{n, identity, config.Certificates[0].Certificate[0], muxers}, nil
}

// configFor returns the configuration of one handshake, with want or with anybody, and
// where the key is that the other side has shown.
func (t *secureTransport) configFor(want lpeer.ID) (*tls.Config, <-chan crypto.PubKey) {
	config, shown := t.identity.ConfigForPeer(want)
	verify := config.VerifyPeerCertificate
	config.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
		t.learn(raw)
		return verify(raw, chains)
	}
	return config, shown
}

// learn hands on what a certificate says of earlier keys. That is signed by those keys, so
// it may be a certificate of anybody.
func (t *secureTransport) learn(raw [][]byte) {
	if t.n.config.Succeeds == nil || len(raw) != 1 || !t.n.begin() {
		return
	}
	defer t.n.working.Done()
	cert, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return
	}
	if i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(rotationsID) }); i >= 0 {
		t.n.config.Succeeds(cert.Extensions[i].Value)
	}
}

func (t *secureTransport) ID() protocol.ID { return libp2ptls.ID }

// SecureInbound does the handshake with who has connected. Of the multiplexers it takes
// the one that the other side likes best.
func (t *secureTransport) SecureInbound(ctx context.Context, c net.Conn, p lpeer.ID) (sec.SecureConn, error) {
	config, shown := t.configFor(p)
	all := t.protos(config)
	config.NextProtos = all
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, proto := range hello.SupportedProtos {
			if slices.Contains(all, proto) {
				config.NextProtos = []string{proto}
				break
			}
		}
		return config, nil
	}
	return t.handshake(ctx, c, tls.Server(c, config), network.DirInbound, shown)
}

// SecureOutbound does the handshake with who was dialed.
func (t *secureTransport) SecureOutbound(ctx context.Context, c net.Conn, p lpeer.ID) (sec.SecureConn, error) {
	config, shown := t.configFor(p)
	config.NextProtos = t.protos(config)
	return t.handshake(ctx, c, tls.Client(c, config), network.DirOutbound, shown)
}

// protos returns the multiplexers, and what stands for none of them.
func (t *secureTransport) protos(config *tls.Config) []string {
	return append(protocol.ConvertToStrings(t.muxers), config.NextProtos...)
}

func (t *secureTransport) handshake(ctx context.Context, under net.Conn, over *tls.Conn, dir network.Direction, shown <-chan crypto.PubKey) (sec.SecureConn, error) {
	c := &secureConn{Conn: over, local: t.n.self}
	err := over.HandshakeContext(ctx)
	if err == nil {
		c.public = <-shown // it is there: the handshake is over
		c.remote, err = lpeer.IDFromPublicKey(c.public)
	}
	if err != nil {
		under.Close() //nolint:errcheck // the handshake has failed
		return nil, err
	}
	if proto := protocol.ID(over.ConnectionState().NegotiatedProtocol); slices.Contains(t.muxers, proto) {
		c.state = network.ConnectionState{StreamMultiplexer: proto, UsedEarlyMuxerNegotiation: true}
	}
	if c.remote == t.n.self {
		t.n.meetOver(under, c, dir)
	}
	return c, nil
}

// A secureConn is a connection of a secureTransport.
type secureConn struct {
	*tls.Conn
	local, remote lpeer.ID
	public        crypto.PubKey
	state         network.ConnectionState
}

func (c *secureConn) LocalPeer() lpeer.ID                { return c.local }
func (c *secureConn) RemotePeer() lpeer.ID               { return c.remote }
func (c *secureConn) RemotePublicKey() crypto.PubKey     { return c.public }
func (c *secureConn) ConnState() network.ConnectionState { return c.state }
