package mailbox

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A call is a stream of somebody who asks.
type call struct {
	*Server
	*wire
	stream transport.Stream
	from   peer.ID
	who    owner
	caller *caller
	box    *box // nil: none was opened
	seen   <-chan struct{}
	x      *rbsr.Exchange // nil: none has begun
	booked int64          // for x
}

// Handle serves a stream of [Proto] until it is of no use any more; the caller then closes it.
func (s *Server) Handle(st transport.Stream) {
	from, ok := peer.Of(st)
	if !ok {
		return
	}
	c := &call{Server: s, wire: newWire(st), stream: st, from: from}
	err := c.begin()
	if err == nil {
		defer s.leave(c.who)
		defer context.AfterFunc(s.ctx, func() { transport.Abort(st, s.ctx.Err()) })()
		err = c.serve()
		c.forget()
		s.unuse(c.box)
	}
	for reason, e := range reasons {
		if errors.Is(err, e) {
			st.SetWriteDeadline(time.Now().Add(writeTime)) //nolint:errcheck // the write below shows it
			c.write(frameRefused, reason)                  //nolint:errcheck // who asks notices
		}
	}
}

// begin finds out who asks, and counts him.
func (c *call) begin() error {
	caller, ok := Caller{Name: c.from.String()}, true
	if c.config.Caller != nil {
		if caller, ok = c.config.Caller(c.from, c.stream); !ok {
			return ErrNotForUs
		}
	}
	c.who = c.keep.owner(caller)
	if c.caller, ok = c.enter(c.who); !ok {
		return ErrBusy
	}
	return nil
}

func (c *call) serve() error {
	for {
		c.stream.SetReadDeadline(time.Now().Add(idleTime)) //nolint:errcheck // the read below shows it
		kind, p, err := c.read()
		if err != nil {
			return err
		}
		if c.who.guest() && !c.asks.Allow(c.who) {
			return ErrTooOften
		}
		c.stream.SetWriteDeadline(time.Now().Add(writeTime)) //nolint:errcheck // the write below shows it
		switch {
		case kind == frameOpen:
			err = c.open(p)
		case c.box == nil:
			err = ErrProof
		case kind == frameSync:
			err = c.sync(p)
		case kind == frameLacks && len(p) == 0:
			err = c.lacks()
		case kind == frameWant:
			err = c.want(p)
		case kind == frameBlobs:
			err = c.taken(p)
		case kind == frameWait && len(p) == 0:
			err = c.wait()
		default:
			err = ErrWire
		}
		if err != nil {
			return err
		}
	}
}

// open has a box in use whose key was shown.
func (c *call) open(p []byte) error {
	if len(p) != openSize || p[0] != version {
		return ErrProof
	}
	key := ID(p[1:])
	if !checkProof(key, c.from, c.config.Self, p[33:]) {
		return ErrProof
	}
	c.forget()
	c.unuse(c.box)
	c.box = nil
	b, err := c.use(key)
	if err != nil {
		return err
	}
	c.box, c.seen = b, c.news(b)
	return c.write(frameOpened, binary.BigEndian.AppendUint32(nil, uint32(c.config.Keep/time.Hour))...)
}

// sync answers a message of an exchange, which always the other side begins.
func (c *call) sync(p []byte) error {
	if c.x != nil {
		if _, over := c.x.Over(); over {
			c.forget()
		}
	}
	if c.x == nil {
		c.x, c.seen = rbsr.Join(&c.box.set), c.news(c.box)
	}
	// What it may have to remember of a message is as many bytes, nearly.
	n := 2 * int64(len(p))
	if c.booked+n > maxExchange || !c.caller.memory.Take(n, false) {
		return ErrBusy
	}
	c.booked += n
	answer, err := c.x.Take(p)
	if err != nil {
		return ErrWire
	}
	return c.write(frameSync, answer...)
}

// forget ends the exchange.
func (c *call) forget() {
	c.caller.memory.Give(c.booked)
	c.x, c.booked = nil, 0
}

func (c *call) lacks() error {
	if c.x == nil {
		return ErrWire
	}
	if _, over := c.x.Over(); !over {
		return ErrWire
	}
	var ids []ID
	for _, k := range c.x.Need() {
		if len(ids) < maxIDs && k.Time == 0 && !c.box.set.Has(k) {
			ids = append(ids, k.ID)
		}
	}
	return c.write(frameLacks, appendIDs(nil, ids)...)
}

func (c *call) want(p []byte) error {
	ids, err := parseIDs(p)
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		blobs, done, err := c.keep.get(c.ctx, c.box.key, ids, maxBlobs)
		if err != nil {
			return err
		}
		ids = ids[done:]
		for range blobs {
			if c.who.guest() && !c.moves.Allow(c.who) {
				return ErrTooOften
			}
		}
		err = c.blobs(blobs, func(int) error {
			return c.stream.SetWriteDeadline(time.Now().Add(writeTime))
		})
		if err != nil {
			return err
		}
	}
	return c.write(frameEnd)
}

func (c *call) taken(p []byte) error {
	blobs, err := parseBlobs(p)
	if err != nil {
		return err
	}
	var outcomes []byte
	if outcomes, c.seen, err = c.put(c.box, c.who, blobs, c.seen); err != nil {
		return err
	}
	return c.write(frameTaken, outcomes...)
}

// wait answers when something is new since the last exchange began, after a while, or when something else is
// asked.
func (c *call) wait() error {
	c.stream.SetReadDeadline(time.Time{}) //nolint:errcheck // the read below shows it
	spoke := make(chan error, 1)
	go c.peek(spoke)
	timer := time.NewTimer(waitTime)
	defer timer.Stop()
	var news byte
	var err error
	select {
	case <-c.seen:
		news = 1
		c.seen = c.news(c.box)
	case <-timer.C:
	case err = <-spoke:
		if err != nil {
			return err
		}
		spoke <- nil
	}
	c.stream.SetWriteDeadline(time.Now().Add(writeTime)) //nolint:errcheck // the write below shows it
	if err := c.write(frameNews, news); err != nil {
		transport.Abort(c.stream, err) // so that peek ends
		<-spoke
		return err
	}
	c.stream.SetReadDeadline(time.Now().Add(idleTime)) //nolint:errcheck // the read shows it
	return <-spoke
}

// peek waits until the other side says something, or is gone.
func (c *call) peek(spoke chan<- error) {
	_, err := c.in.Peek(1)
	spoke <- err
}
