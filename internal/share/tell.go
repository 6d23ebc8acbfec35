package share

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// errSilent: it was asked, and has sent nothing.
var errSilent = errors.New("it does not answer")

// tell says what is new, and asks for what is wanted, until the session ends.
func (x *session) tell() {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case <-x.kicked:
		case <-timer.C:
		case <-x.gone:
			return
		}
		if x.share.hasEnded() {
			x.takeLeave()
			return
		}
		parting := x.share.isParting()
		now := time.Now()
		frames, asks, wait, waiting := x.news(now)
		x.tellOther()
		if waiting && now.UnixNano()-x.heard.Load() > int64(silence) {
			transport.Abort(x.stream, errSilent)
			return
		}
		if err := x.say(append(x.own(now), frames...), asks); err != nil {
			transport.Abort(x.stream, err)
			return
		}
		if parting {
			x.takeLeave()
			return
		}
		timer.Reset(wait)
	}
}

// say sends what news has found.
func (x *session) say(frames [][]byte, asks []want) error {
	for _, f := range frames {
		if err := x.send(f); err != nil {
			return err
		}
	}
	for _, q := range asks {
		if err := x.ask(q); err != nil {
			return err
		}
	}
	return nil
}

// send writes whole frames.
func (x *session) send(frames []byte) error {
	x.writing <- struct{}{}
	defer func() { <-x.writing }()
	return x.flush(frames)
}

// news returns frames that tell the other side what it does not know, and what to ask it. It
// is to be looked for again after a while, if nothing happens earlier. Waiting tells
// whether there were questions before.
func (x *session) news(now time.Time) (frames [][]byte, asks []want, again time.Duration, waiting bool) {
	s := x.share
	s.mu.Lock()
	defer s.mu.Unlock()
	again, waiting = silence, len(x.asks) > 0
	add := func(kind byte, content []byte) {
		frames = append(frames, append(appendFrame(nil, kind, len(content)), content...))
	}
	if x.sealed == nil {
		again = min(again, x.tellNews(now, add))
	}
	x.trims = nil
	asks = x.questions(now)
	if s.lacking() > 0 {
		again = min(again, haveTime) // others may have become slow
	}
	if x.paused > 0 {
		again = min(again, x.paused)
	}
	if !waiting {
		x.heard.Store(now.UnixNano())
	}
	return frames, asks, again, waiting
}

// tellNews adds what the other side does not know, of which there may be more after a while.
func (x *session) tellNews(now time.Time, add func(kind byte, content []byte)) (again time.Duration) {
	s := x.share
	again = silence
	if h := s.head; h.Size > x.toldHead.Size || h.Final && !x.toldHead.Final {
		x.toldHead = h
		add(frameHead, h.Append(nil))
	}
	switch all := s.sharing || s.head.Final && s.picker.done.count == s.layout.groups; {
	case x.toldAll, s.Passing:
	case all:
		x.toldAll = true
		add(frameHave, []byte{haveAll})
	case now.Sub(x.toldAt) < haveTime && !x.asksAny(): // who chooses what to send must know it now
		again = haveTime
	default:
		x.toldAt = now
		for _, have := range x.pieces() {
			add(frameHave, have)
		}
	}
	if !x.toldAll && !x.toldDone && s.head.Final && s.lacking() == 0 {
		x.toldDone = true
		add(frameHave, []byte{haveEnough})
	}
	if n := s.others(x); n != x.toldOf {
		x.toldOf = n
		add(frameCrowd, binary.AppendUvarint(nil, uint64(n)))
	}
	some, wait := s.unheard(x, now)
	if len(some) > 0 {
		add(framePeers, peer.AppendContacts(nil, some...))
	}
	for _, t := range x.trims {
		add(frameTrim, binary.AppendUvarint(binary.AppendUvarint(nil, t.number), uint64(t.to)))
	}
	return min(again, wait)
}

// lacking returns how many groups are known of, wanted, and not there.
func (s *Share) lacking() int64 {
	return s.layout.groups - s.picker.done.count - s.picker.skipped.count
}

// hasEnded tells whether the share has ended for all.
func (s *Share) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil
}

// others counts who else fetches the share.
func (s *Share) others(x *session) (n int) {
	for _, o := range s.sessions {
		if o != x && !o.done {
			n++
		}
	}
	return n
}

// pieces returns what tells of pieces that have come: for 64 of them each, a number and
// which of them are there.
func (x *session) pieces() (contents [][]byte) {
	s := x.share
	c := []byte{haveSome}
	for i := range pieces(pieces(s.layout.groups)) {
		w := s.complete(i)
		if x.asksAny() {
			w |= s.awaited(i)
		}
		if w == x.told.word(i) {
			continue
		}
		x.told.put(i, w)
		c = binary.LittleEndian.AppendUint64(binary.AppendUvarint(c, uint64(i)), w)
		if len(c) > maxHave-20 {
			contents = append(contents, c)
			c = []byte{haveSome}
		}
	}
	if len(c) > 1 {
		contents = append(contents, c)
	}
	return contents
}

// awaited returns which of 64 pieces somebody was asked for in full.
func (s *Share) awaited(i int64) (w uint64) {
	for b := range int64(64) {
		if s.picker.taken.word(i*64+b) == ^uint64(0) {
			w |= 1 << b
		}
	}
	return w
}

// complete returns which of 64 pieces are there.
func (s *Share) complete(i int64) (w uint64) {
	for b := range int64(64) {
		r := tree.Run{From: (i*64 + b) * piece, To: (i*64 + b + 1) * piece}
		if r.To > s.layout.groups {
			if !s.head.Final || r.From >= s.layout.groups {
				break
			}
			r.To = s.layout.groups
		}
		if s.picker.done.word(i*64+b) == maskOf(0, r.Len()) {
			w |= 1 << b
		}
	}
	return w
}
