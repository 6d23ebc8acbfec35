// Package meet has two peers that want to be paired find each other, given no more than
// the number of a channel: on the local network and at relays, both at the same time.
// What it returns are streams to whoever is there. Package pair finds out who that is,
// and nothing here gives a right.
//
// It knows no libp2p: the local network is a [lan.LAN], and relays are reached by a
// function.
package meet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/lan"
	"github.com/tenon-net/tenon/internal/peer/mailbox"
	"github.com/tenon-net/tenon/transport"
)

// Errors. Test for them with [errors.Is].
var (
	// ErrNowhere: there is no local network and no relay to meet at.
	ErrNowhere = errors.New("there is nowhere to meet: no local network, and no relay")

	// ErrNobody: nobody offers the channel, on the local network or at the relays that
	// could be reached.
	ErrNobody = errors.New("nobody offers that code, here or at a relay")

	// ErrOver: the offer is over.
	ErrOver = errors.New("the offer is over")
)

// A Place is where peers can meet. The zero Place is nowhere. It does not change.
type Place struct {
	LAN    *lan.LAN  // nil = not on the local network
	Relays []peer.ID // that have a mailbox
	Open   Opener    // opens streams to relays
}

// An Opener opens a stream for a protocol to a peer, as [peer.Network] does.
type Opener func(ctx context.Context, to peer.ID, proto string) (transport.Stream, error)

// mailbox returns how to reach the mailbox of a relay.
func (p Place) mailbox(relay peer.ID) mailbox.Opener {
	return func(ctx context.Context) (transport.Stream, error) { return p.Open(ctx, relay, mailbox.Proto) }
}

func (p Place) nowhere() bool { return p.LAN == nil && len(p.Relays) == 0 }

// Join returns a stream to somebody who offers the channel, the first that is found. If
// a run of package pair on it fails and the code is not spent, Join may be called again.
// It looks on the local network until ctx ends, if no relay can be reached; if there is
// no local network, or all relays that answer know of nobody, it waits for a short time
// only.
func (p Place) Join(ctx context.Context, channel int) (transport.Stream, error) {
	if p.nowhere() {
		return nil, ErrNowhere
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		s   transport.Stream
		err error
		lan bool
	}
	outcomes := make(chan outcome)
	running := 0
	try := func(lan bool, f func() (transport.Stream, error)) {
		running++
		go func() {
			s, err := f()
			outcomes <- outcome{s, err, lan}
		}()
	}
	if p.LAN != nil {
		try(true, func() (transport.Stream, error) { return p.LAN.Join(ctx, channel) })
	}
	for _, relay := range p.Relays {
		try(false, func() (transport.Stream, error) {
			s, err := p.mailbox(relay)(ctx)
			if err != nil {
				return nil, err
			}
			return mailbox.Join(ctx, s, channel)
		})
	}
	var won transport.Stream
	var errs []error
	answered := false // by a relay, that it does not know the channel
	relays := len(p.Relays)
	for ; running > 0; running-- {
		o := <-outcomes
		switch {
		case o.err == nil && won == nil:
			won = o.s
			cancel()
		case o.err == nil:
			o.s.Close() //nolint:errcheck // one is enough
		case won == nil && ctx.Err() == nil:
			errs = append(errs, o.err)
			answered = answered || errors.Is(o.err, mailbox.ErrNoChannel)
			if !o.lan {
				relays--
			}
			if relays == 0 && answered && p.LAN != nil {
				defer time.AfterFunc(lanPatience, cancel).Stop()
			}
		}
	}
	switch {
	case won != nil:
		return won, nil
	case answered:
		return nil, fmt.Errorf("%w", ErrNobody)
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	}
	return nil, fmt.Errorf("%w: %w", ErrNobody, context.Cause(ctx))
}

// lanPatience is how long a joiner looks on the local network when the relays know of
// nobody.
const lanPatience = 5 * time.Second
