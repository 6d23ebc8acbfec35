package chat

import (
	"sync"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/meet"
)

// checkedEvents is how many a generation of those has that were checked lately.
const checkedEvents = 512

// A checked knows which events were verified lately: several members tell of one at once, while it is being kept, and to
// verify a signature is the most that a copy costs. It is safe for concurrent use.
type checked struct {
	mu           sync.Mutex // guards what follows
	newer, older map[event.ID][64]byte
}

// has tells whether the very same event was verified. Another signature is another matter, though the ID does not tell.
func (c *checked) has(e *event.Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	sig, ok := c.newer[e.ID]
	if !ok {
		sig, ok = c.older[e.ID]
	}
	return ok && sig == e.Sig
}

func (c *checked) add(e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.newer == nil || len(c.newer) >= checkedEvents {
		c.newer, c.older = map[event.ID][64]byte{}, c.newer
	}
	c.newer[e.ID] = e.Sig
}

// parse reads events that somebody sends. Those that are there are not verified: they are not looked at any further.
func (r *Room) parse(rows [][]byte) ([]meet.Blob, error) {
	blobs, unsure := make([]meet.Blob, len(rows)), make([]*event.Event, 0, len(rows))
	for i, b := range rows {
		e, err := event.Read(b)
		if err != nil {
			return nil, err
		}
		if e.Room != r.id {
			return nil, errStrange
		}
		if !r.index.Has(meetKey(e.Key())) && !r.checked.has(e) {
			unsure = append(unsure, e)
		}
		blobs[i] = r.blob(e)
		blobs[i].Bytes = b
	}
	if err := event.VerifyAll(unsure); err != nil {
		return nil, err
	}
	for _, e := range unsure {
		r.checked.add(e)
	}
	return blobs, nil
}
