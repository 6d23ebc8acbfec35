package share

import (
	"bytes"
	"errors"
	"io"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// ErrChanged: what is shared is not what was shared before under the same ID. Who has part of
// the older version begins with a new Share, and a Store that has an eye to what is there.
var ErrChanged = errors.New("what is shared has changed meanwhile")

// A share that ends and begins again, because files have changed, has the same ID and another
// manifest. Groups are then counted differently, so nobody may be asked for any who has
// another version: what it would send is right, and looks wrong. Which version somebody has
// shows in its HEADs: the shorter manifest of two must be the beginning of the longer one. What
// the sharer itself says is the latest version; others may have one that is older or newer than ours.

// agrees tells whether the other side has the version that is here, as far as both know it.
// It is called with mu held.
func (x *session) agrees() bool {
	s := x.share
	have := s.layout.index.Size()
	switch {
	case x.other:
		return false
	case s.sharing:
		return true
	case x.m.all && x.head.Size < have:
		return false // it knows of less than it will have: it is being hashed again
	case x.agreed == have:
		return true
	case x.head.Size > have:
		return false // that shows when more of it comes
	case x.head.Size == 0:
		return true
	}
	if x.head.Final && x.head.Size < have || !s.begins(x.head) {
		x.differs()
		return false
	}
	x.agreed = have
	return true
}

// begins tells whether the manifest begins as a head says.
func (s *Share) begins(h Head) bool {
	if s.head.Size == h.Size {
		return s.head.Hash == h.Hash
	}
	for _, nodes := range []tree.Nodes{s.nodes, nil} {
		is, err := s.hashed(h.Size, nodes)
		if err != nil {
			continue
		}
		if sum, err := is.Sum(); err == nil && sum == h.Hash {
			return true
		}
	}
	return false
}

// hashed returns a hasher of the first bytes of the manifest. With nodes it has hashed few of them.
func (s *Share) hashed(size int64, nodes tree.Nodes) (*tree.Hasher, error) {
	h := new(tree.Hasher)
	if nodes != nil {
		h.Nodes = &overlay{below: nodes} // which is not written to
		if err := h.Resume(size / tree.Group); err != nil {
			return nil, err
		}
	}
	_, err := h.ReadFrom(io.NewSectionReader(s.layout.index, h.Size(), size-h.Size()))
	return h, err
}

// continues tells whether a group of the manifest, which has just been verified, goes on as what
// is here does. It is called with mu held.
func (x *session) continues(at int64, data []byte) (bool, error) {
	s, h := x.share, x.taking.about.head
	have := s.layout.index.Size()
	if x.other || x.agreed == have {
		return !x.other, nil
	}
	ours := make([]byte, have-at)
	s.layout.index.ReadAt(ours, at) //nolint:errcheck // it is in memory
	file := tree.File{Shape: tree.Shape(h.Size), Root: h.Hash, Nodes: x.taking.nodes}
	for _, nodes := range []tree.Nodes{s.nodes, nil} {
		before, err := s.hashed(at, nodes)
		if err != nil {
			continue
		}
		same, err := file.Begins(before)
		if err != nil {
			return false, err
		}
		if same && bytes.HasPrefix(data, ours) {
			return true, x.taking.nodes.put() // those of another version are never with ours
		}
	}
	x.differs()
	return false, nil
}

// differs notes that the other side has another version. If it must be the right one, that
// is the end of this Share. It is called with mu held.
func (x *session) differs() {
	s := x.share
	x.other = true
	right := x.peer == s.Sharer
	if s.fixed {
		right = x.head.Final && x.head.Hash == s.Root
	}
	if right && !s.sharing {
		s.end(ErrChanged)
	}
	x.kick()
}

// tellOther tells the user of the Share, once, that the other side has another version.
func (x *session) tellOther() {
	s := x.share
	s.mu.Lock()
	tell := x.other && !x.toldOther
	x.toldOther = x.other
	s.mu.Unlock()
	switch {
	case !tell:
	case x.peer == s.Sharer && s.fixed:
		s.event(Event{Kind: Other, Peer: x.peer, Text: "shares something else by now than what the ticket is for"})
	case x.peer == s.Sharer:
		s.event(Event{Kind: Other, Peer: x.peer, Text: "shares something else by now"})
	default:
		s.event(Event{Kind: Other, Peer: x.peer, Text: "has another version of what is shared"})
	}
}
