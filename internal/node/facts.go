package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// find returns the peer of a name or an ID that this user has typed.
func (f *facts) find(text string) (peer.ID, error) {
	if id, err := peer.ParseID(text); err == nil {
		return f.heir(id), nil
	} else if strings.HasPrefix(strings.ToLower(text), "tenonid1") {
		return peer.ID{}, transport.Usage(err)
	}
	name, err := peer.ParseName(text)
	if err != nil {
		return peer.ID{}, transport.Usage(err)
	}
	var near []string
	for _, p := range f.people {
		switch {
		case p.name != "" && p.name.Key() == name.Key():
			return p.id, nil
		case p.name != "" && p.name.Resembles(name):
			near = append(near, string(p.name))
		}
	}
	hint := "tenon peers lists those that are known"
	if len(near) > 0 {
		slices.Sort(near)
		hint = "is it " + strings.Join(near, ", or ") + "?"
	}
	return peer.ID{}, transport.WithHint(transport.Mark(fmt.Errorf("no peer is called %q", text), api.ErrNotFound), hint)
}

// heir returns the key that a peer has now who has had, or has, this one.
func (f *facts) heir(id peer.ID) peer.ID {
	if now, ok := f.heirs[id]; ok {
		return now
	}
	return id
}

// call returns what this user calls a peer.
func (f *facts) call(id peer.ID) string {
	if p := f.people[id]; p != nil && p.name != "" {
		return string(p.name)
	}
	return id.Short()
}

// callSubject returns what this user calls those to whom something is granted.
func (f *facts) callSubject(s peer.Subject) string {
	for id := range f.people {
		if s == peer.Only(id) {
			return f.call(id)
		}
	}
	if id, err := peer.ParseID(s.String()); err == nil {
		return id.Short()
	}
	return s.String()
}

// freeName returns a name for a peer that nobody else has: the one that is wanted, or that
// with a number.
func (f *facts) freeName(id peer.ID, wanted peer.Name) peer.Name {
	if wanted == "" {
		wanted = "peer"
	}
	for n := 1; ; n++ {
		name := wanted
		if n > 1 {
			cut := []rune(string(wanted))
			suffix := fmt.Sprintf("-%d", n)
			name = peer.Name(strings.TrimRight(string(cut[:min(len(cut), peer.MaxName-len(suffix))]), "-._") + suffix)
		}
		if f.rival(id, name) == nil {
			return name
		}
	}
}

// rival returns another peer whose name is this one, or looks like it.
func (f *facts) rival(id peer.ID, name peer.Name) *person {
	for _, p := range f.people {
		if p.id != id && p.name != "" && p.name.Resembles(name) {
			return p
		}
	}
	return nil
}
