package chat

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
)

// A set is the events of a room as package meet wants them.
type set struct{ *Room }

var _ meet.Set = set{}

func (s set) Index() *rbsr.Set { return &s.index }

// Lacks says of events whose time has not come that they are there, so that what follows them comes and is
// held as well.
func (s set) Lacks(ctx context.Context, ids [][32]byte) ([][32]byte, error) {
	lacking, err := s.log.Lacks(ctx, ids...)
	if err != nil || len(lacking) == 0 {
		return lacking, err
	}
	give, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	left := lacking[:0]
	for _, id := range lacking {
		if s.held.all[id] == nil {
			left = append(left, id)
		}
	}
	return left, nil
}

func (s set) Get(ctx context.Context, ids [][32]byte) ([]meet.Blob, error) {
	rows, err := s.log.Sent(ctx, ids...)
	blobs := make([]meet.Blob, len(rows))
	for i := range rows {
		blobs[i] = meet.Blob{Key: rbsr.Key(rows[i].Key), Bytes: rows[i].Bytes}
	}
	return blobs, err
}

func (s set) Take(ctx context.Context, blobs []meet.Blob) error {
	events := make([]*event.Event, len(blobs))
	for i := range blobs {
		e, err := event.Read(blobs[i].Bytes)
		if err != nil {
			return err // parse has read it
		}
		events[i] = e
	}
	give, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	_, err = s.admit(ctx, events, false)
	return err
}

func (s set) Marks(ctx context.Context, after int64, limit int) (rows [][]byte, last int64, err error) {
	return s.log.Rows(ctx, after, limit)
}

// TakeMarks looks first whether a mark is newer than what is known: most come by several ways.
func (s set) TakeMarks(ctx context.Context, _ peer.ID, rows [][]byte) error {
	isPrekey := func(row []byte) bool { return len(row) == event.PrekeySize }
	var keys [][]byte
	for _, row := range rows {
		if isPrekey(row) {
			keys = append(keys, row)
		}
	}
	if err := s.takePrekeys(ctx, keys); err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, isPrekey)
	devices := s.now.Load().devices
	var marks []log.Mark
	for _, row := range rows {
		if !s.fresh(row) {
			continue
		}
		m, err := parseMark(s.id, row)
		if err != nil {
			return fmt.Errorf("%w: %w", meet.ErrInvalid, err)
		}
		// Nobody gets ahead by a clock, and there are as many marks as devices.
		if _, in := devices[event.Device(m.Device)]; in && s.chat.clock.See(m.Stamp) == 0 {
			marks = append(marks, m)
		}
	}
	if len(marks) == 0 {
		return nil
	}
	newer, err := s.log.PutMarksOfOthers(ctx, marks...)
	if err != nil {
		return err
	}
	s.saw(marks, len(newer) > 0)
	if len(newer) > 0 {
		s.poke()
		s.tell(MarksChanged, event.Key{}, event.Identity{})
	}
	return nil
}
