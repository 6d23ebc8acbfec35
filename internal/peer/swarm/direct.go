package swarm

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Where two peers have a direct connection, a stream gets one of its own: TLS over TCP
// without a multiplexer, twice as fast, and no stream waits behind another. When a
// stream has ended, its connection carries the next one. See docs/protocol/direct.md.
type direct struct {
	n      *Network
	secure *secureTransport
	limits network.ResourceManager

	mu    sync.Mutex // guards all below
	peers map[lpeer.ID]*directPeer
}

// A directPeer is one peer with which there are such connections, or were to be.
type directPeer struct {
	all     map[*directConn]bool
	idle    []*directConn // that we have dialed, the newest at the end
	expiry  *time.Timer   // ends the oldest of those; nil if there are none
	dialing int
	at      string    // where it was reached the last time
	not     time.Time // until when we do not try
}

// The bounds on connections of streams. What is beyond them goes over libp2p's
// connection.
const (
	maxDirect       = 256 // with one peer
	maxDirectIdle   = 32  // of which wait for a stream: to make one takes a handshake, and many streams may be short
	maxDirectDials  = 4   // at a time
	directIdle      = time.Minute
	directIdleThere = 2 * directIdle // at the side that has accepted it, which is not to be first
	directPatience  = 2 * time.Second
	directPause     = 30 * time.Second
	directNear      = 10 * time.Millisecond // round trip at which a new connection is waited for
	directFresh     = time.Second           // so soon after a stream the next one does not wait for an answer
)

func newDirect(n *Network, secure *secureTransport, limits network.ResourceManager) *direct {
	return &direct{n: n, secure: secure, limits: limits, peers: map[lpeer.ID]*directPeer{}}
}

// errNoDirect: the stream is to go over libp2p's connection.
var errNoDirect = errors.New("no connection for the stream alone")

// open opens a stream on a connection of its own. The error is errNoDirect, or one that
// another connection would not change.
func (d *direct) open(ctx context.Context, l *link, to lpeer.ID, proto string) (transport.Stream, error) {
	for {
		since, linked := d.n.directSince(to)
		if !linked {
			return nil, errNoDirect
		}
		x := d.take(to, since)
		fresh := x == nil
		if fresh {
			if x = d.dial(ctx, l, to); x == nil {
				return nil, errNoDirect
			}
		}
		put := func(again bool) {
			if again {
				d.put(x)
			}
		}
		if !fresh && x.proto == proto && time.Since(x.since) < directFresh && !l.conn.IsClosed() && quietly(x.tcp) {
			return newDirectStream(x, head(frameAgain, 0), put), nil
		}
		err := x.request(ctx, proto)
		switch {
		case err == nil:
			x.proto = proto
			return newDirectStream(x, nil, put), nil
		case errors.Is(err, peer.ErrNoProtocol):
			d.put(x)
			return nil, err
		}
		x.cut()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if fresh {
			d.pause(to)
			return nil, errNoDirect
		}
	}
}

// take returns an idle connection, or nil. Those are cut that were there before the direct link:
// the other side has cut them, or is about to, for its link of that time has ended, too.
func (d *direct) take(to lpeer.ID, linked time.Time) (x *directConn) {
	d.mu.Lock()
	var old []*directConn
	for p := d.peers[to]; p != nil && len(p.idle) > 0 && x == nil; {
		last := len(p.idle) - 1
		if p.idle[last].made.Before(linked) {
			old = append(old, p.idle[last])
		} else {
			x = p.idle[last]
		}
		p.idle = p.idle[:last]
	}
	d.mu.Unlock()
	for _, x := range old {
		x.cut()
	}
	return x
}

// put keeps a connection for a while.
func (d *direct) put(x *directConn) {
	d.mu.Lock()
	p := d.peers[x.id]
	keep := p != nil && p.all[x] && len(p.idle) < maxDirectIdle
	if keep {
		x.since = time.Now()
		p.idle = append(p.idle, x)
		if p.expiry == nil {
			p.expiry = time.AfterFunc(directIdle, func() { d.expire(x.id) })
		}
	}
	d.mu.Unlock()
	if !keep {
		x.cut()
	}
}

// expire ends the connections that have been idle for long.
func (d *direct) expire(id lpeer.ID) {
	d.mu.Lock()
	var old []*directConn
	if p := d.peers[id]; p != nil {
		for len(p.idle) > 0 && time.Since(p.idle[0].since) >= directIdle {
			old, p.idle = append(old, p.idle[0]), p.idle[1:]
		}
		if p.expiry = nil; len(p.idle) > 0 {
			p.expiry = time.AfterFunc(time.Until(p.idle[0].since.Add(directIdle)), func() { d.expire(id) })
		}
	}
	d.mu.Unlock()
	for _, x := range old {
		x.cut()
	}
}

// dial makes a connection, or returns nil: if the peer has no address for that, if the
// last try has failed lately, or if that takes longer than the stream is worth. Then
// one is made for the next stream.
func (d *direct) dial(ctx context.Context, l *link, to lpeer.ID) *directConn {
	all, sure := d.listenersOf(l)
	if len(all) == 0 || !d.begin(to) {
		return nil
	}
	if !sure || l.over != overTCP || !l.near() {
		if !d.n.task(func() {
			ctx, cancel := context.WithTimeout(d.n.ctx, handshakeTimeout)
			defer cancel()
			if x := d.dialAny(ctx, all, to, directPatience); x != nil {
				d.put(x)
			}
		}) {
			d.finish(to, nil, nil)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, directPatience)
	defer cancel()
	return d.dialAny(ctx, all, to, directPatience/maxListeners)
}

// begin counts a dial.
func (d *direct) begin(to lpeer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.peer(to)
	if len(p.all)+p.dialing >= maxDirect || p.dialing >= maxDirectDials || time.Now().Before(p.not) {
		return false
	}
	p.dialing++
	return true
}

// peer returns what is known of a peer. It is called with mu held.
func (d *direct) peer(id lpeer.ID) *directPeer {
	p := d.peers[id]
	if p == nil {
		p = &directPeer{all: map[*directConn]bool{}}
		d.peers[id] = p
	}
	return p
}

// dialAny dials one address after the other, each for so long and first the one that was right the
// last time, and keeps count.
func (d *direct) dialAny(ctx context.Context, all []net.Addr, to lpeer.ID, patience time.Duration) (x *directConn) {
	d.mu.Lock()
	last := d.peer(to).at
	d.mu.Unlock()
	if i := slices.IndexFunc(all, func(at net.Addr) bool { return at.String() == last }); i > 0 {
		all[0], all[i] = all[i], all[0]
	}
	var err error
	for _, at := range all {
		var c net.Conn
		if c, err = (&net.Dialer{Timeout: patience, KeepAliveConfig: keepAlive}).DialContext(ctx, "tcp", at.String()); err == nil {
			x, err = d.secureDialed(ctx, c, to)
		}
		if err == nil {
			x.at = at.String()
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return d.finish(to, x, err)
}

func (d *direct) secureDialed(ctx context.Context, c net.Conn, to lpeer.ID) (*directConn, error) {
	conn, ok := c.(*net.TCPConn)
	if !ok {
		c.Close() //nolint:errcheck // it is gone
		return nil, errors.ErrUnsupported
	}
	return d.handshake(ctx, conn, transport.Dialed, to)
}

// finish ends the count of a dial.
func (d *direct) finish(to lpeer.ID, x *directConn, err error) *directConn {
	d.mu.Lock()
	p := d.peer(to)
	p.dialing--
	if err != nil {
		p.not = time.Now().Add(directPause)
	} else if x != nil {
		p.at = x.at
	}
	d.mu.Unlock()
	if x == nil {
		return nil
	}
	if !d.keep(x) {
		x.cut()
		return nil
	}
	return x
}

// again has all tries made that wait.
func (d *direct) again() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.peers {
		p.not = time.Time{}
	}
}

// busy tells whether a peer has connections that carry streams.
func (d *direct) busy(id lpeer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.peers[id]
	return p != nil && len(p.all) > len(p.idle)
}

// pause has no more tries made for a while.
func (d *direct) pause(to lpeer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.peer(to).not = time.Now().Add(directPause)
}

// keep counts a connection among those of its peer, for as long as there is a link.
func (d *direct) keep(x *directConn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.peer(x.id)
	if !d.n.linkedDirectly(x.id) || d.n.closed.Load() || len(p.all) >= maxDirect {
		return false
	}
	p.all[x], x.made = true, time.Now()
	return true
}

// forget undoes keep.
func (d *direct) forget(x *directConn) {
	if x.scope != nil {
		x.scope.Done()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.peers[x.id]; p != nil {
		delete(p.all, x)
	}
}

// closePeer cuts all connections with a peer.
func (d *direct) closePeer(id lpeer.ID) { d.closePeerIf(id, func() bool { return true }) }

// closeUnlinked cuts all connections with a peer to which there is no direct link any more.
func (d *direct) closeUnlinked(id lpeer.ID) {
	d.closePeerIf(id, func() bool { return !d.n.linkedDirectly(id) })
}

// closePeerIf asks with mu held, as keep does: the end of a link is told late, and does not cut
// what has come with the next one.
func (d *direct) closePeerIf(id lpeer.ID, really func() bool) {
	d.mu.Lock()
	var all []*directConn
	if p := d.peers[id]; p != nil && really() {
		for x := range p.all {
			all = append(all, x)
		}
		if p.expiry != nil {
			p.expiry.Stop()
		}
		delete(d.peers, id)
	}
	d.mu.Unlock()
	for _, x := range all {
		x.cut()
	}
}

// listenersOf returns where the peer of a direct link may listen for TCP, and whether that is sure: it
// is at the address that we have dialed.
func (d *direct) listenersOf(l *link) (all []net.Addr, sure bool) {
	remote := l.conn.RemoteMultiaddr()
	switch {
	case l.over == overRelay:
		return nil, false
	case l.over == overTCP && l.conn.Stat().Direction == network.DirOutbound:
		if at := tcpAddr(remote); at != nil {
			all = append(all, at)
		}
		return all, true
	}
	return listeners(remote, d.n.host.Peerstore().Addrs(l.conn.RemotePeer()))
}

// maxListeners is how many addresses of a peer are dialed for a connection.
const maxListeners = 4

// listeners returns at which of the addresses that a peer is said to have it may be reached for TCP,
// where it is reached at remote. One with the same IP is the first, and sure. It need not be right, for a
// peer that listens on IPv4 alone may have dialed us over IPv6: so the others follow, but those that
// mean something only nearer to the peer than we are: here they may be somebody else's.
func listeners(remote ma.Multiaddr, said []ma.Multiaddr) (all []net.Addr, sure bool) {
	ip, err := manet.ToIP(remote)
	if err != nil {
		return nil, false
	}
	for scope := scopeOf(remote); scope <= scopeGlobal; scope++ {
		for _, a := range said {
			other, err := manet.ToIP(a)
			if err != nil || overlayOf(a) != overTCP || scopeOf(a) != scope {
				continue
			}
			at := tcpAddr(a)
			switch {
			case at == nil:
			case ip.Equal(other):
				all, sure = slices.Insert(all, 0, at), true
			default:
				all = append(all, at)
			}
		}
	}
	return all[:min(len(all), maxListeners)], sure
}

// The scopes, from where an address can be reached: this machine, the local networks, everywhere.
const (
	scopeMachine = iota
	scopeLocal
	scopeGlobal
)

func scopeOf(a ma.Multiaddr) int {
	switch {
	case manet.IsIPLoopback(a):
		return scopeMachine
	case manet.IsPrivateAddr(a), manet.IsIP6LinkLocal(a):
		return scopeLocal
	}
	return scopeGlobal
}

// tcpAddr returns the address of a TCP socket, and nil for anything over one, such as
// a WebSocket.
func tcpAddr(a ma.Multiaddr) net.Addr {
	if protocols := withoutZone(a).Protocols(); len(protocols) != 2 || protocols[1].Code != ma.P_TCP {
		return nil
	}
	at, err := manet.ToNetAddr(a)
	if err != nil {
		return nil
	}
	return at
}
