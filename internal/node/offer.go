package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

const (
	maxArrivals = 128              // of an offer, not accepted yet
	arrivalTime = 15 * time.Second // until somebody accepts
)

// An offer is a service that lives for as long as somebody accepts its clients. It is a
// [transport.Acceptor].
type offer struct {
	node    *Node
	service peer.Service
	carries api.Carries
	to      []peer.Subject // guarded by the Node's mu
	came    chan *arrival
	closed  chan struct{}
	once    sync.Once
	why     error // once closed is
}

var _ transport.Acceptor = (*offer)(nil)

// An arrival is a peer that waits to be accepted.
type arrival struct {
	transport.Conn
	taken atomic.Bool // by who accepts, or by who gives up
	late  *time.Timer // gives up
}

func (a *arrival) giveUp(why error) {
	if a.taken.CompareAndSwap(false, true) {
		transport.Abort(a.Conn, why) //nolint:errcheck // nobody has seen it
	}
}

// Offer offers a service until the Acceptor is closed. The context bounds the call only.
func (n *Node) Offer(ctx context.Context, r api.OfferRequest) (transport.Acceptor, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	name, err := peer.ParseService(r.Service)
	if err == nil {
		err = notHold(name)
	}
	if err != nil {
		return nil, transport.Usage(err)
	}
	if r.Carries == "" {
		r.Carries = api.Bytes
	}
	if carriesCode[r.Carries] == 0 {
		return nil, transport.Usage(fmt.Errorf("a service carries bytes, messages, datagrams or a terminal, not %q", r.Carries))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.mayLead(name, r.Address, r.Replace); err != nil {
		return nil, err
	}
	o := &offer{node: n, service: name, carries: r.Carries, came: make(chan *arrival, maxArrivals), closed: make(chan struct{})}
	for _, text := range r.To {
		s, err := n.facts.subject(text)
		if err != nil {
			return nil, err
		}
		o.to = append(o.to, s)
	}
	if r.Anyone {
		o.to = append(o.to, peer.Anyone)
	}
	switch {
	case n.life.Err() != nil:
		return nil, errDown
	case n.live[name] != nil:
		return nil, transport.Mark(fmt.Errorf("the service %s is being offered already", name), api.ErrConflict)
	case n.isServed(name) && !n.config.Passing:
		return nil, transport.WithHint(transport.Mark(fmt.Errorf("there is a service %s already", name), api.ErrConflict), "tenon unserve "+string(name))
	}
	n.live[name] = o
	n.decide()
	n.tell(api.Event{Type: "service", Service: string(name), Text: string(name) + " is offered"})
	return o, nil
}

// hand gives a peer to who accepts, and has done called when it is done.
func (n *Node) hand(ctx context.Context, j *joint, s transport.Stream, o *offer, done func()) {
	granted := j.answer(o.carries, true) // what is behind an offer is not known
	if _, err := s.Write(granted.marshal()); err != nil {
		transport.Abort(s, err) //nolint:errcheck // it has failed already
		done()
		return
	}
	n.began(j)
	a := &arrival{Conn: newUse(ctx, paced(ctx, n.frame(j, s, granted), n.limits.pace(j.peer)), j, func(err error) {
		n.ended(j, err)
		done()
	})}
	a.late = time.AfterFunc(arrivalTime, func() { a.giveUp(errIgnored) })
	select {
	case o.came <- a:
		if o.isClosed() {
			o.drain()
		}
	default:
		a.late.Stop()
		a.giveUp(errBusy)
	}
}

func (o *offer) isClosed() bool {
	select {
	case <-o.closed:
		return true
	default:
		return false
	}
}

// drain ends those whom nobody will accept any more.
func (o *offer) drain() {
	for {
		select {
		case c := <-o.came:
			c.giveUp(errUnserved)
		default:
			return
		}
	}
}

// Accept returns the next peer.
func (o *offer) Accept() (transport.Conn, error) {
	for !o.isClosed() {
		select {
		case a := <-o.came:
			if a.taken.CompareAndSwap(false, true) {
				a.late.Stop()
				return a.Conn, nil
			}
		case <-o.closed:
		}
	}
	return nil, o.reason()
}

func (o *offer) reason() error {
	if o.why != nil {
		return fmt.Errorf("%w: %w", net.ErrClosed, o.why)
	}
	return net.ErrClosed
}

// Addr returns the name of the service.
func (o *offer) Addr() net.Addr { return transport.Addr{Net: "peer", Name: string(o.service)} }

// Close ends the offer. Whoever was accepted stays.
func (o *offer) Close() error {
	n := o.node
	n.mu.Lock()
	if n.live[o.service] == o {
		delete(n.live, o.service)
		n.joints.release(o.service)
		n.decide()
	}
	n.mu.Unlock()
	o.end(nil)
	return nil
}

func (o *offer) end(why error) {
	o.once.Do(func() {
		o.why = why
		close(o.closed)
	})
	o.drain()
}

// endOffers ends all offers, when the node ends.
func (n *Node) endOffers(why error) {
	n.mu.Lock()
	all := slices.Collect(maps.Values(n.live))
	clear(n.live)
	n.mu.Unlock()
	for _, o := range all {
		o.end(why)
	}
}

// errIgnored is why a peer is sent away whom nobody accepts.
var errIgnored = errors.New("nobody has accepted the connection")
