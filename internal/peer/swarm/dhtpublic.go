package swarm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p-kad-dht"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multihash"
)

// The table of IPFS keeps no records of ours. It finds peers that keep a part of it; of all
// others it knows who provides what. So who can be searched for provides a name that is made
// of its ID, and the servers that keep it learn who that is and where, as they learn it of
// everybody who takes part; of who is searched for and is not there they see the name alone.

// publicBootstrap is where those who name nobody begin: with the peers that the makers of libp2p run for that.
func publicBootstrap() []string { return texts(dht.DefaultBootstrapPeers) }

// publicName is what a peer provides in the table of IPFS.
func publicName(id lpeer.ID) cid.Cid {
	return tableName(sha256.Sum256([]byte("tenon peer\n" + string(id))))
}

// tableName is a hash as the name of something in a table that somebody provides.
func tableName(sum [32]byte) cid.Cid {
	hash, err := multihash.Encode(sum[:], multihash.SHA2_256)
	if err != nil {
		panic("swarm: " + err.Error()) // it knows SHA-256
	}
	return cid.NewCidV1(cid.Raw, hash)
}

// publicOptions keep strangers from sending us to addresses of local networks, and ours
// from going to strangers.
func (n *Network) publicOptions() []dht.Option {
	if n.config.localTable {
		return nil
	}
	return []dht.Option{dht.QueryFilter(dht.PublicQueryFilter), dht.RoutingTableFilter(dht.PublicRoutingTableFilter),
		dht.AddressFilter(publicAddrs)}
}

// publicAddrs are those of the Internet.
func publicAddrs(all []ma.Multiaddr) []ma.Multiaddr { return ma.FilterAddrs(all, manet.IsPublicAddr) }

// provide tells the table of IPFS where we are.
func (n *Network) provide(ctx context.Context) error {
	if n.table.RoutingTable().Size() == 0 {
		return errors.New("nobody of the table is there")
	}
	return n.table.Provide(ctx, publicName(n.self), true)
}

// findPublic searches a peer in the table of IPFS. Anybody may say that he is it, at any
// address: who answers there has to prove it.
func (n *Network) findPublic(ctx context.Context, id lpeer.ID) (lpeer.AddrInfo, error) {
	found := lpeer.AddrInfo{ID: id}
	search, cancel := context.WithCancel(ctx)
	defer cancel()
	for info := range n.table.FindProvidersAsync(search, publicName(id), 0) {
		if info.ID == id && len(info.Addrs) > 0 {
			found.Addrs = info.Addrs
			cancel() // and let it come to its end
		}
	}
	if len(found.Addrs) > 0 {
		return found, nil
	}
	found, err := n.table.FindPeer(ctx, id) // one that keeps a part of the table
	if err != nil {
		return found, fmt.Errorf("the table of IPFS: %w", err)
	}
	return found, nil
}
