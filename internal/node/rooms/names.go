package rooms

import (
	"slices"
	"strings"
	"sync"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/peer"
)

// personID returns the text of a person's ID: a key like a peer's.
func personID(who event.Identity) string {
	id, err := peer.NewID(who[:])
	if err != nil {
		return ""
	}
	return id.String()
}

func short(who event.Identity) string {
	id, err := peer.NewID(who[:])
	if err != nil {
		return "nobody"
	}
	return id.Short()
}

// names are what people are called in a room, each differently: as this user calls a device of theirs, or as they
// suggest, if that is a name and nobody's, or by a short ID. A suggestion that could be taken for somebody
// else has the beginning of the ID behind it: alice~k3f9.
type names struct {
	r         *Rooms
	as        namesAs
	suggested map[event.Identity]string

	mu    sync.Mutex // guards what follows
	of    map[event.Identity]string
	taken map[string]bool // what names look like
}

// namesAs is what names depend on: they are kept until that is different.
type namesAs struct {
	members *chat.Member // the first one: what a room says of its members is made anew when it changes
	access  *peer.Access // and so is this, when the user calls a peer something else
	learned int
}

// names returns those of a room's members; nil is no room.
func (r *Rooms) names(i *chat.Info) *names {
	if i == nil || len(i.Members) == 0 {
		return r.makeNames(i, namesAs{})
	}
	r.mu.Lock()
	as, n := namesAs{&i.Members[0], r.Host.Access(), r.learned}, r.namings[i.ID]
	r.mu.Unlock()
	if n == nil || n.as != as {
		n = r.makeNames(i, as)
		r.mu.Lock()
		r.namings[i.ID] = n
		r.mu.Unlock()
	}
	return n
}

func (r *Rooms) makeNames(i *chat.Info, as namesAs) *names {
	n := &names{r: r, as: as, of: map[event.Identity]string{}, taken: map[string]bool{}}
	n.take(r.me(), r.Host.Self())
	var rest []event.Identity
	if i != nil {
		n.suggested = i.Called
		for _, m := range i.Members {
			if m.Identity == r.me() {
				continue
			}
			if name, _, _ := r.called(m.Identity); name != "" && !n.looksTaken(name) {
				n.take(m.Identity, name)
			} else {
				rest = append(rest, m.Identity)
			}
		}
	}
	for _, who := range rest {
		n.find(who)
	}
	return n
}

// call returns what to call somebody.
func (n *names) call(who event.Identity) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.find(who)
}

func (n *names) find(who event.Identity) string {
	if name, ok := n.of[who]; ok {
		return name
	}
	name, said, several := n.r.called(who)
	pet := name != ""
	if !pet {
		if said = append(said, n.suggested[who]); several {
			slices.Reverse(said) // what the room knows is of the device that came first
		}
		if name = suggested(said...); name == "" {
			name = suggested(n.r.elsewhere(who)...)
		}
	}
	switch {
	case name == "":
		name = short(who)
	case n.looksTaken(name) || !pet && n.r.Host.Resembles(name):
		name += "~" + short(who)[:4]
	}
	n.take(who, name)
	return name
}

// elsewhere returns what somebody suggests in the rooms that the user shares with him, in the order of their IDs: in a conversation that
// he has not entered yet he suggests nothing.
func (r *Rooms) elsewhere(who event.Identity) (all []string) {
	c, err := r.now()
	if err != nil {
		return nil
	}
	for _, room := range c.Rooms() {
		if text := room.Info().Called[who]; text != "" {
			all = append(all, text)
		}
	}
	return all
}

// suggested returns the first of which something is left that can be a name.
func suggested(all ...string) string {
	for _, text := range all {
		if name, ok := peer.Suggested(text); ok {
			return string(name)
		}
	}
	return ""
}

func (n *names) take(who event.Identity, name string) {
	n.of[who] = neutral.Line(name)
	for _, look := range peer.Name(name).Looks() {
		n.taken[look] = true
	}
}

// looksTaken tells whether a name could be taken for that of somebody else.
func (n *names) looksTaken(name string) bool {
	looks := peer.Name(name).Looks()
	return n.taken[looks[0]] || n.taken[looks[1]]
}

// called returns what this user calls somebody, by one of his devices, what these say of themselves, and whether there are
// several.
func (r *Rooms) called(who event.Identity) (name string, said []string, several bool) {
	r.mu.Lock()
	devices := slices.Clone(r.devices[who])
	r.mu.Unlock()
	for _, id := range devices {
		called, says := r.Host.Called(r.heir(id))
		if called != "" && (name == "" || called < name) {
			name = called
		}
		if says != "" {
			said = append(said, says)
		}
	}
	slices.Sort(said)
	return name, said, len(devices) > 1
}

// roomName returns what to call a room: a conversation of two like the other one.
func (r *Rooms) roomName(i *chat.Info) string {
	if i.Name != "" {
		return neutral.Line(i.Name)
	}
	if who := r.other(i); who != (event.Identity{}) {
		return r.names(i).call(who)
	}
	return i.ID.String()[:8]
}

// other returns with whom one talks in a room that has no name; zero: with nobody in particular.
func (r *Rooms) other(i *chat.Info) event.Identity {
	if s := r.setting(i.ID); s.other != (event.Identity{}) {
		return s.other
	}
	if i.Direct {
		for _, m := range i.Members {
			if m.Identity != r.me() {
				return m.Identity
			}
		}
	}
	if i.Inviter != r.me() {
		return i.Inviter
	}
	return event.Identity{}
}

// same tells whether two texts are the same to who types them.
func same(a, b string) bool { return strings.EqualFold(a, b) }
