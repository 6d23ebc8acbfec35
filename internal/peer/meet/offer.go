package meet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/lan"
	"github.com/tenon-net/tenon/internal/peer/mailbox"
	"github.com/tenon-net/tenon/transport"
)

// How long Offer waits for what has no answer.
const (
	forLAN    = 350 * time.Millisecond // two questions
	forRelays = 3 * time.Second
	forOthers = 500 * time.Millisecond // when one relay has answered
	besideLAN = time.Second            // when there is a local network, too
)

// How often a relay that was not reached is asked again.
const (
	againFirst = time.Second
	againMost  = 15 * time.Second
)

// The numbers of channels that no relay has chosen: enough of them that two offers do
// not soon have the same, and higher than those that relays begin with.
const (
	ownMin = 100
	ownMax = 9999
)

// claims is how often Offer looks for a number that is free everywhere.
const claims = 4

// An Offer is a channel on which this side can be met.
type Offer struct {
	channel int
	lan     *lan.Offer // or nil
	relays  []*mailbox.Channel
	missing []error

	found   chan transport.Stream
	accepts sync.WaitGroup
	stop    context.CancelFunc // ends them
	over    <-chan struct{}    // closed by stop
	once    sync.Once
}

// Offer opens a channel everywhere under one number: the shortest that relays have free,
// or one by chance. ctx bounds the call. Relays that cannot be reached in time are asked
// for that number for as long as the offer lives; see [Offer.Missing].
func (p Place) Offer(ctx context.Context) (*Offer, error) {
	if p.nowhere() {
		return nil, ErrNowhere
	}
	o := &Offer{found: make(chan transport.Stream)}
	var used map[int]bool
	var look sync.WaitGroup
	if p.LAN != nil {
		look.Go(func() { used, _ = p.LAN.Channels(ctx, forLAN) }) //nolint:errcheck // Offer below says it
	}
	reached, late := p.ask(ctx, o)
	look.Wait()
	o.claim(ctx, reached, used)
	if p.LAN != nil {
		var err error
		if o.lan, err = p.LAN.Offer(o.channel); err != nil {
			o.missing = append(o.missing, err)
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, errors.Join(context.Cause(ctx), o.end())
	case o.lan == nil && len(o.relays) == 0:
		return nil, fmt.Errorf("%w: %w", ErrNowhere, errors.Join(o.missing...))
	}
	accepts, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop, o.over = stop, accepts.Done()
	if o.lan != nil {
		o.accepts.Go(func() { o.accept(accepts, o.lan.Accept) })
	}
	for _, c := range o.relays {
		o.accepts.Go(func() { o.accept(accepts, c.Accept) })
	}
	for _, relay := range late {
		o.accepts.Go(func() { o.keepAsking(accepts, p.mailbox(relay)) })
	}
	return o, nil
}

// A claim is a channel at a relay.
type claim struct {
	relay peer.ID
	open  mailbox.Opener
	c     *mailbox.Channel
	err   error
}

// ask opens a channel at every relay, each under the number that it likes, and returns
// those that were reached, and those that were not.
func (p Place) ask(ctx context.Context, o *Offer) (reached []claim, late []peer.ID) {
	patience := forRelays
	if p.LAN != nil {
		patience = besideLAN
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answers := make(chan claim)
	for _, relay := range p.Relays {
		go func() {
			open := p.mailbox(relay)
			c, err := mailbox.Offer(ctx, open, 0)
			answers <- claim{relay, open, c, err}
		}()
	}
	for range p.Relays {
		a := <-answers
		if a.err != nil {
			o.missing = append(o.missing, fmt.Errorf("relay %s: %w", a.relay.Short(), a.err))
			late = append(late, a.relay)
			continue
		}
		if reached = append(reached, a); len(reached) == 1 {
			defer time.AfterFunc(forOthers, cancel).Stop()
		}
	}
	return reached, late
}

// claim makes the number the same at all relays that were reached, and one that nobody
// else has on the local network. A relay at which that fails is left out in the end.
func (o *Offer) claim(ctx context.Context, reached []claim, used map[int]bool) {
	for _, r := range reached {
		o.channel = max(o.channel, r.c.Number())
	}
	for try := range claims {
		for o.channel == 0 || used[o.channel] {
			o.channel = ownMin + rand.IntN(ownMax-ownMin+1)
		}
		taken := false
		for i := range reached {
			taken = reached[i].move(ctx, o.channel) || taken
		}
		if !taken || try == claims-1 {
			break
		}
		o.channel = 0
	}
	for _, r := range reached {
		if r.err != nil {
			o.missing = append(o.missing, fmt.Errorf("relay %s: %w", r.relay.Short(), r.err))
		} else {
			o.relays = append(o.relays, r.c)
		}
	}
}

// move has the channel be the one with a number, and tells whether somebody else has
// that.
func (r *claim) move(ctx context.Context, number int) (taken bool) {
	if r.c != nil && r.c.Number() == number {
		return false
	}
	if r.c != nil {
		r.c.Close() //nolint:errcheck // the relay sees it in any case
	}
	ctx, cancel := context.WithTimeout(ctx, forRelays)
	defer cancel()
	r.c, r.err = mailbox.Offer(ctx, r.open, number)
	return errors.Is(r.err, mailbox.ErrTaken)
}

// Channel returns the number.
func (o *Offer) Channel() int { return o.channel }

// keepAsking opens the channel at a relay that could not be reached, as soon as it can.
func (o *Offer) keepAsking(ctx context.Context, open mailbox.Opener) {
	for wait := againFirst; ; wait = min(2*wait, againMost) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		c, err := mailbox.Offer(ctx, open, o.channel)
		if errors.Is(err, mailbox.ErrTaken) {
			return // then it is somebody else's there
		}
		if err == nil {
			o.accept(ctx, c.Accept)
			c.Close() //nolint:errcheck // the relay sees it in any case
			return
		}
	}
}

// Missing returns where the channel could not be opened at the beginning, and why.
func (o *Offer) Missing() []error { return o.missing }

// accept hands on who comes to one place.
func (o *Offer) accept(ctx context.Context, next func(context.Context) (transport.Stream, error)) {
	for {
		s, err := next(ctx)
		if err != nil {
			return
		}
		select {
		case o.found <- s:
		case <-ctx.Done():
			s.Close() //nolint:errcheck // nobody wants it
			return
		}
	}
}

// Accept returns a stream to the next one who wants to join the channel, whoever that is.
func (o *Offer) Accept(ctx context.Context) (transport.Stream, error) {
	select {
	case s := <-o.found:
		return s, nil
	case <-o.over:
		return nil, ErrOver
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close gives the channel up. Streams that Accept has returned go on.
func (o *Offer) Close() error {
	var err error
	o.once.Do(func() {
		o.stop()
		err = o.end()
		o.accepts.Wait()
	})
	return err
}

func (o *Offer) end() error {
	var errs []error
	if o.lan != nil {
		errs = append(errs, o.lan.Close())
	}
	for _, c := range o.relays {
		c.Close() //nolint:errcheck // the relay sees it in any case
	}
	return errors.Join(errs...)
}
