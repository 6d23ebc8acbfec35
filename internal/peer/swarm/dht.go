package swarm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	lrecord "github.com/libp2p/go-libp2p/core/record"
)

// A Discovery says in which distributed hash table peers are searched whose address is
// not known, and others who have a public share. Whoever takes part in it learns which IDs are searched, and where they are.
type Discovery string

// The tables.
const (
	NoDiscovery      Discovery = ""
	PrivateDiscovery Discovery = "private" // of those that the Bootstrap peers know, for Tenon alone
	PublicDiscovery  Discovery = "public"  // that of IPFS
)

const (
	tableProto    = "/kad/1.0.0" // behind the prefix
	dhtPrefix     = "/tenon"
	dhtNamespace  = "tenon" // of the records, which are signed lists of addresses
	publishEvery  = time.Hour
	publishTime   = 3 * time.Minute // the table of IPFS takes so long: many who are in it do not answer
	publishAgain  = time.Second     // after a failure, such as nobody being there yet; doubled each time
	publishSettle = 2 * time.Second // after a change of our addresses
	findTimeout   = 10 * time.Second
	maxRecord     = 8 << 10
)

// startDiscovery takes part in a table.
func (n *Network) startDiscovery(bootstrap []lpeer.AddrInfo) error {
	if n.config.Discovery == NoDiscovery || n.config.LANOnly {
		return nil
	}
	options := []dht.Option{dht.BootstrapPeers(bootstrap...), dht.Mode(dht.ModeClient)}
	if n.config.DiscoveryServer {
		options = append(options, dht.Mode(dht.ModeServer))
	}
	switch n.config.Discovery {
	case PrivateDiscovery:
		options = append(options, dht.ProtocolPrefix(dhtPrefix), dht.Datastore(new(tableStore)),
			// Where somebody is, is in a record that it has signed, and not told with what it has.
			dht.ProviderManagerOpts(records.Cache(noCache{}), records.ProviderAddrTTL(0), records.ProvideValidity(provideValid)),
			dht.Validator(record.NamespacedValidator{dhtNamespace: addrsValidator{}}))
	case PublicDiscovery:
		options = append(options, n.publicOptions()...)
	default:
		return fmt.Errorf("discovery %q: not %s or %s", n.config.Discovery, PrivateDiscovery, PublicDiscovery)
	}
	table, err := dht.New(n.host, options...)
	if err != nil {
		return err
	}
	n.table = table
	n.tableOn.Store(true)
	n.task(n.keepPublishing)
	if n.config.Provided != nil {
		n.task(n.keepProviding)
	}
	return table.Bootstrap(n.ctx)
}

// keepPublishing tells the table where we are.
func (n *Network) keepPublishing() {
	again := publishAgain
	for n.ctx.Err() == nil {
		changed := n.told.wait()
		wait := publishEvery
		if err := n.publish(); err != nil {
			wait, again = again, min(2*again, time.Minute)
		} else {
			again = publishAgain
		}
		select {
		case <-time.After(wait):
		case <-changed:
			select {
			case <-time.After(publishSettle):
			case <-n.ctx.Done():
			}
		case <-n.ctx.Done():
		}
	}
}

func dhtKey(id lpeer.ID) string { return "/" + dhtNamespace + "/" + id.String() }

func (n *Network) publish() error {
	ctx, cancel := context.WithTimeout(n.ctx, publishTime)
	defer cancel()
	n.joinTable(ctx)
	if n.config.Discovery == PublicDiscovery {
		return n.provide(ctx)
	}
	n.lookAtRecord(ctx)
	book, _ := peerstore.GetCertifiedAddrBook(n.host.Peerstore())
	signed := book.GetPeerRecord(n.self)
	if signed == nil {
		return errors.New("no record yet")
	}
	b, err := signed.Marshal()
	if err != nil {
		return err
	}
	return n.table.PutValue(ctx, dhtKey(n.self), b)
}

// joinTable connects to the peers by which everything begins, unless somebody is known.
func (n *Network) joinTable(ctx context.Context) {
	if n.table.RoutingTable().Size() > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout/2)
	defer cancel()
	bootstrap, _ := parseInfos(n.config.Bootstrap) //nolint:errcheck // New has looked at them
	for _, info := range bootstrap {
		n.host.Connect(ctx, info) //nolint:errcheck // another may be there
	}
	for len(bootstrap) > 0 && n.table.RoutingTable().Size() == 0 && pause(ctx) { //nolint:revive // it tells nobody
	}
}

// lookUp searches a peer in the table and tells whether it has found addresses.
func (n *Network) lookUp(ctx context.Context, id lpeer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	n.joinTable(ctx)
	var found lpeer.AddrInfo
	if n.config.Discovery == PrivateDiscovery {
		b, err := n.table.GetValue(ctx, dhtKey(id))
		if err != nil {
			return err
		}
		rec, err := parseAddrsRecord(id, b)
		if err != nil {
			return err
		}
		found = lpeer.AddrInfo{ID: id, Addrs: rec.Addrs}
	} else {
		var err error
		if found, err = n.findPublic(ctx, id); err != nil {
			return err
		}
	}
	n.addAddrs(id, texts(found.Addrs), peerstore.TempAddrTTL)
	return nil
}

// addrsValidator accepts what a peer has signed about itself, the newest first.
type addrsValidator struct{}

// Validate looks at a record.
func (addrsValidator) Validate(key string, value []byte) error {
	id, err := idOfKey(key)
	if err == nil {
		_, err = parseAddrsRecord(id, value)
	}
	return err
}

// Select chooses the newest record.
func (addrsValidator) Select(key string, values [][]byte) (int, error) {
	id, err := idOfKey(key)
	if err != nil {
		return 0, err
	}
	best, seq := -1, uint64(0)
	for i, v := range values {
		if rec, err := parseAddrsRecord(id, v); err == nil && (best < 0 || rec.Seq > seq) {
			best, seq = i, rec.Seq
		}
	}
	if best < 0 {
		return 0, errors.New("no record is genuine")
	}
	return best, nil
}

func idOfKey(key string) (lpeer.ID, error) {
	text, ok := strings.CutPrefix(key, "/"+dhtNamespace+"/")
	if !ok {
		return "", errors.New("not a key of ours")
	}
	return lpeer.Decode(text)
}

// parseAddrsRecord reads what id has signed about itself.
func parseAddrsRecord(id lpeer.ID, b []byte) (*lpeer.PeerRecord, error) {
	if len(b) > maxRecord {
		return nil, errors.New("the record is too long")
	}
	var rec lpeer.PeerRecord
	envelope, err := lrecord.ConsumeTypedEnvelope(b, &rec)
	if err != nil {
		return nil, err
	}
	if rec.PeerID != id || !id.MatchesPublicKey(envelope.PublicKey) {
		return nil, errors.New("the record is somebody else's")
	}
	return &rec, nil
}

// rankOn tells how far the peer of a connection is let in. Those that we have turned to
// because the table has named them, and those that turn to us because we serve it, are
// let in for the table alone.
func (n *Network) rankOn(dir network.Direction, id lpeer.ID) rank {
	return n.rankFrom(dir, n.rankOf(id))
}

func (n *Network) rankFrom(dir network.Direction, r rank) rank {
	if r == nobody && n.tableOn.Load() && (dir == network.DirOutbound || n.config.DiscoveryServer) {
		return carrier
	}
	return r
}
