package share

import (
	"errors"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// An EventKind says what has happened.
type EventKind byte

// The kinds of events.
const (
	Joined      EventKind = iota + 1 // a peer takes part
	Left                             // it does not any more; Err says why, unless it wanted to
	Finished                         // it has everything; once for each time it joins
	Banned                           // it has sent wrong data of File at Offset
	Unreachable                      // it cannot be asked, because of Err
	Unsent                           // it asks for what cannot be sent: File has changed, or is not there
	Stuck                            // nobody can be asked for what is missing, because of Err
	Ended                            // the share has ended for all, as Err says
	Other                            // it has another version of the share
	Content                          // it has all that it wants, which is not everything; once for each time it joins
)

func (k EventKind) String() string {
	names := [...]string{"", "joined", "left", "finished", "banned", "unreachable", "unsent", "stuck", "ended", "other", "content"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("event %d", byte(k))
}

// An Event is something that a person may want to know. Paths and errors have text in
// them that comes from others.
type Event struct {
	Kind   EventKind
	Peer   peer.ID // nobody's if it is about no peer, or several
	File   string  // the path in the share; "" if it is about none, or about the manifest
	Offset int64   // in the file, or in the manifest
	Text   string  // what has happened, without the peer's name
	Err    error
}

func (s *Share) event(e Event) {
	if s.Events != nil {
		s.Events(e)
	}
}

// A Ban is why a peer is not talked to any more.
type Ban struct {
	Peer   peer.ID
	When   time.Time
	File   string // "": it was the manifest
	Offset int64  // in the file or the manifest: where what it sent begins to be wrong
	Err    error
}

// maxBanned is how many are remembered. Each has had to show that it has the secret.
const maxBanned = 1024

// ban has nothing to do with the other side any more, which has sent wrong data. It is for
// who reads.
func (x *session) ban(why error) {
	s, b := x.share, Ban{Peer: x.peer, When: time.Now(), Err: why}
	if x.taking.about.manifest == 0 {
		b.File = x.taking.part.entry.Path
	}
	b.Offset = offset(why)
	s.mu.Lock()
	for id := range s.banned {
		if len(s.banned) < maxBanned {
			break
		}
		delete(s.banned, id)
	}
	s.banned[x.peer] = b
	s.mu.Unlock()
	s.event(Event{Banned, b.Peer, b.File, b.Offset, "has sent wrong data and is not asked any more", why})
}

// offset returns where in a file an error is.
func offset(err error) int64 {
	var place *tree.PlaceError
	if errors.As(err, &place) {
		return place.Run.From * tree.Group
	}
	return 0
}
