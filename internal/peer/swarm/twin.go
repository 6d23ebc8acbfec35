package swarm

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// A Twin is another process that has our key: most often on a machine to which the state
// directory was copied. Peers reach the one or the other, and what they have begun with
// one is not known to the other.
//
// What shows it is a connection on which the other side proves that it has our key, with
// a certificate that is not ours. What others merely say, on the local network or in the
// table, has such a connection tried and does nothing else.
type Twin struct {
	Addr string    // where it was met
	When time.Time // for the last time
}

// twins are what is known of others with our key.
type twins struct {
	mu      sync.Mutex // guards all below
	met     Twin       // zero if there is none
	told    []string   // where there may be one
	looking bool
}

// twinPause is how often addresses are tried at which our key is said to be.
const twinPause = 10 * time.Second

// hangUpTime is how long whoever has met a twin waits until that has noticed, too.
const hangUpTime = 2 * time.Second

// Twin returns the other process that has our key, if one was met.
func (n *Network) Twin() (t Twin, ok bool) {
	n.twins.mu.Lock()
	defer n.twins.mu.Unlock()
	return n.twins.met, !n.twins.met.When.IsZero()
}

// meet takes note of who has shown our key: nobody else, if the certificate is ours.
func (n *Network) meet(certs []*x509.Certificate, at string) {
	if len(certs) != 1 || bytes.Equal(certs[0].Raw, n.direct.secure.own) {
		return
	}
	n.twins.mu.Lock()
	first := n.twins.met.When.IsZero()
	n.twins.met = Twin{at, time.Now()}
	n.twins.mu.Unlock()
	if first {
		n.event(Event{What: Doubled, Peer: n.id, Addr: at})
	}
}

// LookForTwin is told addresses at which our own key seems to be, and tries them, a few
// at a time and not often. It does not wait for that.
func (n *Network) LookForTwin(addrs ...string) {
	n.twins.mu.Lock()
	defer n.twins.mu.Unlock()
	for _, a := range addrs {
		if len(n.twins.told) < maxAddrs && !slices.Contains(n.twins.told, a) {
			n.twins.told = append(n.twins.told, a)
		}
	}
	if len(n.twins.told) > 0 && !n.twins.looking {
		n.twins.looking = n.task(n.lookForTwin)
	}
}

func (n *Network) lookForTwin() {
	for {
		n.twins.mu.Lock()
		addrs := n.twins.told
		n.twins.told = nil
		n.twins.looking = len(addrs) > 0
		n.twins.mu.Unlock()
		if len(addrs) == 0 {
			return
		}
		n.dialTwin(n.ctx, addrs)
		select {
		case <-time.After(twinPause):
		case <-n.ctx.Done():
			return
		}
	}
}

// dialTwin tries addresses but our own. Whoever answers there and has our key is met, and
// no link comes of it.
func (n *Network) dialTwin(ctx context.Context, texts []string) {
	ctx, cancel := context.WithTimeout(ctx, directDial)
	defer cancel()
	own := n.Addrs()
	var all sync.WaitGroup
	for _, text := range texts {
		a, err := ma.NewMultiaddr(text)
		if err != nil || slices.Contains(own, text) && overlayOf(a) != overRelay || !(gate{n}).InterceptAddrDial(n.self, a) {
			continue
		}
		if t := n.swarm.TransportForDialing(a); t != nil {
			all.Go(func() {
				if c, err := t.Dial(ctx, a, n.self); err == nil {
					c.Close() //nolint:errcheck // the gate lets none of them be
				}
			})
		}
	}
	all.Wait()
}

// lookAtRecord compares what the table has under our key with where we are.
func (n *Network) lookAtRecord(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	b, err := n.table.GetValue(ctx, dhtKey(n.self))
	if err != nil {
		return // there is none
	}
	if rec, err := parseAddrsRecord(n.self, b); err == nil {
		n.LookForTwin(texts(rec.Addrs)...)
	}
}

// meetOver takes note of who has our own key over a connection, at the address that libp2p
// writes, for one through a relay has no other. Who has dialed waits until the other side
// has seen the key, too: it hangs up then.
func (n *Network) meetOver(under net.Conn, c *secureConn, dir network.Direction) {
	at := under.RemoteAddr().String()
	if m, ok := under.(interface{ RemoteMultiaddr() ma.Multiaddr }); ok {
		at = m.RemoteMultiaddr().String()
	}
	n.meet(c.ConnectionState().PeerCertificates, at)
	if dir == network.DirOutbound {
		c.SetReadDeadline(time.Now().Add(hangUpTime)) //nolint:errcheck // then it is not waited for
		c.Read(make([]byte, 1))                       //nolint:errcheck // nothing comes
	}
}
