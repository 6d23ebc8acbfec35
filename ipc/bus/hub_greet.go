//go:build linux

package bus

import (
	"bufio"
	"slices"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// greet shakes hands with whoever has connected, and makes a member of it.
func (h *hub) greet(conn transport.Stream, r *bufio.Reader) (*peer, welcome, error) {
	late := time.AfterFunc(greetPatience, func() { conn.Close() })
	defer late.Stop()
	where := h.where()
	if _, err := conn.Write(where.append(nil)); err != nil {
		return nil, welcome{}, err
	}
	body, err := expect(r, frameHello)
	if err != nil {
		return nil, welcome{}, err
	}
	who, err := parseHello(body)
	if err != nil {
		return nil, welcome{}, err
	}
	for range who.history {
		if body, err = expect(r, frameHistory); err != nil {
			return nil, welcome{}, err
		}
		e, _, err := parseMessage(body)
		if err != nil {
			return nil, welcome{}, err
		}
		h.adopt(who.epoch, e)
	}
	h.mu.Lock()
	h.came.fire()
	h.mu.Unlock()
	select {
	case <-h.opened:
	case <-h.quit:
		return nil, welcome{}, errLeaving
	}
	return h.admit(conn, who)
}

func (h *hub) where() place {
	h.mu.Lock()
	defer h.mu.Unlock()
	return place{h.gathering, h.journal.epoch, h.journal.head}
}

// maxSeq is a place that no bus gets to.
const maxSeq = 1 << 62

// adopt takes over, while the hub gathers, what a member has received of the order,
// and the hub has not. A hub that knows no order takes the first that it hears of.
func (h *hub) adopt(epoch uint64, e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j := &h.journal
	if !h.gathering || epoch == 0 || e.seq == 0 || e.seq > maxSeq || e.oseq <= j.known(e.origin) {
		return
	}
	if j.epoch == 0 {
		j.epoch = epoch
		j.restart(e.seq - 1)
	}
	if j.epoch == epoch && e.seq == j.head+1 {
		j.add(e)
	}
}

// admit makes a member of who has said hello.
func (h *hub) admit(conn transport.Stream, who hello) (*peer, welcome, error) {
	p := &peer{hub: h, conn: conn, origin: who.secret.origin(), limits: who.limits, awake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.leaving:
		return nil, welcome{}, errLeaving
	case slices.Contains(h.removed, p.origin):
		return nil, welcome{}, refuseSlow
	case len(h.peers) >= maxMembers:
		return nil, welcome{}, refuseFull
	case slices.ContainsFunc(h.peers, func(q *peer) bool { return q.origin == p.origin }):
		return nil, welcome{}, refuseBusy
	}
	w := h.receive(p, who)
	h.peers = append(h.peers, p)
	if p.rule == waitRule {
		h.waits++
	}
	return p, w, nil
}

// receive decides where in the order p goes on.
func (h *hub) receive(p *peer, who hello) welcome {
	j := &h.journal
	if m := j.seen[p.origin]; m.oseq > who.own {
		j.seen[p.origin] = mark{who.own, m.seq} // somebody has lied about it
	}
	w := welcome{epoch: j.epoch, past: slices.Clone(j.past), known: j.known(p.origin)}
	at, ok := j.locate(who.epoch, who.seq)
	oldest := j.first() - 1
	switch {
	case ok && at < oldest:
		w.lost = oldest - at
		at = oldest
	case !ok:
		w.stranger = true
		at = j.head
		if len(j.entries) > 0 && j.at(at).origin != p.origin {
			at--
			w.last = true
		}
	}
	w.seq, w.acked = at, w.known
	for seq := at + 1; seq <= j.head; seq++ {
		if e := j.at(seq); e.origin == p.origin {
			w.acked = e.oseq - 1
			break
		}
	}
	p.next, p.handed, p.since = at+1, at+1, j.head+1
	return w
}
