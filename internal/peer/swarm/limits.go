package swarm

import (
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// The limits on what comes from outside. Memory is what windows may come to hold, in
// steps of 256 KiB for each stream, and grows with that of the machine.
const (
	maxConns       = 4096 // from outside, in all
	maxHalfOpen    = 256  // of which have not shown a key yet
	maxConnsIP     = 1024 // from one IPv4 address or IPv6 site
	maxConnsPeer   = maxDirect + 64
	maxNewConnsIP  = 256      // from one IPv4 address or IPv6 site, at once; and a second: libp2p has 16 in mind
	maxStreams     = 64 << 10 // from outside, in all
	maxStreamsPeer = 8 << 10  // from one peer
	maxHalfStreams = 4 << 10  // whose protocol is not known yet
	baseMemory     = 256 << 20
)

// newLimits makes the resource manager.
func newLimits() (network.ResourceManager, error) {
	some := func(conns, streams int, memory int64) rcmgr.BaseLimit {
		return rcmgr.BaseLimit{
			ConnsInbound: conns, ConnsOutbound: maxConns, Conns: conns + maxConns,
			StreamsInbound: streams, StreamsOutbound: maxStreams, Streams: streams + maxStreams,
			Memory: memory, FD: math.MaxInt,
		}
	}
	// Scale has an eighth of the memory of the machine in mind.
	half, quarter := rcmgr.BaseLimitIncrease{Memory: 4 << 30}, rcmgr.BaseLimitIncrease{Memory: 2 << 30}
	system, peer, one := some(maxConns, maxStreams, baseMemory), some(maxConnsPeer, maxStreamsPeer, baseMemory), some(1, 1, baseMemory)
	one.Conns, one.ConnsOutbound, one.Streams, one.StreamsOutbound, one.FD = 1, 1, 1, 1, 1
	limits := rcmgr.ScalingLimitConfig{
		SystemBaseLimit: system, SystemLimitIncrease: half,
		AllowlistedSystemBaseLimit: system, AllowlistedSystemLimitIncrease: half,
		TransientBaseLimit: some(maxHalfOpen, maxHalfStreams, baseMemory), TransientLimitIncrease: quarter,
		AllowlistedTransientBaseLimit: some(maxHalfOpen, maxHalfStreams, baseMemory), AllowlistedTransientLimitIncrease: quarter,
		ServiceBaseLimit: system, ServiceLimitIncrease: half,
		ServicePeerBaseLimit: peer, ServicePeerLimitIncrease: quarter,
		ProtocolBaseLimit: system, ProtocolLimitIncrease: half,
		ProtocolPeerBaseLimit: peer, ProtocolPeerLimitIncrease: quarter,
		PeerBaseLimit: peer, PeerLimitIncrease: quarter,
		ConnBaseLimit: one, ConnLimitIncrease: quarter,
		StreamBaseLimit: one,
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithConnRateLimiters(newConns()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: maxConnsIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: maxConnsIP}, {PrefixLength: 48, ConnCount: 4 * maxConnsIP}}),
		rcmgr.WithNetworkPrefixLimit(
			[]rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("127.0.0.0/8"), ConnCount: maxConns}},
			[]rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("::1/128"), ConnCount: maxConns}}))
}

// newConns limits how fast connections come from one place. Those of streams are many,
// and what has not shown a key is bounded by halfOpen.
func newConns() *rate.Limiter {
	limit := func(bits int) []rate.SubnetLimit {
		return []rate.SubnetLimit{{PrefixLength: bits, Limit: rate.Limit{RPS: maxNewConnsIP, Burst: maxNewConnsIP}}}
	}
	return &rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{IPv4SubnetLimits: limit(32), IPv6SubnetLimits: limit(56), GracePeriod: time.Minute}}
}
