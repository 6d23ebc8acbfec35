package screen

import (
	"slices"

	"github.com/tenon-net/tenon/internal/node/api"
)

// maxWindow is how many entries of a room are kept here.
const maxWindow = 1000

// A window is a part of a history without gaps, the oldest first.
type window struct {
	entries []entry
	older   string // the Before of the page that comes before it; "" = it begins with the first entry of all
	newest  bool   // it ends with the last entry of all
}

// An entry is one of a history, with how it was drawn last.
type entry struct {
	api.RoomMessage
	drawn []line
	look  look // what drawn depends on
	open  bool // all of a long one is shown
}

func entriesOf(messages []api.RoomMessage) []entry {
	out := make([]entry, len(messages))
	for i := range messages {
		out[i].RoomMessage = messages[i]
	}
	return out
}

// find returns the place of an entry, or -1.
func (w *window) find(id string) int {
	for i := len(w.entries) - 1; i >= 0; i-- { // most are asked for at the end
		if w.entries[i].ID == id {
			return i
		}
	}
	return -1
}

func (w *window) at(id string) *entry {
	if i := w.find(id); i >= 0 {
		return &w.entries[i]
	}
	return nil
}

// put takes over an entry, and returns where it is, -1 if it is outside, and whether it was not there before.
func (w *window) put(e api.RoomMessage) (at int, isNew bool) {
	if at = w.find(e.ID); at >= 0 {
		w.entries[at].become(e)
		return at, false
	}
	at = len(w.entries)
	for at > 0 && w.entries[at-1].Time.After(e.Time) {
		at--
	}
	if at == 0 && w.older != "" || at == len(w.entries) && !w.newest {
		return -1, false
	}
	w.entries = slices.Insert(w.entries, at, entry{RoomMessage: e})
	return at, true
}

// become takes over what has become of a message.
func (e *entry) become(m api.RoomMessage) { e.RoomMessage, e.drawn = m, nil }

// change takes over entries that are there.
func (w *window) change(messages []api.RoomMessage) {
	for _, e := range messages {
		if old := w.at(e.ID); old != nil {
			old.become(e)
		}
	}
}

// prepend takes a page that ends before the window, and lets go of the newest entries if there are too many.
func (w *window) prepend(p api.RoomPage) {
	w.entries = append(entriesOf(p.Messages), w.entries...)
	w.older = p.Older
	if len(w.entries) > maxWindow {
		w.entries, w.newest = slices.Clone(w.entries[:maxWindow]), false
	}
}

// append takes a page that begins behind the window. An empty one says that the window ends with the last entry.
func (w *window) append(messages []api.RoomMessage) {
	w.newest = len(messages) == 0
	for _, e := range messages {
		if w.find(e.ID) < 0 {
			w.entries = append(w.entries, entry{RoomMessage: e})
		}
	}
	w.bound()
}

// bound lets go of the oldest entries if there are too many.
func (w *window) bound() {
	if n := len(w.entries) - maxWindow; n > 0 {
		w.entries = slices.Clone(w.entries[n:])
		w.older = w.entries[0].ID
	}
}

// meet takes over the last page of the history. What is between that and the window, if it is not known, it does
// not pretend to know: the window is that page then. It returns the entries that are new.
func (w *window) meet(p api.RoomPage) (fresh []api.RoomMessage) {
	for _, e := range p.Messages {
		if w.find(e.ID) < 0 {
			fresh = append(fresh, e)
		}
	}
	w.change(p.Messages)
	if !w.newest {
		return nil
	}
	for _, e := range p.Messages {
		if at := w.find(e.ID); at >= 0 {
			if p.Older == "" { // all there is
				at = 0
			}
			if w.entries = append(w.entries[:at:at], entriesOf(p.Messages)...); at == 0 {
				w.older = p.Older
			}
			w.bound()
			return fresh
		}
	}
	w.entries, w.older = entriesOf(p.Messages), p.Older
	return fresh
}
