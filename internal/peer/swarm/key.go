package swarm

import (
	gocrypto "crypto"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/crypto/pb"
	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
)

// A privKey is a [peer.Key] as libp2p wants it. It signs and cannot be read out:
// libp2p puts its own text before all that it has signed ("libp2p-tls-handshake:" and
// the domains of its records), so that no signature means something elsewhere.
type privKey struct {
	key    *peer.Key
	public crypto.PubKey
}

var _ crypto.PrivKey = (*privKey)(nil)

func newPrivKey(key *peer.Key) (*privKey, error) {
	public, err := crypto.UnmarshalEd25519PublicKey(key.ID().Bytes())
	if err != nil {
		return nil, err
	}
	return &privKey{key, public}, nil
}

func (k *privKey) Sign(msg []byte) ([]byte, error) { return k.key.Sign(nil, msg, gocrypto.Hash(0)) }
func (k *privKey) GetPublic() crypto.PubKey        { return k.public }
func (k *privKey) Type() pb.KeyType                { return pb.KeyType_Ed25519 }

// Raw fails: a key is never given away.
func (k *privKey) Raw() ([]byte, error) {
	return nil, errors.New("the key of a peer is not given away")
}

// Equals compares the public keys.
func (k *privKey) Equals(other crypto.Key) bool {
	o, ok := other.(*privKey)
	return ok && k.key.ID() == o.key.ID()
}

// lib returns a peer as libp2p calls it.
func lib(id peer.ID) (lpeer.ID, error) {
	public, err := crypto.UnmarshalEd25519PublicKey(id.Bytes())
	if err != nil {
		return "", err
	}
	return lpeer.IDFromPublicKey(public)
}

// ours returns a peer of libp2p as Tenon calls it. Those whose key is not an Ed25519
// key have no such ID, and are nobody.
func ours(id lpeer.ID) (peer.ID, error) {
	public, err := id.ExtractPublicKey()
	if err != nil {
		return peer.ID{}, fmt.Errorf("%w: %w", peer.ErrID, err)
	}
	if public.Type() != pb.KeyType_Ed25519 {
		return peer.ID{}, fmt.Errorf("%w: its key is %v and not Ed25519", peer.ErrID, public.Type())
	}
	raw, err := public.Raw()
	if err != nil {
		return peer.ID{}, err
	}
	return peer.NewID(raw)
}

// LibID returns the text by which libp2p calls a peer: "12D3KooW…", as at the end of
// addresses.
func LibID(id peer.ID) string {
	l, err := lib(id)
	if err != nil {
		return ""
	}
	return l.String()
}

// AddrID returns the peer at the end of a multiaddr: "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…".
func AddrID(addr string) (peer.ID, error) {
	info, err := lpeer.AddrInfoFromString(addr)
	if err != nil {
		return peer.ID{}, err
	}
	return ours(info.ID)
}
