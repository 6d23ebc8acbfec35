package screen

import (
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A talk is a room as it is shown. It is kept while the screen shows others, with what was typed and not sent.
type talk struct {
	id      string // of the room; it never changes
	room    api.Room
	members []api.RoomMember
	window
	view  // which of its entries are seen
	input editor
	about about // what the input is about

	kept    api.RoomDraft // what the node keeps of the two, without the room
	sending int           // how many that were typed here are being said

	loaded  bool // the window has been filled
	loading bool // a page is being asked for
	stale   bool // something has happened that the window does not have

	read   string // up to which entry the user has read, as far as the node was told
	mark   string // the entry above the line "new"; before = all are new; "" = there is no line
	late   []string
	typing map[string]time.Time // who is writing, and until when that is believed
	told   time.Time            // when others were told last that the user is writing

	fetched map[string]*fetching // files that were fetched, by the IDs of their entries

	syncing, reading, describing renewal
}

// before stands for what comes before the first entry.
const before = "-"

// An about is the message that the input answers, or is to replace.
type about struct {
	id   string
	edit bool
}

// gone tells whether nothing can be said there any more.
func (t *talk) gone() bool { return t.room.State == api.RoomLeaving || t.room.State == api.RoomLeft }

// take takes over an entry that was said or has changed. It returns whether it is new. What comes where the user
// does not look is under the line "new".
func (t *talk) take(e api.RoomMessage, looked bool) bool {
	if !t.loaded {
		return false
	}
	if t.newest && !t.follows() && len(t.entries) >= maxWindow && t.find(e.ID) < 0 {
		t.newest = false // what the user looks at is not to be pushed out
		return false
	}
	if n := len(t.entries); t.mark == "" && n > 0 && t.newest && !e.Mine && !(looked && t.follows()) && t.find(e.ID) < 0 {
		t.mark = t.entries[n-1].ID
	}
	delete(t.typing, e.From)
	at, isNew := t.put(e)
	if isNew && at < len(t.entries)-1 && e.Late {
		t.late = append(t.late, e.ID)
	}
	t.bound()
	return isNew
}

// sync takes over the last page.
func (t *talk) sync(p api.RoomPage) {
	fresh := t.meet(p)
	for _, e := range fresh {
		if e.Late && t.find(e.ID) < len(t.entries)-1 {
			t.late = append(t.late, e.ID)
		}
	}
}

// lastSaid returns the last message of the user's, or of others.
func (t *talk) lastSaid(mine bool) *entry {
	for i := len(t.entries) - 1; i >= 0; i-- {
		if e := &t.entries[i]; e.Kind != kindControl && !e.Deleted && !e.Erased && e.Mine == mine {
			return e
		}
	}
	return nil
}

// kindControl is the kind of entries that say what was done to a room.
const kindControl = "control"

// title is what the room is called on the screen.
func title(r *api.Room) string {
	if r.Direct {
		return "@" + r.Name
	}
	return "#" + r.Name
}
