package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/tenon-net/tenon/transport"
)

// A caller is the Conn of a client that has said where it wants to go.
type caller struct {
	conn
	client   transport.Stream // the connection as it came, for a refusal
	policy   policy
	reply    replier
	answered atomic.Bool
}

var (
	_ transport.Stream    = (*caller)(nil)
	_ transport.Unwrapper = (*caller)(nil)
	_ transport.Caller    = (*caller)(nil)
)

// A replier writes the answers of one protocol.
type replier interface {
	// granted returns what the client is told when the way is open; local
	// is the zero AddrPort if it is not known.
	granted(local netip.AddrPort) []byte

	// failed returns what the client is told when it is not.
	failed(why reason) []byte
}

// Target is "host:port", as the client wrote it.
func (c *caller) Target() string { return c.policy.to.String() }

// Permit tells whether the client may reach addr. It is asked for every address
// just before connecting. The error matches [transport.ErrDenied].
func (c *caller) Permit(addr netip.AddrPort) error { return c.policy.permit(addr) }

// Answer tells the client that the way is open or, in a word, why it is not. After
// bad news the Conn is closed when it returns, by [transport.LingeringClose].
func (c *caller) Answer(local net.Addr, err error) error {
	if c.answered.Swap(true) {
		return errors.New("the client has been answered already")
	}
	if err != nil {
		return refuse(c.client, c.reply.failed(reasonFor(err)))
	}
	addr, _ := addrPort(local)
	if b := c.reply.granted(addr); len(b) > 0 {
		_, err = c.stream.Write(b)
	}
	return err
}

// A reason is why a target was not reached, as far as a client is told.
type reason int

const (
	failed reason = iota
	notAllowed
	netUnreachable
	hostUnreachable
	unknownHost
	connRefused
	tooLate
	badRequest // the reasons from here on are faults of the request
	badCommand
	badAddress
	badVersion
	notLoggedIn
	tooLarge
)

// reasonFor finds the reason in an error of connecting.
func reasonFor(err error) reason {
	var dns *net.DNSError
	var late net.Error
	switch {
	case errors.Is(err, transport.ErrDenied):
		return notAllowed
	case errors.Is(err, syscall.ECONNREFUSED):
		return connRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN):
		return netUnreachable
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return hostUnreachable
	case errors.Is(err, transport.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &late) && late.Timeout():
		return tooLate
	case errors.As(err, &dns):
		return unknownHost
	}
	return failed
}
