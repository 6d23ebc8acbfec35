package swarm

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	p2pswarm "github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multistream"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Open opens a stream to a peer, over the best connection that there is, and makes one
// if there is none.
func (n *Network) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	s, err := n.open(ctx, to, proto)
	if err != nil {
		return nil, &peer.OpenError{Proto: proto, To: to, Err: n.blame(ctx, err)}
	}
	return s, nil
}

// Connect makes a connection to a peer, unless there is one.
func (n *Network) Connect(ctx context.Context, to peer.ID) error {
	ctx, cancel := within(ctx)
	defer cancel()
	id, err := n.target(ctx, to)
	if err == nil {
		_, err = n.linkTo(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("connect to %s: %w", to.Short(), n.blame(ctx, err))
	}
	return nil
}

// within bounds a context that has no deadline.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, OpenTimeout, fmt.Errorf("%w: no answer for %v", peer.ErrUnreachable, OpenTimeout))
}

// target looks at whom we may turn to.
func (n *Network) target(ctx context.Context, to peer.ID) (lpeer.ID, error) {
	if err := context.Cause(ctx); err != nil {
		return "", err
	}
	switch {
	case n.closed.Load():
		return "", errStopped
	case to.IsZero():
		return "", fmt.Errorf("%w: it is nobody", peer.ErrUnreachable)
	case to == n.id:
		return "", fmt.Errorf("%w: it is this node itself", peer.ErrUnreachable)
	}
	id, err := lib(to)
	if err != nil {
		return "", fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
	}
	if n.rankAs(to, id) == nobody {
		return "", fmt.Errorf("%w: it is not let in here", peer.ErrNotAdmitted)
	}
	return id, nil
}

func (n *Network) open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	id, err := n.target(ctx, to)
	if err != nil {
		return nil, err
	}
	for hungUp := 0; ; {
		l, err := n.linkTo(ctx, id)
		if err != nil {
			return nil, err
		}
		if own, err := n.direct.open(ctx, l, id, proto); !errors.Is(err, errNoDirect) {
			return own, err
		}
		s, err := n.openOver(ctx, l, proto)
		if err == nil {
			return newStream(n, s, to, l.over), nil
		}
		var gated *network.ConnError
		switch {
		case ctx.Err() != nil || errors.Is(err, peer.ErrNoProtocol):
			return nil, err
		case errors.As(err, &gated) && gated.Remote && gated.ErrorCode == network.ConnGated:
			return nil, peer.ErrNotAdmitted
		case !l.conn.IsClosed():
			return nil, fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
		case !l.greeted.Load():
			// It has shown its key and hung up without a word: once may be
			// an accident of the network.
			if hungUp++; hungUp == 2 {
				return nil, peer.ErrNotAdmitted
			}
		}
	}
}

// linkTo returns the best connection to a peer, and makes one if there is none.
func (n *Network) linkTo(ctx context.Context, id lpeer.ID) (*link, error) {
	if all := n.links.to(id); len(all) > 0 {
		return all[0], nil
	}
	n.recall(id)
	if through := n.throughRelays(id); len(through) > 0 {
		n.host.Peerstore().AddAddrs(id, through, peerstore.TempAddrTTL)
	}
	n.expectPunch(id)
	l, err := n.dialPeer(ctx, id)
	if err != nil && ctx.Err() == nil && n.tableOn.Load() && n.lookUp(ctx, id) == nil {
		l, err = n.dialPeer(ctx, id)
	}
	return l, err
}

// dialPeer has libp2p dial the addresses that are known. It returns as well when the peer has
// connected to us meanwhile.
func (n *Network) dialPeer(ctx context.Context, id lpeer.ID) (l *link, err error) {
	dial := func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		n.task(func() {
			if n.awaitLinks(ctx, func() bool { return len(n.links.to(id)) > 0 }) {
				cancel()
			}
		})
		n.swarm.Backoff().Clear(id)
		c, err := n.swarm.DialPeer(ctx, id)
		if err != nil {
			if all := n.links.to(id); len(all) > 0 {
				l = all[0]
				return nil
			}
			return err
		}
		if l = n.links.of(c); l == nil {
			l = n.newLink(c) // it is over already
		}
		return nil
	}
	err = n.whileMoving(ctx, func(ctx context.Context) error { return n.whileReserving(ctx, id, dial) })
	return l, err
}

// recall remembers where a peer has been before.
func (n *Network) recall(id lpeer.ID) {
	if who, err := ours(id); err == nil && n.config.Addresses != nil {
		n.addAddrs(id, n.config.Addresses(who), peerstore.TempAddrTTL)
	}
}

// openOver opens a stream over a connection and waits until the other side has agreed.
func (n *Network) openOver(ctx context.Context, l *link, proto string) (network.Stream, error) {
	s, err := l.conn.NewStream(network.WithAllowLimitedConn(ctx, "tenon"))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset() }) //nolint:errcheck // it is gone
	err = multistream.SelectProtoOrFail(protocol.ID(proto), s)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil || isNoProtocol(err) {
		l.greeted.Store(true)
	}
	if err == nil {
		err = s.SetProtocol(protocol.ID(proto))
	}
	if err != nil {
		s.Reset() //nolint:errcheck // it is gone
		if isNoProtocol(err) {
			return nil, peer.ErrNoProtocol
		}
		return nil, err
	}
	return s, nil
}

// openLazily opens a stream for a protocol that the other side surely speaks: what is written goes
// with the question for it.
func (n *Network) openLazily(ctx context.Context, l *link, proto protocol.ID) (network.Stream, error) {
	s, err := l.conn.NewStream(network.WithAllowLimitedConn(ctx, "tenon"))
	if err != nil {
		return nil, err
	}
	if err := s.SetProtocol(proto); err != nil {
		s.Reset() //nolint:errcheck // it is gone
		return nil, err
	}
	return &lazyStream{Stream: s, lazy: multistream.NewMSSelect(s, proto)}, nil
}

// A lazyStream is a stream for which a protocol is being agreed upon.
type lazyStream struct {
	network.Stream
	lazy multistream.LazyConn
}

func (s *lazyStream) Read(p []byte) (int, error)  { return s.lazy.Read(p) }
func (s *lazyStream) Write(p []byte) (int, error) { return s.lazy.Write(p) }

func isNoProtocol(err error) bool {
	return errors.Is(err, multistream.ErrNotSupported[protocol.ID]{})
}

// blame turns what libp2p says into what the contract says.
func (n *Network) blame(ctx context.Context, err error) error {
	for _, known := range []error{peer.ErrNoProtocol, peer.ErrNotAdmitted, peer.ErrUnreachable} {
		if errors.Is(err, known) {
			return err
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var gated *network.ConnError
	var dial *p2pswarm.DialError
	switch {
	case n.closed.Load():
		return errStopped
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer for %v", peer.ErrUnreachable, OpenTimeout)
	case errors.As(err, &gated) && gated.ErrorCode == network.ConnGated:
		return peer.ErrNotAdmitted
	case errors.As(err, &dial) && len(dial.DialErrors) > 0:
		first := dial.DialErrors[0]
		return fmt.Errorf("%w: %s: %w", peer.ErrUnreachable, undisguised(first.Address), transport.Cause(first.Cause))
	case errors.As(err, &dial) && errors.Is(dial.Cause, p2pswarm.ErrNoAddresses), errors.Is(err, p2pswarm.ErrNoAddresses):
		return fmt.Errorf("%w: no address of it is known", peer.ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
}
