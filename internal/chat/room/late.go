package room

import (
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// LateAfter is how long after its time an event may come without being late.
const LateAfter = 5 * time.Minute

// Late tells whether an event that has arrived at a time has to be marked, so that nothing
// is slipped in among what somebody has read: it came long after its time, or its place
// is before line, up to which the reader has read.
func Late(k event.Key, arrived time.Time, line event.Key) bool {
	return arrived.Sub(event.Time(k.Time)) > LateAfter || k.Less(line)
}
