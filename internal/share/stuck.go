package share

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// How long nothing comes until somebody is told; then each time twice as long.
const (
	firstStuck = 10 * time.Second
	lastStuck  = 10 * time.Minute
)

var (
	errNobody  = errors.New("nobody is known who may have it")
	errParts   = errors.New("nobody who takes part has it")
	errRefused = errors.New("it does not send it: the file has changed there since it was shared, or cannot be read")
)

// A vigil watches whether anything comes.
type vigil struct {
	from time.Time // since when it has been looked for something to come
	wait time.Duration
}

// look returns the event that nobody can be asked for anything, once it is time for it.
func (s *Share) look(v *vigil, now time.Time) (e Event, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved.After(v.from) || !s.wants() {
		v.from, v.wait = now, firstStuck
	}
	if now.Sub(v.from) < v.wait {
		return Event{}, false
	}
	v.wait = min(2*v.wait, now.Sub(v.from)+lastStuck)
	lacking := s.picker.firstLacking()
	e = Event{Kind: Stuck, Text: "nobody can be asked for what is missing"}
	var why []error
	for id, err := range s.troubles {
		e.Peer = id
		why = append(why, fmt.Errorf("%s: %w", id.Short(), err))
	}
	for id, b := range s.banned {
		e.Peer = id
		why = append(why, fmt.Errorf("%s: %w", id.Short(), b.Err))
	}
	for id, x := range s.sessions {
		e.Peer = id
		err := errParts
		switch {
		case x.other:
			err = ErrChanged
		case lacking < s.picker.groups && x.m.lacks.has(lacking):
			err = errRefused
		}
		why = append(why, fmt.Errorf("%s: %w", id.Short(), err))
	}
	if len(why) != 1 {
		e.Peer = peer.ID{}
	}
	if lacking < s.picker.groups {
		for p := range s.layout.parts(tree.Run{From: lacking, To: lacking + 1}) {
			e.File, e.Offset = p.entry.Path, p.run.From*tree.Group
		}
	}
	slices.SortFunc(why, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	if e.Err = errors.Join(why[:min(len(why), 4)]...); len(why) == 0 {
		e.Err = errNobody
	}
	return e, true
}

// wants tells whether something is missing, and nobody is asked for any of it.
func (s *Share) wants() bool {
	all := s.picker.firstLacking() == s.picker.groups // that may be asked for now
	if s.ended != nil || s.closed || s.patching || all && (s.head.Final || s.Passing) {
		return false
	}
	for id, x := range s.sessions {
		if len(x.asks) > 0 || all && id == s.Sharer && !x.other { // who has more to say
			return false
		}
	}
	return true
}

// trouble remembers why a peer cannot be asked; nil forgets it.
func (s *Share) trouble(id peer.ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.troubles[id] = err; err == nil {
		delete(s.troubles, id)
	}
}
