//go:build linux

package bus

import "context"

// greet shakes hands with the hub: it says where it is in which order, this member
// says who it is, and what the hub lacks of that order, and the hub says where to go on.
func (c *Conn) greet(ctx context.Context, l *link) error {
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	body, err := expect(l.r, framePlace)
	if err != nil {
		return err
	}
	p, err := parsePlace(body)
	if err != nil {
		return err
	}
	h, history := c.introduce(p)
	if _, err := l.conn.Write(h.append(nil)); err != nil {
		return err
	}
	var buf []byte
	for i := range history {
		e := &history[i]
		buf = append(openMessage(buf[:0], frameHistory, e, 0), e.data...)
		if _, err := l.conn.Write(buf); err != nil {
			return err
		}
	}
	if body, err = expect(l.r, frameWelcome); err != nil {
		return err
	}
	w, err := parseWelcome(body)
	if err != nil {
		return err
	}
	if !stop() {
		return ctx.Err()
	}
	c.welcomed(w)
	return nil
}

// introduce returns what to say to a hub at that place.
func (c *Conn) introduce(p place) (hello, []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := &c.journal
	h := hello{secret: c.secret, epoch: j.epoch, seq: j.head, own: c.out.last, limits: c.in.limits}
	var history []entry
	if p.gathers && j.epoch != 0 && (p.epoch == j.epoch || p.epoch == 0) {
		for _, e := range j.entries {
			if e.seq > p.seq {
				history = append(history, e)
			}
		}
	}
	h.history = len(history)
	return h, history
}

// welcomed goes over to the order of the hub.
func (c *Conn) welcomed(w welcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := &c.journal
	guest := j.epoch == 0
	c.forget(w)
	if w.seq > j.head {
		j.restart(w.seq)
	}
	j.epoch, j.past = w.epoch, w.past
	c.out.acked(w.acked)
	c.in.lost += w.lost
	c.skipFirst = guest && w.last && !c.bus.Last.Or(true)
	c.writable.fire()
}

// forget takes back what the hub's order does not have: what this member has been the
// only one to receive from a hub that died, and what it published itself of that.
func (c *Conn) forget(w welcome) {
	j := &c.journal
	var gone []entry
	switch {
	case w.stranger:
		for origin, m := range j.seen {
			c.hasHad(origin, m.oseq)
		}
		gone = j.entries
		j.restart(w.seq)
		j.seen = nil
	case w.seq < j.head:
		gone = j.cutBack(w.seq)
	}
	var mine []own
	for _, e := range gone {
		c.hasHad(e.origin, e.oseq)
		if e.origin == c.origin {
			mine = append(mine, own{e.oseq, e.text, e.data})
		}
	}
	c.out.resume(w.known, mine)
}

// hasHad notes that the user is not to receive that message again.
func (c *Conn) hasHad(origin, oseq uint64) {
	if c.had == nil || len(c.had) >= 2*maxOrigins {
		c.had = map[uint64]uint64{}
	}
	c.had[origin] = max(c.had[origin], oseq)
}
