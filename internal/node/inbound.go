package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/datagram"
	"github.com/tenon-net/tenon/internal/link"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// inbound serves a stream by which a peer asks for something. The goroutine waits for most of
// its life: by then there is little on its stack.
func (n *Node) inbound(s transport.Stream) {
	u := new(undo)
	defer u.run()
	if carry := n.answer(s, u); carry != nil {
		over := make(chan struct{})
		carry(func() { close(over) })
		<-over
	}
}

// An undo is what is to be done at the end, in reverse order.
type undo []func()

func (u *undo) at(f func()) { *u = append(*u, f) }

func (u *undo) run() {
	for _, f := range slices.Backward(*u) {
		f()
	}
}

// A carry is the use of a service, from its beginning; done is called when it has ended.
type carry func(done func())

// answer says what the peer is to hear. What it returns, if not nil, is the use of a service.
func (n *Node) answer(s transport.Stream, u *undo) carry {
	id, ok := peer.Of(s)
	if !ok {
		transport.Abort(s, peer.ErrNotAdmitted) //nolint:errcheck // nobody is there
		return nil
	}
	guest := n.Admit(id) != peer.Known
	leave, ok := n.limits.enter(id, guest)
	if !ok {
		say(s, answer{status: answerBusy})
		return nil
	}
	u.at(leave)
	s.SetReadDeadline(time.Now().Add(requestTime)) //nolint:errcheck // then the read fails, too
	q, err := readRequest(s)
	switch {
	case errors.Is(err, errRequest):
		say(s, answer{status: answerBad})
		return nil
	case err != nil:
		transport.Abort(s, err) //nolint:errcheck // it has failed already
		return nil
	}
	s.SetReadDeadline(time.Time{}) //nolint:errcheck // then the next read fails
	switch q.sort {
	case askList:
		say(s, answer{list: n.listFor(id)})
	case askRedeem:
		right, _, err := n.authorize(n.life, id, q)
		if err != nil {
			n.refuse(s, id, q, err)
			return nil
		}
		say(s, answer{list: []api.RemoteService{{Name: string(right.Service), Carries: n.carries(right.Service)}}})
	default:
		return n.open(s, id, q, guest, u)
	}
	return nil
}

// say answers and ends the stream.
func say(s transport.Stream, a answer) {
	s.SetWriteDeadline(time.Now().Add(requestTime)) //nolint:errcheck // then the write fails, too
	if _, err := s.Write(a.marshal()); err != nil {
		transport.Abort(s, err) //nolint:errcheck // it has failed already
		return
	}
	transport.LingeringClose(s) //nolint:errcheck // all is said
}

// refuse says no, and puts it on record.
func (n *Node) refuse(s transport.Stream, id peer.ID, q request, why error) {
	n.refusals.Add(1)
	if n.limits.mayRecord() {
		n.mu.Lock()
		called := n.facts.call(id)
		n.mu.Unlock()
		n.audit.add(entry{event: "refuse", peer: id.String(), name: called, service: q.service, outcome: why.Error()})
		what := q.service
		if what == "" {
			what = "a ticket"
		}
		n.tell(api.Event{Type: "service", Peer: id.String(), Service: q.service, Text: fmt.Sprintf("%s was refused %s: %v", called, what, why)})
	}
	switch {
	case errors.Is(why, errBusy):
		say(s, answer{status: answerBusy})
	case errors.Is(why, errUnavailable):
		say(s, answer{status: answerUnavailable})
	default:
		say(s, answer{status: answerRefused, refusal: peer.AsRefusal(why)})
	}
}

// authorize tells by which right a peer may have what it asks for. A ticket is redeemed
// only if there is no other right.
func (n *Node) authorize(ctx context.Context, id peer.ID, q request) (peer.Right, *peer.Redemption, error) {
	a, now := n.access.Load(), time.Now()
	if q.ticket == "" || q.service != "" && q.sort == askOpen {
		service, err := peer.ParseService(q.service)
		if err != nil {
			return peer.Right{}, nil, peer.NotGranted
		}
		right, err := a.Decide(peer.Request{Peer: id, Service: service, Now: now})
		if err == nil || q.ticket == "" {
			return right, nil, err
		}
	}
	t, err := peer.ParseTicket(q.ticket)
	if err != nil || q.service != "" && q.service != string(t.Service) {
		return peer.Right{}, nil, peer.TicketForged
	}
	if q.sort == askOpen && q.service == "" {
		if right, err := a.Decide(peer.Request{Peer: id, Service: t.Service, Now: now}); err == nil {
			return right, nil, nil
		}
	}
	redeemed, err := a.Redeem(ctx, (*ticketStore)(n), id, t, now)
	if err != nil {
		return peer.Right{}, nil, err
	}
	right, err := a.Decide(peer.Request{Peer: id, Service: t.Service, Ticket: redeemed, Now: now})
	return right, redeemed, err
}

// listFor returns what a peer is told of.
func (n *Node) listFor(id peer.ID) []api.RemoteService {
	list := []api.RemoteService{}
	for _, name := range n.access.Load().Services(id, time.Now()) {
		list = append(list, api.RemoteService{Name: string(name), Carries: n.carries(name)})
	}
	return list
}

// open lets a peer use a service, and returns the use.
func (n *Node) open(s transport.Stream, id peer.ID, q request, guest bool, u *undo) carry {
	right, ticket, err := n.authorize(n.life, id, q)
	if err != nil {
		n.refuse(s, id, q, err)
		return nil
	}
	q.service = string(right.Service)
	n.mu.Lock()
	most := maxPeerJoints
	if m := n.settings.PeerJoints; m > 0 {
		most = m
	}
	n.mu.Unlock()
	if guest {
		most = min(most, maxGuest)
	}
	j := &joint{peer: id, service: right.Service, right: right, ticket: ticket, link: n.bestLink(id), stream: s, told: q.told}
	ctx, err := n.joints.begin(n.life, j, most)
	if err != nil {
		n.refuse(s, id, q, err)
		return nil
	}
	u.at(func() { n.joints.end(j) })
	// Whoever has taken the right back before the joint was there could not cut it.
	if err := n.access.Load().Still(id, right, ticket, time.Now()); err != nil {
		n.refuse(s, id, q, err)
		return nil
	}
	if ticket != nil && !ticket.NotAfter.IsZero() {
		t := time.AfterFunc(time.Until(ticket.NotAfter), func() { j.cancel(peer.TicketExpired) })
		u.at(func() { t.Stop() })
	}
	n.mu.Lock()
	o, address := n.live[right.Service], n.addressOf(right.Service)
	n.used[right.Service]++
	n.mu.Unlock()
	switch {
	case o != nil:
		return func(done func()) { n.hand(ctx, j, s, o, done) }
	case n.config.Passing: // a ticket is good for it, and it is not there now
		n.refuse(s, id, q, errUnavailable)
		return nil
	}
	return n.join(ctx, j, s, address)
}

// join opens what an address names for a peer, and returns what joins the two.
func (n *Node) join(ctx context.Context, j *joint, s transport.Stream, address string) carry {
	open, cancel := context.WithTimeout(transport.WithOther(ctx, s), openTime)
	target, err := n.opener.Dial(open, address)
	cancel()
	n.mu.Lock()
	if delete(n.failed, j.service); err != nil {
		n.failed[j.service] = err.Error()
	}
	n.mu.Unlock()
	if err != nil {
		n.tell(api.Event{Type: "warning", Service: string(j.service), Text: string(j.service) + ": " + err.Error()})
		n.refuse(s, j.peer, request{service: string(j.service)}, fmt.Errorf("%w: %w", errUnavailable, err))
		return nil
	}
	carries := carriesFor(target)
	if carries == api.Messages && n.carries(j.service) == api.Datagrams {
		carries = api.Datagrams
	}
	a := j.answer(carries, closesWithStatus(target))
	if _, err := s.Write(a.marshal()); err != nil {
		transport.Abort(s, err)      //nolint:errcheck // it has failed already
		transport.Abort(target, err) //nolint:errcheck // nothing was said to it
		return nil
	}
	n.began(j)
	near := n.frame(j, s, a)
	following := followSize(near, target)
	near = paced(ctx, near, n.limits.pace(j.peer))
	return func(done func()) {
		join.Start(ctx, near, target, join.Options{Count: &j.count, HalfClosed: join.DefaultHalfClosed, Engine: &n.engine},
			func(_ *join.Result, err error) {
				following()
				n.ended(j, err)
				done()
			})
	}
}

// carriesFor returns what goes through a service whose target is c.
func carriesFor(c transport.Conn) api.Carries {
	if _, ok := c.(transport.MsgConn); ok {
		return api.Messages
	}
	if _, ok := transport.About[transport.Resizer](c); ok {
		return api.Terminal
	}
	return api.Bytes
}

// answer is what a peer hears whose request is granted. Bytes go in frames if nothing else can
// carry with what the target, or the peer, may close.
func (j *joint) answer(carries api.Carries, status bool) answer {
	_, session := j.stream.(*link.Stream)
	return answer{carries: carries, told: j.told, framed: j.told && carries == api.Bytes && status && !session}
}

// closesWithStatus tells whether c closes with a status that is worth to be carried.
func closesWithStatus(c transport.Conn) bool {
	_, late := transport.About[transport.LateCloser](c)
	_, closer := transport.About[transport.StatusCloser](c)
	_, carrier := transport.About[transport.StatusCarrier](c)
	return late || closer || carrier
}

// A statusKnower is an end that carries close statuses if it is told that the other side
// knows them.
type statusKnower interface {
	KnowsStatus(offers bool)
	BoundStatus()
}

// frame returns the end that goes through the stream of a peer, and beside it, if it carries
// messages that may be lost: whether it does, who uses a service is told when it asks.
func (n *Node) frame(j *joint, s transport.Stream, a answer) transport.Conn {
	carries := a.carries
	if carries == api.Bytes && !a.framed {
		if session, ok := s.(*link.Stream); ok && a.told {
			session.KnowsStatus()
		}
		return s
	}
	c := api.Frames(s, nil, carries, s.Info(), s.LocalAddr(), s.RemoteAddr())
	if k := c.(statusKnower); a.told { //nolint:forcetypeassert // Frames makes nothing else
		k.KnowsStatus(!j.out)
		k.BoundStatus()
	}
	n.pmu.RLock()
	mux := n.datagrams
	n.pmu.RUnlock()
	lane, messages := c.(*api.MsgConn)
	var f *datagram.Conn
	switch {
	case mux == nil || !messages:
		return c
	case j.out:
		f = mux.Ask(j.peer, lane)
	case carries == api.Datagrams:
		f = mux.Answer(j.peer, lane)
	default:
		return c
	}
	j.datagrams.Store(f)
	return f
}

// followSize hands the size of a peer's window on to a program on a pseudo terminal.
// The returned function waits for the end of that, which comes with the ends'.
func followSize(from, to transport.Conn) (wait func()) {
	s, ok := from.(transport.Sizer)
	r, ok2 := transport.About[transport.Resizer](to)
	if !ok || !ok2 {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range s.SizeChanges() {
			r.Resize(s.WindowSize()) //nolint:errcheck // a program that is gone needs no size
		}
	}()
	return func() { <-done }
}

// began and ended put a joint on record.
func (n *Node) began(j *joint) {
	event, verb := "use", "uses"
	if j.out {
		event, verb = "dial", "is used for"
	}
	e := n.entry(j, event)
	n.audit.add(e)
	n.tell(api.Event{Type: "joint", Peer: j.peer.String(), Service: string(j.service), Text: e.name + " " + verb + " " + string(j.service) + " (" + e.path + ")"})
}

func (n *Node) ended(j *joint, err error) {
	e := n.entry(j, "end")
	e.time = time.Now()
	e.took = e.time.Sub(j.since)
	e.sent, e.got = j.count.BA.Load(), j.count.AB.Load()
	e.outcome = "ended"
	if err != nil {
		e.outcome = err.Error()
	}
	n.audit.add(e)
	n.tell(api.Event{Type: "joint", Peer: j.peer.String(), Service: string(j.service),
		Text: fmt.Sprintf("%s and %s: %s; %d bytes sent, %d received", e.name, j.service, e.outcome, e.sent, e.got)})
}

func (n *Node) entry(j *joint, event string) entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := entry{time: j.since, event: event, joint: fmt.Sprintf("%s-%d", n.boot, j.number), peer: j.peer.String(),
		name: n.facts.call(j.peer), service: string(j.service), path: string(j.link.Path), addr: j.link.Addr}
	if !j.out {
		e.right = j.right.String()
	}
	return e
}

// bestLink returns the best way to a peer: direct rather than relayed, then the quicker.
func (n *Node) bestLink(id peer.ID) (best peer.Link) {
	p, err := n.here()
	if err != nil {
		return best
	}
	for l := range p.Links() {
		if l.Peer == id && (best.Peer.IsZero() || better(l, best)) {
			best = l
		}
	}
	return best
}

func better(a, b peer.Link) bool {
	if a.Path != b.Path {
		return a.Path == peer.Direct
	}
	return a.RTT > 0 && (b.RTT == 0 || a.RTT < b.RTT)
}
