package swarm

import (
	"context"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
)

// A relayed circuit is two streams that are joined, that of whoever has asked first.
type relayed struct {
	relay     *Relay
	ends      [2]relayedEnd
	unlimited bool
}

// A relayedEnd is one side of a circuit.
type relayedEnd struct {
	id     lpeer.ID
	who    peer.ID
	host   netip.Prefix
	known  bool
	stream network.Stream
	rate   *peerRate // nil = none
}

// open notes a circuit, as far as the limits let it; else it returns nil.
func (r *Relay) open(s network.Stream, to lpeer.ID) *relayed {
	c := &relayed{relay: r}
	for i, id := range []lpeer.ID{s.Conn().RemotePeer(), to} {
		c.ends[i].id, c.ends[i].known = id, r.n.rankOf(id) == known
		c.ends[i].who, _ = ours(id) //nolint:errcheck // it was let in by its ID
	}
	c.ends[0].stream, c.ends[0].host = s, hostOf(s.Conn().RemoteMultiaddr())
	c.unlimited = c.ends[0].known || c.ends[1].known
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	limited, of := 0, [2]int{}
	for other := range r.circuits {
		if !other.unlimited {
			limited++
		}
		for i := range c.ends {
			if other.ends[0].id == c.ends[i].id || other.ends[1].id == c.ends[i].id {
				of[i]++
			}
		}
	}
	for i, e := range c.ends {
		if most := r.config.Guests.CircuitsPerPeer; of[i] >= maxCircuitsPeer || !e.known && of[i] >= most {
			r.stats.Refused++
			return nil
		}
	}
	if !c.unlimited {
		if limited >= r.config.Guests.Circuits || r.today.empty(c.ends[0].host, r.config.Guests.Day) || r.today.empty(r.reservations[to].host, r.config.Guests.Day) {
			r.stats.Refused++
			return nil
		}
		for i := range c.ends {
			c.ends[i].rate = r.rateOf(c.ends[i].id)
		}
	}
	r.circuits[c] = true
	r.stats.Opened++
	return c
}

// over forgets a circuit.
func (r *Relay) over(c *relayed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.circuits, c)
	for _, e := range c.ends {
		if e.rate == nil {
			continue
		}
		if e.rate.circuits--; e.rate.circuits == 0 {
			delete(r.rates, e.id)
		}
	}
}

func (c *relayed) reset() {
	for _, e := range c.ends {
		if e.stream != nil {
			e.stream.Reset() //nolint:errcheck // it is gone
		}
	}
}

// carry moves bytes in both directions until they end, or ctx.
func (c *relayed) carry(ctx context.Context) {
	var until time.Time
	limit := int64(-1)
	if !c.unlimited {
		until, limit = time.Now().Add(c.relay.config.Guests.Time), c.relay.config.Guests.Bytes
	}
	for _, e := range c.ends {
		e.stream.SetDeadline(until) //nolint:errcheck // the streams of libp2p have deadlines
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, c.reset)()
	var both sync.WaitGroup
	for i := range c.ends {
		both.Go(func() {
			if err := c.direction(ctx, &c.ends[1-i], &c.ends[i], limit); err != nil {
				c.reset()
				cancel()
			}
		})
	}
	both.Wait()
	for _, e := range c.ends {
		e.stream.Close() //nolint:errcheck // both directions have ended
	}
}

// The buffer of a direction: small while little is said, so that a circuit that is
// silent holds little; and as large as pays while much is.
const (
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10
	accountStep = 1 << 20
)

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

// direction moves bytes until the end of file, which it hands on. limit is how many may
// be moved; less than 0 is any number.
func (c *relayed) direction(ctx context.Context, to, from *relayedEnd, limit int64) error {
	small := make([]byte, smallBuffer)
	var large *[largeBuffer]byte
	defer func() {
		if large != nil {
			largeBuffers.Put(large)
		}
	}()
	var unpaid int64
	defer func() { c.account(unpaid) }() //nolint:errcheck // it is over
	for {
		buf := small
		if large != nil {
			buf = large[:]
		}
		n, err := from.stream.Read(buf)
		if limit >= 0 {
			if int64(n) > limit {
				return errRelayLimit
			}
			limit -= int64(n)
		}
		if n > 0 {
			if err := from.rate.wait(ctx, n); err != nil {
				return err
			}
			if err := to.rate.wait(ctx, n); err != nil {
				return err
			}
			if _, err := to.stream.Write(buf[:n]); err != nil {
				return err
			}
			if unpaid += int64(n); unpaid >= accountStep-largeBuffer {
				paying := unpaid
				unpaid = 0
				if err := c.account(paying); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return to.stream.CloseWrite()
		}
		if err != nil {
			return err
		}
		switch {
		case large == nil && n == len(buf):
			large = largeBuffers.Get().(*[largeBuffer]byte) //nolint:errcheck // they are all of this type
		case large != nil && n <= smallBuffer:
			largeBuffers.Put(large)
			large = nil
		}
	}
}

// account tells of bytes that were moved, and says when that were enough.
func (c *relayed) account(n int64) error {
	if n == 0 {
		return nil
	}
	r := c.relay
	r.mu.Lock()
	r.stats.Bytes += n
	over := false
	for _, e := range c.ends {
		over = !c.unlimited && r.today.spend(e.host, n, r.config.Guests.Day) || over
	}
	r.mu.Unlock()
	if over {
		return errRelayLimit
	}
	if r.config.Account == nil {
		return nil
	}
	for _, e := range c.ends {
		if e.known || !c.unlimited {
			if err := r.config.Account(RelayedBytes{Peer: e.who, Host: e.host, Known: e.known, Bytes: n}); err != nil {
				return err
			}
		}
	}
	return nil
}
