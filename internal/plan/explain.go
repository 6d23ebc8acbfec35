package plan

import (
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
)

// A Setting is an option with the value that counts.
type Setting struct {
	Name, Value string // no Value: nothing special happens
	Given       bool   // said in the address; else it is the default
}

// Settings lists the options of the part, secrets masked.
func (p Part) Settings() []Setting { return settings(p.Set, nil) }

// CommonSettings lists the options of every end that this end can have.
func (p *Plan) CommonSettings() []Setting {
	return settings(&p.set, func(d *opt.Def) bool { return !d.Given() && p.misplaced(d) != "" })
}

func settings(s *opt.Set, skip func(*opt.Def) bool) []Setting {
	var out []Setting
	for d := range s.All() {
		if skip != nil && skip(d) {
			continue
		}
		v := d.Value()
		if v == "" {
			v = d.Default
		}
		out = append(out, Setting{d.Name, v, d.Given()})
	}
	return out
}

// Reach says who can connect to an end that listens, as far as the address tells.
func (p *Plan) Reach() string {
	if p.Base().Set.Style() != opt.Host {
		return "programs of this machine"
	}
	host, err := p.Addr.Target.Host()
	if err != nil {
		return ""
	}
	if bind, ok := p.Addr.Lookup("bind"); ok {
		if host, err = address.ParseLocal(bind.Value); err != nil {
			return ""
		}
	}
	switch host.Name {
	case "", "localhost", "127.0.0.1", "::1":
		return "programs of this machine (loopback)"
	case "*", "0.0.0.0", "::":
		return "everybody who can reach any address of this machine"
	}
	return "everybody who can reach " + host.Name
}
