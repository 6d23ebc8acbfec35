package irc

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// Limits of what is remembered of clients.
const (
	maxNamed      = 32 // clients; the one that was away longest is forgotten
	maxClientName = 32 // bytes
	maxRooms      = 2000
	saveEvery     = 5 * time.Second
)

// A Seen is which client has got what, of those that have a name: "laptop" is that of one that logs in as alice@laptop. Its zero
// value remembers until it is gone; [OpenSeen] returns one that is kept in a file. Its methods may be called at the same time.
type Seen struct {
	path string

	mu      sync.Mutex // guards what follows
	clients map[string]*oneSeen
	changed bool
	saved   time.Time
}

// A oneSeen is what one client has got.
type oneSeen struct {
	When   time.Time           `json:"when"` // it was here last
	Last   map[string]received `json:"last"` // by ID of the room
	Parted []string            `json:"parted,omitempty"`
}

// OpenSeen reads what is in a file, which may not be there yet.
func OpenSeen(path string) (*Seen, error) {
	x := &Seen{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &x.clients)
	}
	maps.DeleteFunc(x.clients, func(_ string, c *oneSeen) bool { return c == nil })
	return x, err
}

// of returns what a client has got, and makes room for one that is new. It is called with mu held.
func (x *Seen) of(client string) *oneSeen {
	c := x.clients[client]
	if c == nil {
		if x.clients == nil {
			x.clients = map[string]*oneSeen{}
		}
		for len(x.clients) >= maxNamed {
			delete(x.clients, slices.MinFunc(slices.Collect(maps.Keys(x.clients)), func(a, b string) int {
				return cmp.Or(x.clients[a].When.Compare(x.clients[b].When), cmp.Compare(a, b))
			}))
		}
		c = new(oneSeen)
		x.clients[client] = c
	}
	if c.Last == nil {
		c.Last = map[string]received{}
	}
	c.When, x.changed = time.Now(), true
	return c
}

// last returns the last message of a room that a client has got, zero if it has got none, and whether the client is known at all.
func (x *Seen) last(client, room string) (received, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.clients[client]
	if c == nil || client == "" {
		return received{}, false
	}
	return c.Last[room], true
}

// got notes what a client has got.
func (x *Seen) got(client string, last map[string]received) error {
	if client == "" {
		return nil
	}
	x.mu.Lock()
	c := x.of(client)
	for room, r := range last {
		if len(c.Last) < maxRooms || c.Last[room] != (received{}) {
			c.Last[room] = r
		}
	}
	due := time.Since(x.saved) > saveEvery
	x.mu.Unlock()
	if !due {
		return nil
	}
	return x.save()
}

// parted returns the rooms that a client does not want to see.
func (x *Seen) parted(client string) map[string]bool {
	out := map[string]bool{}
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.clients[client]; c != nil && client != "" {
		for _, room := range c.Parted {
			out[room] = true
		}
	}
	return out
}

func (x *Seen) setParted(client, room string, parted bool) {
	if client == "" {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.of(client)
	c.Parted = slices.DeleteFunc(c.Parted, func(r string) bool { return r == room })
	if parted && len(c.Parted) < maxRooms {
		c.Parted = append(c.Parted, room)
	}
}

// save writes the file, if something is different.
func (x *Seen) save() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.changed || x.path == "" {
		return nil
	}
	b, err := json.Marshal(x.clients)
	if err == nil {
		err = writeFile(x.path, b)
	}
	x.saved = time.Now()
	x.changed = x.changed && err != nil
	return err
}

// has notes what was sent to the client. It is called with the lock of the world held.
func (s *session) has(c *channel, m *api.RoomMessage) {
	if s.client == "" {
		return
	}
	g := s.got[c.id]
	if !m.Time.Before(g.Time) {
		g.ID, g.Time = m.ID, m.Time
	} else if m.Late && len(g.Late)+1+len(m.ID) <= maxLate {
		g.Late += " " + m.ID
	}
	s.got[c.id] = g
}
