package transport

import (
	"net"
	"net/netip"
)

// A Caller is an accepted Conn whose client has said where it wants to go, as the
// clients of a proxy do. The joint dials that place and answers before any byte
// moves. A dialer whose target is empty finds it with [Other].
type Caller interface {
	// Target is "host:port", as the client wrote it.
	Target() string

	// Permit tells whether the client may reach the address that its target
	// was resolved to; the error matches [ErrDenied]. It is asked for every
	// address just before connecting, so that a name cannot change its mind.
	Permit(netip.AddrPort) error

	// Answer tells the client that the way is open, with the local address
	// of the connection that was made, or why it is not. It is called once,
	// before the first Write.
	Answer(local net.Addr, err error) error
}

// An Announcer is an Endpoint with something to tell people when it begins to
// listen, such as the fingerprint of a certificate made for the occasion.
type Announcer interface {
	Announce() ([]string, error)
}
