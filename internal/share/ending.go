package share

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// ErrEnded: the share has ended, and nobody is to have it any more.
var ErrEnded = errors.New("the share has ended")

// A Why is why a share has ended.
type Why byte

// Why shares end.
const (
	Withdrawn Why = 1 // the sharer does not want it to be had any more
	Expired   Why = 2 // its time is over, or it was fetched as often as it may be
)

// An Ending says that a share has ended: its sharer has signed it, so that everybody who
// takes part can hand it on.
type Ending struct {
	Why Why
	Sig [64]byte
}

// Append appends the Ending to b as it goes over the wire, and as it can be kept.
func (e Ending) Append(b []byte) []byte { return append(append(b, byte(e.Why)), e.Sig[:]...) }

// ParseEnding reads what Append has written. It does not look who has signed it.
func ParseEnding(p []byte) (e Ending, err error) {
	f := fields{p: p}
	e.Why = Why(f.take(1)[0])
	copy(e.Sig[:], f.take(len(e.Sig)))
	return e, f.end()
}

// signed returns what the sharer signs. The byte behind the ID is never that of a Head.
func (e Ending) signed(share ID) []byte {
	return append(share[:len(share):len(share)], 2, byte(e.Why))
}

func (e Ending) err() error {
	switch e.Why {
	case Withdrawn:
		return fmt.Errorf("%w: its sharer has withdrawn it", ErrEnded)
	case Expired:
		return fmt.Errorf("%w: its time is over", ErrEnded)
	}
	return ErrEnded
}

// Unshare ends a share for all who take part, who hand it on, and returns what proves it to
// those who come later; see [Share.Bury]. It is what the sharer calls, and nobody else.
func (s *Share) Unshare(why Why, sign func(c peer.Context, msg []byte) []byte) (Ending, error) {
	e := Ending{Why: why}
	e.Sig = [64]byte(sign(peer.ContextShare, e.signed(s.ID)))
	return e, s.Bury(e)
}

// Bury ends a share, as its sharer has signed: all who take part are told, and all who come
// as long as the Share is in a Hub. What is in the Store stays.
func (s *Share) Bury(e Ending) error {
	if !s.Sharer.Verify(peer.ContextShare, e.signed(s.ID), e.Sig[:]) {
		return fmt.Errorf("%w: the end of a share that its sharer has not signed", errWire)
	}
	s.finish(&e, s.Sharer, e.err())
	return nil
}

// Ending returns what Bury was told, or what has come from others.
func (s *Share) Ending() (e Ending, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		return *s.ending, true
	}
	return Ending{}, false
}

// finish has nothing go on that is going on. The Ending is nil if nobody can be shown that
// the share has ended.
func (s *Share) finish(e *Ending, by peer.ID, why error) {
	s.mu.Lock()
	first := s.ended == nil
	if s.ending == nil {
		s.ending = e
	}
	if first {
		s.ended = why
		s.end(why)
		s.leave()
	}
	for _, x := range s.sessions {
		x.stream.SetWriteDeadline(time.Now().Add(goodbye)) //nolint:errcheck // the write shows it
		x.kick()
	}
	s.mu.Unlock()
	if first {
		s.event(Event{Kind: Ended, Peer: by, Text: "has ended the share", Err: why})
	}
}

// Linger returns when nobody is being sent anything any more who has not all that it wants; at once if
// nobody is, or the context has ended, and after a while anyway. Who goes earlier lets others wait until they have found out who else has it.
func (s *Share) Linger(ctx context.Context, most time.Duration) {
	ctx, stop := context.WithTimeout(ctx, most)
	defer stop()
	tick := time.NewTicker(lull / 4)
	defer tick.Stop()
	for s.serves(time.Now()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lull is how long nobody was sent anything when nobody is.
const lull = time.Second

func (s *Share) serves(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		if !x.done && x.up.bytes > 0 && now.Sub(x.up.last) < lull {
			return s.ended == nil
		}
	}
	return false
}

// Part ends all sessions in order, when the others have been told what is here: who has got
// everything, and goes, does not have to be asked for it in vain. It takes at most a few
// seconds. Nothing comes after it but Close.
func (s *Share) Part() {
	s.mu.Lock()
	s.parting, s.closed = true, true
	s.leave()
	for _, x := range s.sessions {
		x.stream.SetWriteDeadline(time.Now().Add(goodbye)) //nolint:errcheck // the write shows it
		x.kick()
	}
	s.mu.Unlock()
	s.working.Wait()
}

func (s *Share) isParting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parting
}

// goodbye is how long the other side may take to end a stream when the share has ended.
const goodbye = 5 * time.Second

// takeLeave tells the other side that the share has ended, and waits until it knows.
func (x *session) takeLeave() {
	s := x.share
	s.mu.Lock()
	e, why := s.ending, cmp.Or(s.ended, errClosed)
	s.mu.Unlock()
	if e != nil {
		if err := x.write(frameEnded, e.Append); err != nil {
			transport.Abort(x.stream, err)
			return
		}
	}
	x.stream.CloseWrite() //nolint:errcheck // the wait is for that
	timer := time.NewTimer(goodbye)
	defer timer.Stop()
	select {
	case <-x.gone:
	case <-timer.C:
		transport.Abort(x.stream, why)
	}
}

// takeEnded learns that the share has ended. Who knows the share by its root alone cannot
// tell whether that is so.
func (x *session) takeEnded(p []byte) error {
	e, err := ParseEnding(p)
	if err != nil || x.share.Sharer.IsZero() {
		return err
	}
	if err := x.share.Bury(e); err != nil {
		return err
	}
	return e.err()
}

// refused notes that the sharer itself says that there is no such share, for the n-th time
// one after the other, and tells whether that is the end. To those who have been in the
// share it may say so once by mistake, as when its process has just begun.
func (s *Share) refused(n int) bool {
	s.mu.Lock()
	been := s.been || s.layout.index.Size() > 0
	s.mu.Unlock()
	switch {
	case !been:
		s.finish(nil, s.Sharer, ErrGone)
	case n > 1:
		s.finish(nil, s.Sharer, fmt.Errorf("%w: its sharer does not have it any more", ErrEnded))
	}
	return !been || n > 1
}
