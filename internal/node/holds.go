package node

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/shares"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Hold are the settings of what is held for peers to whom "hold" is granted: sealed copies of their shares.
type Hold struct {
	Size       string `toml:"hold-size"`        // bytes in all: "10GiB"
	PeerSize   string `toml:"hold-peer-size"`   // of each peer: "2GiB"
	Shares     int    `toml:"hold-shares"`      // in all; 0 = 100
	PeerShares int    `toml:"hold-peer-shares"` // of each peer; 0 = 20
	Time       string `toml:"hold-time"`        // for how long after a sharer was last heard of: "30d"
}

const (
	defaultHoldSize     = 10 << 30
	defaultHoldPeerSize = 2 << 30
	defaultHoldShares   = 100
	defaultHoldPeer     = 20
	defaultHoldTime     = 30 * 24 * time.Hour
	maxHoldShares       = 10_000
	minHoldTime         = time.Hour
)

// fault finds a setting that cannot be.
func (h *Hold) fault() (key string, err error) {
	for key, size := range map[string]string{"hold-size": h.Size, "hold-peer-size": h.PeerSize} {
		if size == "" {
			continue
		}
		if n, err := opt.ParseSize(size); err != nil || n < 1<<20 {
			return key, fmt.Errorf("%s is a number of bytes of at least 1MiB, such as 10GiB, not %q", key, size)
		}
	}
	for key, n := range map[string]int{"hold-shares": h.Shares, "hold-peer-shares": h.PeerShares} {
		if n < 0 || n > maxHoldShares {
			return key, fmt.Errorf("%s is from 1 to %d", key, maxHoldShares)
		}
	}
	if h.Time != "" {
		if d, err := opt.ParseDuration(h.Time); err != nil || d < minHoldTime {
			return "hold-time", fmt.Errorf("hold-time is a time of at least 1h, such as 30d, not %q", h.Time)
		}
	}
	return "", nil
}

// limits returns what the settings say, which were checked.
func (h *Hold) limits() (l shares.HoldLimits) {
	size, _ := opt.ParseSize(h.Size)         //nolint:errcheck // it was checked
	peerSize, _ := opt.ParseSize(h.PeerSize) //nolint:errcheck // it was checked
	d, _ := opt.ParseDuration(h.Time)        //nolint:errcheck // it was checked
	return shares.HoldLimits{Bytes: cmp.Or(size, defaultHoldSize), PeerBytes: cmp.Or(peerSize, defaultHoldPeerSize),
		Shares: cmp.Or(h.Shares, defaultHoldShares), PeerShares: cmp.Or(h.PeerShares, defaultHoldPeer), Time: cmp.Or(d, defaultHoldTime)}
}

// Holds implements [shares.Host].
func (h host) Holds() shares.HoldLimits {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.settings.Hold.limits()
}

// Whereabouts implements [shares.Host].
func (h host) Whereabouts(id peer.ID) []string {
	all := h.n.knownAddrs(id)
	for _, l := range h.n.linksNow()[id] {
		if relay, _, ok := strings.Cut(l.Addr, circuit); ok {
			all = append(all, relay+circuit)
		}
	}
	return told(all, nil)
}

// takeHold lets a peer have a sealed copy held.
func (n *Node) takeHold(s transport.Stream) {
	all, err := n.theShares()
	if err != nil {
		transport.Abort(s, err) //nolint:errcheck // that is said
		return
	}
	all.HandleHold(s)
}

// notHold refuses the name of the right to have shares held to what is served.
func notHold(name peer.Service) error {
	if name != peer.Hold {
		return nil
	}
	return transport.WithHint(transport.Usage(fmt.Errorf("%s is not the name of a service", name)), "tenon grant hold PEER lets somebody have sealed copies of shares held here")
}

// holdsFor returns for whom copies are held. A service of an earlier version that has the name stays one. It is
// called with mu held.
func (n *Node) holdsFor() []peer.Subject {
	if n.isServed(peer.Hold) {
		return nil
	}
	return n.subjects(peer.Hold)
}

// holdStatus tells for whom copies are held, and how much; nil: for nobody.
func (n *Node) holdStatus() *api.HoldStatus {
	a := n.access.Load()
	s := new(api.HoldStatus)
	n.mu.Lock()
	for _, to := range a.Hold {
		s.To = append(s.To, n.facts.callSubject(to))
	}
	l := n.settings.Hold.limits()
	n.mu.Unlock()
	if all := n.shares.Load(); all != nil {
		s.Shares, s.Bytes = all.Held()
	}
	if s.To == nil && s.Shares == 0 {
		return nil
	}
	s.MaxShares, s.MaxBytes = l.Shares, l.Bytes
	return s
}
