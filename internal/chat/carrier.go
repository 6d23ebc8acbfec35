package chat

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/peer"
)

const (
	carryEvery  = 5 * time.Minute // all boxes are compared
	carryAgain  = 15 * time.Second
	gather      = time.Second // for more that is new here, before it is carried
	maxLooked   = 16          // boxes that are compared every time
	maxRounds   = 8           // of new epochs, one behind the other, in one turn
	maxCompared = 64          // comparisons of a box in one turn
	maxFetched  = 4096        // blobs of a box in one turn
	maxGarbage  = 256         // of these that are nothing
	fetchPart   = 128
)

// A carrier goes between the room and a mailbox.
type carrier struct {
	post *post
	at   peer.ID
	stop context.CancelFunc
	done chan struct{}
	call chan struct{} // has room for one: there is something new here

	state MailboxState // the post's mu guards it
	whole time.Time    // when all boxes were compared
}

// employ has a carrier for each mailbox of the room, and for no other. It is called by tend.
func (p *post) employ() {
	s, want := p.room.now.Load(), map[peer.ID]Mailbox{}
	if s.posts() {
		for _, m := range s.Mailboxes {
			want[m.Peer] = m
		}
	}
	p.mu.Lock()
	var gone []*carrier
	for id, c := range p.carriers {
		if _, ok := want[id]; !ok {
			delete(p.carriers, id)
			gone = append(gone, c)
		}
	}
	var come []Mailbox
	for id, m := range want {
		if p.carriers[id] == nil {
			ctx, stop := context.WithCancel(p.room.ctx)
			c := &carrier{post: p, at: id, stop: stop, done: make(chan struct{}), call: make(chan struct{}, 1)}
			p.carriers[id], p.overflow, come = c, true, append(come, m)
			go c.run(ctx)
		}
	}
	p.mu.Unlock()
	for _, c := range gone {
		c.stop()
		<-c.done
	}
	if p.room.chat.Reach != nil {
		for _, m := range come {
			p.room.chat.Reach(m)
		}
	}
}

// dismiss ends all carriers, and waits for them.
func (p *post) dismiss() {
	p.mu.Lock()
	all := p.carriers
	p.carriers = map[peer.ID]*carrier{}
	p.mu.Unlock()
	for _, c := range all {
		c.stop()
		<-c.done
	}
}

func (p *post) state(at peer.ID) (s MailboxState, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.carriers[at]
	if c == nil {
		return s, false
	}
	s = c.state
	for _, w := range p.waiting {
		if w.from == at {
			s.Missing++
		}
	}
	return s, true
}

func (c *carrier) poke() {
	select {
	case c.call <- struct{}{}:
	default:
	}
}

// run carries until it is stopped: at once what is new at either side, all every few minutes.
func (c *carrier) run(ctx context.Context) {
	defer close(c.done)
	again := carryAgain
	for ctx.Err() == nil {
		linked := c.post.room.chat.Network.LinksChanged()
		s, err := c.carry(ctx)
		c.tell(err)
		begun := time.Now()
		pause := carryEvery
		if err != nil {
			pause, again = again, min(2*again, carryEvery)
		} else {
			again, linked = carryAgain, nil
		}
		timer, news := time.NewTimer(pause), make(chan struct{}, 1)
		if s != nil {
			go c.wait(s, news)
		}
		select {
		case <-c.call:
			c.sleep(ctx, gather)
		case <-news:
		case <-timer.C:
		case <-linked:
			c.sleep(ctx, time.Until(begun.Add(carryAgain)))
		case <-ctx.Done():
		}
		timer.Stop()
		if s != nil {
			s.Close()
			<-news
		}
	}
}

func (c *carrier) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// wait waits until the mailbox has something new, or the session has ended.
func (c *carrier) wait(s *mailbox.Session, news chan<- struct{}) {
	defer close(news)
	s.Wait() //nolint:errcheck // the next turn shows it
}

// tell notes how it went.
func (c *carrier) tell(err error) {
	p := c.post
	p.mu.Lock()
	was := c.state
	if c.state.Err = err; err == nil {
		c.state.Synced = time.Now()
	}
	p.mu.Unlock()
	if (was.Err == nil) != (err == nil) || was.Synced.IsZero() {
		p.room.tell(MailboxChanged, event.Key{}, event.Identity{})
	}
}

// carry gives the mailbox what it lacks, and gets what it has. It returns the session, in which the latest box is
// open, unless it has failed.
func (c *carrier) carry(ctx context.Context) (s *mailbox.Session, err error) {
	p := c.post
	if s, err = mailbox.Dial(ctx, p.room.chat.Network, c.at); err != nil {
		return nil, err
	}
	looked, fail := 2, error(nil)
	if time.Since(c.whole) >= carryEvery-time.Second {
		looked = maxLooked
	}
	done := map[*letters]bool{}
	for range maxRounds {
		if err = p.index(ctx); err == nil {
			err = p.settle(ctx)
		}
		boxes := p.latest(looked)
		for i, l := range boxes {
			// The latest one is looked at again, since others were looked at before they had learnt of it.
			if err != nil || done[l] && i < len(boxes)-1 {
				continue
			}
			done[l] = true
			var trouble error
			trouble, err = c.exchange(ctx, s, l)
			fail = errors.Join(fail, trouble)
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		if err = p.index(ctx); err != nil {
			s.Close()
			return nil, err
		}
		if latest := p.latest(1); len(latest) == 0 || done[latest[0]] {
			break
		}
	}
	if looked == maxLooked {
		c.whole = time.Now()
	}
	if fail != nil || len(done) == 0 {
		s.Close()
		return nil, fail
	}
	return s, nil
}

// exchange compares a box. Trouble is what is wrong with it, and keeps nobody from the next one.
func (c *carrier) exchange(ctx context.Context, s *mailbox.Session, l *letters) (trouble, err error) {
	p := c.post
	keep, err := s.Open(l.box)
	if err != nil {
		return nil, err
	}
	fetched, garbage := 0, 0
	for range maxCompared {
		need, lacks, err := s.Compare(&l.index)
		if err != nil {
			return nil, err
		}
		need = p.unseen(l, need, maxFetched-fetched)
		fetched += len(need)
		before := p.room.index.Len()
		for len(need) > 0 && garbage < maxGarbage {
			part := need[:min(len(need), fetchPart)]
			need = need[len(part):]
			err := s.Get(part, func(id mailbox.ID, blob []byte) {
				e, err := l.secret.OpenOuter(blob)
				p.saw(l, id)
				if k, err := l.secret.OpenOuterPrekey(blob); err == nil {
					p.room.takePrekeys(ctx, [][]byte{k.Bytes()}) //nolint:errcheck // it comes again in a later box
					return
				}
				if err != nil || e.Room != p.room.id {
					garbage++
					return
				}
				p.receive(e, c.at, l, id)
			})
			if err := p.settle(ctx); err != nil {
				return nil, err
			}
			if errors.Is(err, mailbox.ErrWithheld) {
				trouble = err
			} else if err != nil {
				return nil, err
			}
		}
		put := 0
		for len(lacks) > 0 {
			part := lacks[:min(len(lacks), fetchPart)]
			lacks = lacks[len(part):]
			blobs, keys, err := p.blobs(ctx, l, part, keep)
			if err != nil {
				return nil, err
			}
			switch err := s.Put(blobs); {
			case errors.Is(err, mailbox.ErrFull), errors.Is(err, mailbox.ErrTooOften) && !errors.Is(err, mailbox.ErrWire):
				return errors.Join(trouble, err), nil
			case err != nil:
				return nil, err
			}
			put += len(blobs)
			p.room.given(c.at, keys)
		}
		came := p.room.index.Len() > before
		if came && fetched == maxFetched {
			c.poke() // the rest is for another turn
		}
		if put < fetchPart && (!came || fetched == maxFetched) { // else there may be more
			return trouble, nil
		}
	}
	return trouble, nil
}
