package mailbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

const answerTime = 2 * time.Minute

// ErrWithheld: the mailbox says that it has blobs, and does not give them.
var ErrWithheld = errors.New("the mailbox does not give what it says that it has")

// A Session is a stream to a mailbox. Its methods are for one goroutine, but Close.
type Session struct {
	*wire
	stream   transport.Stream
	self, at peer.ID
	release  func() bool
}

// Dial opens a stream to a mailbox. The context bounds the Session.
func Dial(ctx context.Context, network peer.Network, at peer.ID) (*Session, error) {
	st, err := network.Open(ctx, at, Proto)
	if err != nil {
		return nil, err
	}
	s := &Session{wire: newWire(st), stream: st, self: network.Self(), at: at}
	s.release = context.AfterFunc(ctx, func() { transport.Abort(st, context.Cause(ctx)) })
	return s, nil
}

// Close ends the Session at once, from any goroutine: what was asked has been answered, or nobody waits for it any
// more.
func (s *Session) Close() {
	s.release()
	transport.Abort(s.stream, context.Canceled)
}

// ask sends a frame and reads the answer, which is to be of a kind.
func (s *Session) ask(kind byte, content []byte, answer byte) ([]byte, error) {
	s.stream.SetDeadline(time.Now().Add(answerTime)) //nolint:errcheck // the read below shows it
	if err := s.send(kind, content...); err != nil {
		return nil, err
	}
	_, p, err := s.answer(answer)
	return p, err
}

// send sends a frame. If the mailbox takes none any more, it may have said why.
func (s *Session) send(kind byte, content ...byte) error {
	err := s.write(kind, content...)
	if err == nil {
		return nil
	}
	if _, _, why := s.answer(); refusal(why) {
		return why
	}
	return err
}

// refusal tells whether a mailbox has said why it does not go on.
func refusal(err error) bool {
	for _, e := range reasons {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (s *Session) answer(kinds ...byte) (kind byte, p []byte, err error) {
	kind, p, err = s.read()
	if err != nil {
		return kind, nil, err
	}
	for _, k := range kinds {
		if kind == k {
			return kind, p, nil
		}
	}
	if kind == frameRefused && len(p) == 1 && reasons[p[0]] != nil {
		return kind, nil, reasons[p[0]]
	}
	return kind, nil, fmt.Errorf("%w: a frame of kind %d", ErrWire, kind)
}

// Open has all that follows be about the box of a key, and returns for how long the mailbox keeps what is put
// there.
func (s *Session) Open(box *peer.Key) (keep time.Duration, err error) {
	b := append([]byte{version}, box.ID().Bytes()...)
	p, err := s.ask(frameOpen, append(b, proof(box, s.self, s.at)...), frameOpened)
	if err != nil {
		return 0, err
	}
	if len(p) != 4 {
		return 0, ErrWire
	}
	return min(time.Duration(binary.BigEndian.Uint32(p)), maxHours) * time.Hour, nil
}

// maxHours is what a mailbox is believed to keep at most.
const maxHours = 100 * 365 * 24

// Compare returns the IDs of what is in the box and not in the set, and some that are in the set and not in the
// box: at most 512.
func (s *Session) Compare(set *rbsr.Set) (need, lacks []ID, err error) {
	for from := (rbsr.Key{}); ; {
		x, message := rbsr.Begin(set, from)
		for message != nil {
			p, err := s.ask(frameSync, message, frameSync)
			if err != nil {
				return nil, nil, err
			}
			if len(p) == 0 {
				break
			}
			if message, err = x.Take(p); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", ErrWire, err)
			}
		}
		for _, k := range x.Need() {
			if k.Time != 0 {
				return nil, nil, ErrWire
			}
			need = append(need, k.ID)
		}
		p, err := s.ask(frameLacks, nil, frameLacks)
		if err != nil {
			return nil, nil, err
		}
		more, err := parseIDs(p)
		if err != nil {
			return nil, nil, err
		}
		lacks = append(lacks, more...)
		end, over := x.Over()
		switch {
		case !over || !from.Less(end):
			return nil, nil, fmt.Errorf("%w: an exchange that has not ended", ErrWire)
		case end == rbsr.End || len(lacks) >= maxIDs || len(need) >= maxNeed:
			return need, lacks[:min(len(lacks), maxIDs)], nil
		}
		from = end
	}
}

// maxNeed is from how many IDs on a comparison is left off: the rest is found by the next one.
const maxNeed = 16 << 10

// Get calls f with each of the blobs, in any order; it owns them. A mailbox that sends what was not asked for, or
// not all, is an error, the latter [ErrWithheld], after all others have come.
func (s *Session) Get(ids []ID, f func(id ID, blob []byte)) error {
	missing := 0
	for len(ids) > 0 {
		part := ids[:min(len(ids), maxIDs)]
		ids = ids[len(part):]
		left := map[ID]bool{}
		for _, id := range part {
			left[id] = true
		}
		s.stream.SetDeadline(time.Now().Add(answerTime)) //nolint:errcheck // the read below shows it
		if err := s.send(frameWant, appendIDs(nil, part)...); err != nil {
			return err
		}
		for {
			kind, p, err := s.answer(frameBlobs, frameEnd)
			if err != nil {
				return err
			}
			if kind == frameEnd {
				break
			}
			blobs, err := parseBlobs(p)
			if err != nil {
				return err
			}
			for _, b := range blobs {
				id := IDOf(b)
				if !left[id] {
					return fmt.Errorf("%w: a blob that was not asked for", ErrWire)
				}
				delete(left, id)
				f(id, b)
			}
			s.stream.SetDeadline(time.Now().Add(answerTime)) //nolint:errcheck // the read shows it
		}
		missing += len(left)
	}
	if missing > 0 {
		return fmt.Errorf("%w: %d", ErrWithheld, missing)
	}
	return nil
}

// Put has blobs kept. The error is of the first that is not; the others are.
func (s *Session) Put(blobs [][]byte) error {
	var refused error
	s.stream.SetDeadline(time.Now().Add(answerTime)) //nolint:errcheck // the read below shows it
	err := s.blobs(blobs, func(n int) error {
		_, p, err := s.answer(frameTaken)
		if err != nil {
			return err
		}
		if len(p) != n {
			return ErrWire
		}
		for _, o := range p {
			if err := outcome(o).err(); err != nil && refused == nil {
				refused = err
			}
		}
		return s.stream.SetDeadline(time.Now().Add(answerTime))
	})
	return errors.Join(err, refused)
}

// Wait waits until something is new in the box since the last comparison, or for some minutes, and tells which.
func (s *Session) Wait() (news bool, err error) {
	s.stream.SetDeadline(time.Now().Add(waitTime + answerTime)) //nolint:errcheck // the read below shows it
	if err := s.send(frameWait); err != nil {
		return false, err
	}
	_, p, err := s.answer(frameNews)
	if err != nil {
		return false, err
	}
	if len(p) != 1 {
		return false, ErrWire
	}
	return p[0] == 1, nil
}
