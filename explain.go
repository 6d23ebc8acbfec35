package tenon

import (
	"slices"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
)

// An Explanation is what an address stands for.
type Explanation struct {
	Address string          // canonical, without secrets
	Listens bool            // it waits for others, rather than dialing
	Parts   []ExplainedPart // outermost layer first; the last is the kind that does the work
	Common  []ExplainedOption
	Via     []string // proxies on the way, without secrets
	Reach   string   // who can connect, if it listens
}

// An ExplainedPart is one layer, or the kind beneath them.
type ExplainedPart struct {
	Kind, Doc string
	Options   []ExplainedOption
}

// An ExplainedOption is an option with the value that counts.
type ExplainedOption struct {
	Name, Value string // no Value: nothing special happens
	Given       bool   // said in the address; else it is the default
}

// Explain says what addr stands for, with all defaults, and opens nothing.
func (o *Opener) Explain(addr string) (*Explanation, error) {
	p, err := o.plan(addr)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Address: p.name(), Listens: p.listens()}
	for _, part := range p.parts {
		e.Parts = append(e.Parts, ExplainedPart{part.kind.Name, part.kind.Doc, explainOptions(part.set, nil)})
	}
	e.Common = explainOptions(&p.set, p.misplaced)
	for _, hop := range p.via {
		e.Via = append(e.Via, hop.String())
	}
	if p.listens() {
		e.Reach = p.reach()
	}
	return e, nil
}

// reach says who can connect, as far as the address tells.
func (p *plan) reach() string {
	if p.base().set.Style() != opt.Host {
		return "programs of this machine"
	}
	host, err := p.addr.Target.Host()
	if err != nil {
		return ""
	}
	if bind, ok := p.addr.Lookup("bind"); ok {
		host.Name = bind.Value
	}
	switch host.Name {
	case "", "localhost", "127.0.0.1", "::1":
		return "programs of this machine (loopback)"
	case "*", "0.0.0.0", "::":
		return "everybody who can reach any address of this machine"
	}
	return "everybody who can reach " + host.Name
}

func explainOptions(s *opt.Set, skip func(*opt.Def) bool) []ExplainedOption {
	var out []ExplainedOption
	for d := range s.All() {
		if skip != nil && skip(d) {
			continue
		}
		v := d.Value()
		if v == "" {
			v = d.Default
		}
		out = append(out, ExplainedOption{d.Name, v, d.Given()})
	}
	return out
}

// Options returns the options that an end of this address can have: those of its
// layers, of its kind and of every end. Only the kinds in addr must be right.
func (o *Opener) Options(addr string) ([]*opt.Def, error) {
	a, err := address.Parse(addr)
	if err != nil {
		return nil, usage(err)
	}
	a.Options = nil
	p := &plan{addr: a}
	p.common.Bind(&p.set)
	if err := p.expand(o.kinds()); err != nil {
		return nil, usage(err)
	}
	return slices.Collect(p.options()), nil
}
