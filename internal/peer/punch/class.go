package punch

import (
	"fmt"
	"net/netip"
	"time"
)

// A Class says how hard a NAT makes it to be reached.
type Class uint8

// The classes.
const (
	Unknown Class = iota // nobody could be asked, or only one
	NoNAT                // the address is the host's own; there may be a firewall
	Easy                 // the NAT keeps one port for all destinations
	Hard                 // the NAT takes another port for each destination
	Blocked              // nothing comes back
	numClasses
)

func (c Class) String() string {
	if c >= numClasses {
		return fmt.Sprintf("class %d", uint8(c))
	}
	return [...]string{"unknown", "no NAT", "easy", "hard", "blocked"}[c]
}

// guessable says whether the port that others see is the port to send to.
func (c Class) guessable() bool { return c != Hard && c != Blocked }

// A Way is a transport over a version of IP.
type Way uint8

// The ways.
const (
	UDP4 Way = iota
	UDP6
	TCP4
	TCP6
	numWays
)

func (w Way) String() string {
	return [...]string{"UDP over IPv4", "UDP over IPv6", "TCP over IPv4", "TCP over IPv6"}[w]
}

func (w Way) udp() bool { return w == UDP4 || w == UDP6 }
func (w Way) is6() bool { return w == UDP6 || w == TCP6 }

func (w Way) fits(a netip.AddrPort) bool { return a.Addr().Is4() != w.is6() }

// A View is what observers see of a socket.
type View struct {
	Class Class
	Seen  []netip.AddrPort // from outside; more than one if Class is Hard
	RTT   time.Duration    // to the nearest observer
}

// Views are those of all the ways, as doctor shows them.
type Views [numWays]View

// classify says what it means that a socket at local was seen as seen by a number of observers.
func classify(local netip.AddrPort, seen []netip.AddrPort, asked int) View {
	v := View{}
	for _, a := range seen {
		known := false
		for _, b := range v.Seen {
			known = known || a == b
		}
		if !known {
			v.Seen = append(v.Seen, a)
		}
	}
	switch {
	case asked == 0:
		v.Class = Unknown
	case len(seen) == 0:
		v.Class = Blocked
	case len(v.Seen) > 1:
		v.Class = Hard
	case v.Seen[0] == local:
		v.Class = NoNAT
	case len(seen) == 1:
		v.Class = Unknown
	default:
		v.Class = Easy
	}
	return v
}
