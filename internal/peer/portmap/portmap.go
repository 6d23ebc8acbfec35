// Package portmap asks the router at home to let connections in: by PCP (RFC 6887), or
// by NAT-PMP (RFC 6886), which is older and has the same port. UPnP, which needs HTTP and
// XML, is not here.
//
// It asks once and remembers nothing of what it has got: whoever wants to keep a port
// asks again before its time is over. What a router says is a claim, to be announced as
// one of several addresses and never to be relied on.
package portmap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// Port is where routers listen.
const Port = 5351

// Lifetime is how long a port is asked for. A router may give less.
const Lifetime = 20 * time.Minute

// How requests are sent again: RFC 6886 section 3.1 has it so, and nine tries. A router
// is near.
const (
	firstWait = 250 * time.Millisecond
	tries     = 4
)

// Errors. Test for them with [errors.Is].
var (
	// ErrNoRouter: there is no answer from the router.
	ErrNoRouter = errors.New("the router does not answer by PCP or NAT-PMP")

	// ErrRefused: the router does not want to. The error says why.
	ErrRefused = errors.New("the router refuses to open a port")
)

// A Protocol is what a port is of; its value is the number of RFC 6887 section 11.1.
type Protocol byte

// The protocols.
const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// A Mapping is a port of the router at which connections are let in.
type Mapping struct {
	External netip.AddrPort
	Lifetime time.Duration // from the answer on
}

// A Router is a router that answers.
type Router struct {
	at    netip.AddrPort
	pcp   bool
	nonce [12]byte // by which a PCP server knows whose mapping it is (RFC 6887 section 11.1)
}

// Discover finds out what a router speaks. at is its address, mostly with [Port].
func Discover(ctx context.Context, at netip.AddrPort) (*Router, error) {
	r := &Router{at: at}
	rand.Read(r.nonce[:]) //nolint:errcheck // it does not fail
	// Both are asked in one, by the request that the other one answers with its
	// version (RFC 6887 section 9), and one that NAT-PMP answers.
	err := r.ask(ctx, func(local netip.Addr) [][]byte { return [][]byte{announce(local), {0, 0}} }, func(b []byte) error {
		switch {
		case len(b) >= pcpHeader && b[0] == pcpVersion && b[1] == opAnnounce|response && b[3] == 0:
			r.pcp = true
			return nil
		case len(b) == 12 && b[0] == 0 && b[1] == response && b[2] == 0 && b[3] == 0:
			return nil
		}
		return errNotIt
	})
	if err != nil {
		return nil, err
	}
	if !r.pcp {
		// The answer of NAT-PMP may have been the faster one of two.
		err := r.ask(ctx, func(local netip.Addr) [][]byte { return [][]byte{announce(local)} }, func(b []byte) error {
			r.pcp = len(b) >= pcpHeader && b[0] == pcpVersion && b[1] == opAnnounce|response && b[3] == 0
			return nil
		})
		if err != nil && !errors.Is(err, ErrNoRouter) {
			return nil, err
		}
	}
	return r, nil
}

// Protocol returns what the router speaks: "PCP" or "NAT-PMP".
func (r *Router) Protocol() string {
	if r.pcp {
		return "PCP"
	}
	return "NAT-PMP"
}

// Map asks for a port of the router that leads to this one, if it can be had the one
// that is wanted.
func (r *Router) Map(ctx context.Context, p Protocol, port, want uint16) (Mapping, error) {
	m, err := r.request(ctx, p, port, want, Lifetime)
	if err != nil {
		return Mapping{}, fmt.Errorf("open %s port %d at the router %s: %w", p, port, r.at.Addr(), err)
	}
	return m, nil
}

// Unmap gives a port back.
func (r *Router) Unmap(ctx context.Context, p Protocol, port uint16) error {
	_, err := r.request(ctx, p, port, 0, 0)
	if err != nil {
		return fmt.Errorf("close %s port %d at the router %s: %w", p, port, r.at.Addr(), err)
	}
	return nil
}

func (r *Router) request(ctx context.Context, p Protocol, port, want uint16, life time.Duration) (Mapping, error) {
	var m Mapping
	if r.pcp {
		err := r.ask(ctx, func(local netip.Addr) [][]byte { return [][]byte{r.mapRequest(local, p, port, want, life)} }, func(b []byte) (err error) {
			m, err = r.mapAnswer(b, p, port)
			return err
		})
		return m, err
	}
	if life > 0 {
		err := r.ask(ctx, func(netip.Addr) [][]byte { return [][]byte{{0, 0}} }, func(b []byte) (err error) {
			m.External, err = readExternal(b)
			return err
		})
		if err != nil {
			return m, err
		}
	}
	addr := m.External.Addr()
	err := r.ask(ctx, func(netip.Addr) [][]byte { return [][]byte{pmpRequest(p, port, want, life)} }, func(b []byte) (err error) {
		m, err = pmpAnswer(b, p, port)
		return err
	})
	m.External = netip.AddrPortFrom(addr, m.External.Port())
	return m, err
}

// errNotIt is what a reader returns of what is no answer to its question.
var errNotIt = errors.New("not an answer to this")

// ask sends requests, again and again, until read accepts an answer or refuses it for good.
func (r *Router) ask(ctx context.Context, requests func(local netip.Addr) [][]byte, read func([]byte) error) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", r.at.String()) // connected, so that nobody else's answers count
	if err != nil {
		return err
	}
	defer c.Close()                                                           //nolint:errcheck // nothing is lost
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })() //nolint:errcheck // it returns then
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()           //nolint:errcheck // it is one of UDP
	buf := make([]byte, 1100)                                                 // RFC 6887 section 7
	for wait, try := firstWait, 0; try < tries; wait, try = 2*wait, try+1 {
		for _, b := range requests(local) {
			if _, err := c.Write(b); err != nil {
				return refusedBy(ctx, err)
			}
		}
		c.SetReadDeadline(time.Now().Add(wait)) //nolint:errcheck // it has deadlines
		for {
			n, err := c.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				break
			}
			if err != nil {
				return refusedBy(ctx, err)
			}
			if err := read(buf[:n]); !errors.Is(err, errNotIt) {
				return err
			}
		}
	}
	return ErrNoRouter
}

// refusedBy explains an error of the socket: ctx has ended, or nobody listens there.
func refusedBy(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrNoRouter, err)
}

// String returns "tcp" or "udp".
func (p Protocol) String() string {
	if p == TCP {
		return "tcp"
	}
	return "udp"
}
