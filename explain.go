package tenon

import (
	"github.com/tenon-net/tenon/internal/plan"
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
	o.serve()
	p, err := plan.Parse(addr, o.kinds)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Address: p.Name(), Listens: p.Listens(), Common: explained(p.CommonSettings())}
	for _, part := range p.Parts {
		e.Parts = append(e.Parts, ExplainedPart{part.Kind.Name, part.Kind.Doc, explained(part.Settings())})
	}
	for _, hop := range p.Common.Via {
		e.Via = append(e.Via, hop.String())
	}
	if p.Listens() {
		e.Reach = p.Reach()
	}
	return e, nil
}

func explained(settings []plan.Setting) []ExplainedOption {
	var out []ExplainedOption
	for _, s := range settings {
		out = append(out, ExplainedOption(s))
	}
	return out
}

// Options returns the options that an end of this address can have: those of its
// layers, of its kind and of every end. Only the kinds in addr must be right.
func (o *Opener) Options(addr string) ([]*opt.Def, error) {
	o.serve()
	return plan.OptionsOf(addr, o.kinds)
}
