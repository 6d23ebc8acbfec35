package node

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tenon-net/tenon/internal/irc"
	"github.com/tenon-net/tenon/internal/notify"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/opt"
)

// Names of ways to find peers whose address is not known.
const (
	findLAN    = "lan"    // multicast on the local network
	findDHT    = "dht"    // the table that relays keep, for Tenon alone
	findPublic = "public" // that of IPFS
	findNone   = "none"
)

// fault finds a value that cannot be, and tells the key that it has.
func (n *Node) fault(s *Settings) (key string, err error) {
	if s.Name != "" {
		if _, err := peer.ParseName(s.Name); err != nil {
			return "name", err
		}
	}
	if s.Metrics != "" {
		if err := n.mustListen(s.Metrics); err != nil {
			return "metrics", err
		}
	}
	for _, to := range s.Notify {
		if to == notify.Desktop {
			continue
		}
		if err := n.mustDial(to); err != nil {
			return "notify", err
		}
	}
	if s.IRC.At != "" {
		if _, err := irc.ParseAddress(s.IRC.At); err != nil {
			return "irc", err
		}
	}
	for _, d := range s.Discovery {
		if !slices.Contains([]string{findLAN, findDHT, findPublic, findNone}, d) {
			return "discovery", fmt.Errorf("%q is no way of discovery: lan, dht, public or none", d)
		}
	}
	if key, err := s.unreadable(); err != nil {
		return key, err
	}
	if !slices.Contains([]string{"", "friends", "anyone"}, s.Relay) {
		return "relay", fmt.Errorf("a node relays for friends or anyone, not for %q", s.Relay)
	}
	if s.PeerRate != "" {
		if n, err := opt.ParseSize(s.PeerRate); err != nil || n < 1024 {
			return "peer-rate", fmt.Errorf("peer-rate is a number of bytes a second, such as 1MiB, and at least 1k, not %q", s.PeerRate)
		}
	}
	if s.PeerJoints < 0 || s.PeerJoints > maxPeerJoints {
		return "peer-joints", fmt.Errorf("peer-joints is from 1 to %d", maxPeerJoints)
	}
	if key, err := s.Hold.fault(); err != nil {
		return key, err
	}
	if key, err := s.Mailbox.fault(); err != nil {
		return key, err
	}
	return s.Limits.fault()
}

// fault finds a limit that is none.
func (l *Limits) fault() (key string, err error) {
	for key, v := range map[string]int{"relay-reservations": l.Reservations, "relay-reservations-per-host": l.ReservationsPerHost,
		"relay-circuits": l.Circuits, "relay-circuits-per-peer": l.CircuitsPerPeer} {
		if v < 0 {
			return key, fmt.Errorf("%s is a number from 1 on, not %d", key, v)
		}
	}
	for key, v := range map[string]string{"relay-bytes": l.Bytes, "relay-rate": l.Rate, "relay-day": l.Day} {
		if v == "" {
			continue
		}
		if n, err := opt.ParseSize(v); err != nil || n <= 0 {
			return key, fmt.Errorf("%s is a number of bytes, such as 10GiB, not %q", key, v)
		}
	}
	if l.Time != "" {
		if d, err := opt.ParseDuration(l.Time); err != nil || d <= 0 {
			return "relay-time", fmt.Errorf("relay-time is a time, such as 30m, not %q", l.Time)
		}
	}
	return "", nil
}

// conflict finds settings that cannot be together.
func (s *Settings) conflict() (key string, err error) {
	d := s.Discovery
	switch {
	case len(d) > 1 && slices.Contains(d, findNone):
		return "discovery", errors.New("none goes with no other")
	case slices.Contains(d, findDHT) && slices.Contains(d, findPublic):
		return "discovery", errors.New("a node takes part in one table: dht or public")
	}
	return "", nil
}

// finds tells whether peers are searched for in that way. A relay for anyone keeps a
// table, unless something else was said.
func (s *Network) finds(way string) bool {
	if len(s.Discovery) == 0 {
		return way == findLAN || way == findDHT && s.Relay == "anyone"
	}
	return slices.Contains(s.Discovery, way)
}

// override puts what flags say over s.
func (s *Settings) override(f Settings) {
	for _, o := range []struct{ to, from *[]string }{
		{&s.Listen, &f.Listen}, {&s.Announce, &f.Announce}, {&s.Relays, &f.Relays},
		{&s.Bootstrap, &f.Bootstrap}, {&s.Discovery, &f.Discovery}, {&s.Notify, &f.Notify},
	} {
		if *o.from != nil {
			*o.to = *o.from
		}
	}
	for _, o := range []struct{ to, from *string }{
		{&s.Name, &f.Name}, {&s.Metrics, &f.Metrics}, {&s.IRC.At, &f.IRC.At}, {&s.PasswordFile, &f.PasswordFile}, {&s.PeerRate, &f.PeerRate}, {&s.Relay, &f.Relay},
		{&s.Limits.Time, &f.Limits.Time}, {&s.Limits.Bytes, &f.Limits.Bytes}, {&s.Limits.Rate, &f.Limits.Rate}, {&s.Limits.Day, &f.Limits.Day},
		{&s.Hold.Size, &f.Hold.Size}, {&s.Hold.PeerSize, &f.Hold.PeerSize}, {&s.Hold.Time, &f.Hold.Time},
		{&s.Mailbox.For, &f.Mailbox.For}, {&s.Mailbox.Size, &f.Mailbox.Size}, {&s.Mailbox.Time, &f.Mailbox.Time},
	} {
		*o.to = cmp.Or(*o.from, *o.to)
	}
	for _, o := range []struct{ to, from *int }{
		{&s.PeerJoints, &f.PeerJoints}, {&s.Hold.Shares, &f.Hold.Shares}, {&s.Hold.PeerShares, &f.Hold.PeerShares}, {&s.Limits.Reservations, &f.Limits.Reservations},
		{&s.Limits.ReservationsPerHost, &f.Limits.ReservationsPerHost},
		{&s.Limits.Circuits, &f.Limits.Circuits}, {&s.Limits.CircuitsPerPeer, &f.Limits.CircuitsPerPeer},
	} {
		*o.to = cmp.Or(*o.from, *o.to)
	}
	s.LANOnly, s.NoMap = s.LANOnly || f.LANOnly, s.NoMap || f.NoMap
}

// peerRate is what PeerRate says, which was checked.
func (s *Settings) peerRate() int64 {
	if s.PeerRate == "" {
		return 0
	}
	n, _ := opt.ParseSize(s.PeerRate) //nolint:errcheck // it was checked
	return n
}

// reserved are the names of peers that the settings grant something to: no peer gets
// one of them because it suggests it.
func (s *Settings) reserved(name peer.Name) bool {
	for _, c := range s.Services {
		for _, to := range c.To {
			if peer.Name(to).Resembles(name) {
				return true
			}
		}
	}
	return false
}
