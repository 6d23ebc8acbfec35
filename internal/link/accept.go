package link

import (
	"errors"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// accept is the handler of [Proto]: it opens a session, or goes on with one. It returns
// when the stream is of no use any more.
func (n *Network) accept(below transport.Stream) {
	if !n.enter() {
		abort(below, errClosing)
		return
	}
	defer n.working.Done()
	if carry := n.greet(below); carry != nil {
		carry()
	}
}

// greet does the handshake. What it returns, if there is something to carry, goes on until
// the stream is of no use any more: by then there is little on the stack of the goroutine,
// which waits for most of its life.
func (n *Network) greet(below transport.Stream) (carry func()) {
	from, ok := peer.Of(below)
	if !ok || n.life.Err() != nil {
		abort(below, errClosing)
		return nil
	}
	a := &accepted{below: below, from: from}
	if !n.beginHandshake(a) {
		abort(below, ErrBusy)
		return nil
	}
	done := sync.OnceFunc(func() { n.endHandshake(a) })
	below.SetDeadline(time.Now().Add(handshakeTime)) //nolint:errcheck // the read below shows it
	h, content, err := readFrame(below, frameOpen, frameResume)
	switch {
	case err != nil:
		abort(below, err)
	case h.kind == frameOpen && h.number <= 1:
		o := parseOpening(content)
		o.early = h.number == 1
		carry = n.acceptOpen(a, o, done)
	case h.kind == frameResume:
		carry = n.acceptResume(below, from, h, content, done)
	default:
		refuse(below, refusedProtocol)
	}
	if carry == nil {
		done()
	}
	return carry
}

// refuse says why and ends the stream.
func refuse(below transport.Stream, r reason) {
	below.Write(head{frameRefused, 0, uint64(r)}.append(nil)) //nolint:errcheck // the other side notices
	transport.LingeringClose(below)                           //nolint:errcheck // it has been told
}

// minEarly is what a session survives at least whose opener did not wait.
const minEarly = time.Second

// acceptOpen makes a session, and returns what runs its handler.
func (n *Network) acceptOpen(a *accepted, o opening, done func()) (carry func()) {
	below, from := a.below, a.from
	n.mu.Lock()
	h := n.handlers[o.proto]
	n.mu.Unlock()
	if h == nil {
		refuse(below, refusedNoProtocol)
		return nil
	}
	s := n.newStream(from, o.proto, newCarrier(below, n.pathOf(below, from)), false)
	c := s.cur
	s.id.random, s.key = o.random, o.key
	if s.survive = min(o.survive, n.options.MaxSurvive); n.options.Survive < 0 {
		s.survive = 0
	}
	if o.early {
		s.survive = max(s.survive, minEarly) // there is no way back to a plain stream
	}
	if s.survive > 0 {
		if r := n.register(s); r != 0 {
			refuse(below, r)
			return nil
		}
	}
	opened := openedFrame(s.survive, uint32(s.window))
	var err error
	if !o.early {
		_, err = below.Write(opened)
	}
	if err := errors.Join(err, below.SetDeadline(time.Time{})); err != nil {
		abort(below, err)
		s.finish(err, false)
		return nil
	}
	if s.survive == 0 {
		n.plain(a)
		return func() {
			h(below)
			done()
		}
	}
	done()
	if o.early {
		s.answerEarly(opened, int64(o.window))
	} else {
		s.start(s.survive, int64(o.window), 0)
	}
	return func() {
		h(s)
		s.Close() //nolint:errcheck // the handler would have closed it, to know
		<-c.gone
	}
}

// acceptResume gives a session another stream, and returns what waits for the end of that.
func (n *Network) acceptResume(below transport.Stream, from peer.ID, h head, content []byte, done func()) (carry func()) {
	id := sessionID{peer: from, random: [idSize]byte(content)}
	s, why := n.find(id)
	if s == nil {
		refuse(below, why)
		return nil
	}
	r := resuming{id: id, key: &s.key, from: from, to: n.Self(), epoch: h.number}
	at, ok := r.open(h, content)
	if !ok {
		refuse(below, refusedUnknown)
		return nil
	}
	if err := below.SetDeadline(time.Time{}); err != nil {
		abort(below, err)
		return nil
	}
	c := newCarrier(below, n.pathOf(below, from))
	if why := s.adopt(c, attempt{r.epoch, !s.opener}, at, &r); why != 0 {
		refuse(below, why)
		return nil
	}
	done()
	return func() { <-c.gone }
}
