//go:build unix

package rundir

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// A Rendezvous is where programs of one machine meet: a socket, and the rule about
// whom they meet there. Anybody may be the first to listen at an abstract name, or at
// a path in a directory that others can write to, so who dials asks the kernel who
// listens, before anything passes in either direction. Everything that meets by a
// name does so through a Rendezvous.
type Rendezvous struct {
	Name string // as [Socket] has it
	Ext  string // ends the file of a name that is no path

	// Access is who may be at the other side. A listener decides about its clients
	// as [local.UnixListen] does. Who dials trusts its own user, root, and whom
	// AllowUID and AllowGID have.
	local.Access

	Hint string // how another user is trusted, for who has dialed one that is not
}

// Dial connects, to nobody but whom the Access allows. An error that matches
// [transport.ErrDenied] may be about who listens.
func (r *Rendezvous) Dial(ctx context.Context) (transport.Stream, error) {
	path, err := Socket(r.Name, r.Ext)
	if err != nil {
		return nil, err
	}
	c, err := (&local.Unix{Path: path}).Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.trust(c); err != nil {
		c.Close()
		return nil, transport.WithHint(fmt.Errorf("who listens there is not trusted: %w", err), r.Hint)
	}
	s, ok := c.(transport.Stream)
	if !ok {
		c.Close()
		return nil, errors.ErrUnsupported
	}
	return s, nil
}

func (r *Rendezvous) trust(c transport.Conn) error {
	if cred := c.Info().Cred; cred != nil && (cred.UID == 0 || cred.UID == os.Geteuid()) {
		return nil
	}
	return r.Admit(c)
}

// Listen waits for those who [Rendezvous.Dial], and denies whom the Access does.
func (r *Rendezvous) Listen(ctx context.Context) (transport.Acceptor, error) {
	path, err := Socket(r.Name, r.Ext)
	if err != nil {
		return nil, err
	}
	return (&local.UnixListen{Path: path, Access: r.Access}).Listen(ctx)
}
