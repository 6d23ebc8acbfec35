package mailbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// retry is how long an offerer waits before it asks a relay again that it has lost.
const (
	retryMin = 250 * time.Millisecond
	retryMax = 5 * time.Second
)

// An Opener opens a stream of [Proto] to the relay.
type Opener func(context.Context) (transport.Stream, error)

// A Channel is a number at a relay under which this side can be met.
type Channel struct {
	open   Opener
	number int
	secret [secretSize]byte // by which the relay knows that it is ours

	accepting sync.Mutex // held by Accept
	mu        sync.Mutex // guards all below
	waiting   transport.Stream
	closed    bool
	turned    uint32
	ends      time.Time
}

// Offer opens a channel: the one with that number, or if it is 0, the lowest that is
// free. ctx bounds the call.
func Offer(ctx context.Context, open Opener, number int) (*Channel, error) {
	c := &Channel{open: open, number: number}
	rand.Read(c.secret[:]) //nolint:errcheck // it does not fail
	if err := c.ask(ctx); err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	return c, nil
}

// Number returns the number of the channel.
func (c *Channel) Number() int { return c.number }

// Ends returns when the channel ends by itself.
func (c *Channel) Ends() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ends
}

// TurnedAway returns how many joiners the relay has sent away so far, because they were
// too many.
func (c *Channel) TurnedAway() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.turned)
}

// ask opens a stream that waits at the relay for the next joiner.
func (c *Channel) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	hello := binary.BigEndian.AppendUint32([]byte{version}, uint32(c.number))
	var content []byte
	err = bounded(ctx, s, func() error {
		if err := writeFrame(s, frameOffer, append(hello, c.secret[:]...)); err != nil {
			return err
		}
		_, b, err := readFrame(s, frameOpened)
		content = b
		return lost(err)
	})
	if err != nil {
		return err
	}
	number := binary.BigEndian.Uint32(content)
	if number < 1 || number > MaxChannel || c.number != 0 && number != uint32(c.number) {
		s.Close() //nolint:errcheck // it is of no use
		return fmt.Errorf("%w: it opened channel %d", ErrProtocol, number)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		s.Close() //nolint:errcheck // nobody waits
		return ErrExpired
	}
	c.number, c.waiting = int(number), s
	c.ends = time.Now().Add(time.Duration(binary.BigEndian.Uint16(content[4:])) * time.Second)
	return nil
}

// Accept waits for the next joiner and returns a stream to it. A stream that has been
// lost meanwhile is opened again, for as long as ctx and the channel live.
func (c *Channel) Accept(ctx context.Context) (transport.Stream, error) {
	c.accepting.Lock()
	defer c.accepting.Unlock()
	wait := retryMin
	for {
		c.mu.Lock()
		s, closed := c.waiting, c.closed
		c.mu.Unlock()
		var err error
		switch {
		case closed:
			err = ErrExpired
		case s != nil:
			if err = c.joined(ctx, s); err == nil {
				return s, nil
			}
			wait = retryMin
		default:
			err = c.ask(ctx)
		}
		for _, final := range []error{ErrExpired, ErrProtocol, ErrTaken} {
			if errors.Is(err, final) {
				return nil, fmt.Errorf("wait for a joiner: %w", err)
			}
		}
		if err == nil || s != nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, retryMax)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// joined waits until somebody has come on a stream that waits.
func (c *Channel) joined(ctx context.Context, s transport.Stream) error {
	var turned uint32
	err := bounded(ctx, s, func() error {
		_, b, err := readFrame(s, frameJoined)
		if err == nil {
			turned = binary.BigEndian.Uint32(b)
		}
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == s {
		c.waiting = nil
	}
	c.turned = max(c.turned, turned)
	return err
}

// Close gives the channel up. Streams that Accept has returned go on.
func (c *Channel) Close() error {
	c.mu.Lock()
	s := c.waiting
	c.closed, c.waiting = true, nil
	c.mu.Unlock()
	if s != nil {
		return s.Close()
	}
	return nil
}

// Join asks the relay at the other side of s for the one who offers a channel. The
// stream that it returns, which is s, goes to that one. It closes s if it fails, and at
// the end of ctx.
func Join(ctx context.Context, s transport.Stream, number int) (transport.Stream, error) {
	if number < 1 || number > MaxChannel {
		s.Close() //nolint:errcheck // it was not used
		return nil, fmt.Errorf("join a channel: %w: there is no channel %d", ErrNoChannel, number)
	}
	ctx, cancel := context.WithTimeout(ctx, queueing+turn)
	defer cancel()
	err := bounded(ctx, s, func() error {
		if err := writeFrame(s, frameJoin, binary.BigEndian.AppendUint32([]byte{version}, uint32(number))); err != nil {
			return err
		}
		_, _, err := readFrame(s, frameJoined)
		return lost(err)
	})
	if err != nil {
		return nil, fmt.Errorf("join channel %d: %w", number, err)
	}
	return s, nil
}

// bounded calls f, which uses s, and aborts s if f fails or ctx ends before it returns.
func bounded(ctx context.Context, s transport.Stream, f func() error) error {
	stop := context.AfterFunc(ctx, func() { transport.Abort(s, context.Cause(ctx)) })
	err := f()
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		transport.Abort(s, err)
	}
	return err
}
