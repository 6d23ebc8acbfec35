// Package plan turns the text of an address into a checked [Plan]: kinds are looked
// up, options filled into the structs that have them, and all that can be found
// wrong before anything is opened is found. It opens nothing; see package serve.
//
// Text goes down through it once:
//
//	"ws+tls+tcp:h:443,sni=x"
//	   |  address.Parse       words, target, options, positions      (package address)
//	   |  expand              words become kinds, a stack its parts
//	   |  fillOptions         each option goes to the outermost part that knows it
//	   |  fillTarget          the kind says how its target is read
//	   |  validate            every part looks at its own options
//	   v
//	  Plan
//
// An error shows the text with everything masked that may be a secret (mask.go).
package plan

import (
	"errors"
	"iter"
	"net"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// A Plan is an address with everything in it looked up, filled and checked: what
// will be opened, from the outermost layer to the kind that does the work. It does
// not change once it is made.
type Plan struct {
	Addr   address.Address // without options and target for an end of two halves
	Parts  []Part          // layers, outermost first; the last is the kind itself
	Common Options         // what every end understands

	// In and Out are the halves of an end that reads from one address and
	// writes to another, "IN!!OUT"; else nil.
	In, Out *Plan

	set  opt.Set // of Common
	port string  // where the target has none
}

// A Part is one layer, or the kind beneath them.
type Part struct {
	Kind transport.Kind
	End  transport.Endpoint // nil for an end of two halves
	Set  *opt.Set           // of End
}

// Parse works out what text stands for. The errors match [transport.ErrUsage] and
// hold no secrets.
func Parse(text string, kinds transport.Kinds) (*Plan, error) {
	if in, out, ok := splitDuplex(text, kinds); ok {
		return parseDuplex(in, out, kinds)
	}
	p, err := newPlan(text, kinds)
	if err == nil {
		err = p.fill()
	}
	if err != nil {
		return nil, transport.Usage(p.mask(err))
	}
	return p, nil
}

// OptionsOf returns the options that an end of this address can have: those of its
// layers, of its kind and of every end. Only the kinds in text must be right.
func OptionsOf(text string, kinds transport.Kinds) ([]*opt.Def, error) {
	p, err := newPlan(text, kinds)
	if err != nil {
		return nil, transport.Usage(p.mask(err))
	}
	return slices.Collect(p.options()), nil
}

// newPlan parses text and looks its kinds up. The Plan is never nil.
func newPlan(text string, kinds transport.Kinds) (*Plan, error) {
	p := new(Plan)
	p.Common.Bind(&p.set)
	var err error
	if p.Addr, err = address.Parse(text); err != nil {
		p.expand(kinds) //nolint:errcheck // as far as it goes, to know which options are secret
		return p, err
	}
	return p, p.expand(kinds)
}

// fill takes the options and the target from the address.
func (p *Plan) fill() error {
	for _, step := range []func() error{p.fillOptions, p.fillTarget, p.validate} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Base is the kind beneath all layers.
func (p *Plan) Base() Part { return p.Parts[len(p.Parts)-1] }

// Listens tells whether the end is one that waits for others.
func (p *Plan) Listens() bool { return p.Base().Kind.Traits.Listens }

// KindName names the parts, outermost first: "ws+tls+tcp".
func (p *Plan) KindName() string {
	var names []string
	for _, part := range p.Parts {
		names = append(names, part.Kind.Name)
	}
	return strings.Join(names, "+")
}

// Given tells whether an option of every end was said in the address.
func (p *Plan) Given(name string) bool { return p.set.Lookup(name).Given() }

// expand looks the names up and replaces those that stand for several.
func (p *Plan) expand(kinds transport.Kinds) error {
	for i, word := range append(slices.Clone(p.Addr.Layers), p.Addr.Kind) {
		k, ok := kinds.Lookup(word.Name)
		if !ok {
			return p.unknownKind(word, kinds)
		}
		var err error
		last := i == len(p.Addr.Layers)
		switch {
		case k.Stack != "" && !last:
			return p.wordError(word, "stands for "+k.Stack+", which has no place for more", "write "+k.Stack+" out")
		case k.Stack != "":
			err = p.unfold(word, k, kinds)
		case !last && !k.Traits.Layers:
			return p.wordError(word, "is not a layer, and only layers are put on others with +")
		default:
			p.add(k)
		}
		if err != nil {
			return err
		}
	}
	k := p.Base().Kind
	if !k.Traits.Layers {
		return nil
	}
	tcp, ok := kinds.Lookup("tcp")
	if !ok {
		return p.wordError(p.Addr.Kind, "is a layer and needs a kind beneath it")
	}
	p.add(tcp)
	if p.port == "" {
		p.port = k.Port
	}
	return nil
}

// unfold adds the parts that a kind with a Stack stands for.
func (p *Plan) unfold(word address.Word, k transport.Kind, kinds transport.Kinds) error {
	for name := range strings.SplitSeq(k.Stack, "+") {
		inner, ok := kinds.Lookup(name)
		if !ok {
			return p.wordError(word, "stands for "+k.Stack+", of which "+name+" is not in this program")
		}
		p.add(inner)
	}
	p.port = k.Port
	return p.imply(k.With)
}

func (p *Plan) add(k transport.Kind) {
	e := k.New()
	s := new(opt.Set)
	e.Bind(s)
	p.Parts = append(p.Parts, Part{k, e, s})
}

// imply adds the options that the name of a kind stands for, unless the user says
// otherwise.
func (p *Plan) imply(with string) error {
	if with == "" {
		return nil
	}
	a, err := address.Parse("-," + with)
	if err != nil {
		return err
	}
	for _, o := range a.Options {
		if _, given := p.Addr.Lookup(o.Name); given {
			continue
		}
		if err := p.Lookup(o.Name).Set(o.Value, o.HasValue); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere returns the package of this module that has a kind which not every program
// links, because it brings a network of peers with it, or net/http; else "".
func elsewhere(kind string) string {
	switch kind {
	case "peer", "peer-listen":
		return "node"
	case "folder":
		return "transport/folder"
	}
	return ""
}

func (p *Plan) unknownKind(word address.Word, kinds transport.Kinds) error {
	if home := elsewhere(strings.ToLower(word.Name)); home != "" {
		return p.wordError(word, "is a kind of package github.com/tenon-net/tenon/"+home+", which this program does not use",
			"a Go program imports it, and appends its Kinds to those of a tenon.Opener", "the program tenon has it, unless it was built with the tag nopeer")
	}
	var hints []string
	if near := opt.Nearest(word.Name, kinds.Names(), 3); len(near) > 0 {
		hints = append(hints, "did you mean "+strings.Join(near, " or ")+"?")
	} else if h, err := p.Addr.Target.Host(); err == nil && h.Name == "" && h.Port != "" {
		hints = append(hints, "a host and port are written tcp:"+word.Name+":"+h.Port)
	}
	return p.wordError(word, "unknown kind", append(hints, "see tenon help kinds")...)
}

// KindError is a usage error about the kind, for those who find it unfit.
func (p *Plan) KindError(msg string, hints ...string) error {
	return transport.Usage(p.mask(p.wordError(p.Addr.Kind, msg, hints...)))
}

func (p *Plan) wordError(word address.Word, msg string, hints ...string) error {
	return p.Addr.ErrorAt(word.Pos, len(word.Name), msg, hints...)
}

// Lookup finds an option of that name: the outermost part's first, the ones of
// every end last. It returns nil if there is none.
func (p *Plan) Lookup(name string) *opt.Def {
	for _, s := range p.sets() {
		if d := s.Lookup(name); d != nil {
			return d
		}
	}
	return nil
}

func (p *Plan) sets() []*opt.Set {
	var sets []*opt.Set
	for _, part := range p.Parts {
		sets = append(sets, part.Set)
	}
	return append(sets, &p.set)
}

// options yields every option that the end has.
func (p *Plan) options() iter.Seq[*opt.Def] {
	return func(yield func(*opt.Def) bool) {
		for _, s := range p.sets() {
			for d := range s.All() {
				if !yield(d) {
					return
				}
			}
		}
	}
}

func (p *Plan) fillOptions() error {
	for _, o := range p.Addr.Options {
		d := p.Lookup(o.Name)
		if d == nil {
			return p.unknownOption(o)
		}
		err := d.Set(o.Value, o.HasValue)
		if err == nil {
			continue
		}
		pos, length := o.Pos, len(o.Name)
		if o.HasValue && !d.Secret && o.Value != "" {
			pos, length = o.ValuePos, p.Addr.ValueLen(o)
		}
		return p.errorFrom(pos, length, o.Name+" "+err.Error(), err)
	}
	return nil
}

func (p *Plan) unknownOption(o address.Option) error {
	if p.mayBeSecret(o) {
		return p.Addr.ErrorAt(o.Pos, len(o.Name), "unknown option of "+p.KindName(),
			`if this belongs to the value before it, write the comma \, or use quotes`)
	}
	var names, hints []string
	for d := range p.options() {
		names = append(append(names, d.Name), d.Aliases...)
	}
	if hint := habitHint(o.Name); hint != "" {
		hints = append(hints, hint)
	} else if near := opt.Nearest(o.Name, names, 3); len(near) > 0 {
		hints = append(hints, "did you mean "+strings.Join(near, " or ")+"?")
	}
	return p.Addr.ErrorAt(o.Pos, len(o.Name), "unknown option of "+p.KindName(), append(hints, "see tenon help "+p.Addr.Kind.Name)...)
}

// errorFrom is an error of the address whose cause is err.
func (p *Plan) errorFrom(pos, length int, msg string, err error) error {
	e := p.Addr.ErrorAt(pos, length, msg)
	e.Err = err
	if hint := transport.Hint(err); hint != "" {
		e.Hints = append(e.Hints, hint)
	}
	return e
}

// fillTarget hands the target to the parts, in the way that the kind reads it.
func (p *Plan) fillTarget() error {
	err := p.setTarget(p.Addr.Target)
	if err == nil {
		return nil
	}
	return p.errorFrom(p.Addr.Target.Pos, p.Addr.TargetLen(), err.Error(), err)
}

func (p *Plan) setTarget(t address.Target) error {
	base := p.Base()
	if base.Set.Style() == opt.None && t.Text != "" {
		return errors.New("takes no target: the kind " + base.Kind.Name + " stands alone")
	}
	for _, part := range p.Parts {
		if err := part.Set.SetTarget(t); err != nil {
			return err
		}
	}
	if base.Set.Style() != opt.Host {
		return nil
	}
	host, err := t.Host()
	if err != nil {
		return err
	}
	if host.Port == "" && host.Name != "" {
		host.Port = p.port
	}
	if host.Path != "" && !p.takesPath() {
		return errors.New("has a path, and " + p.KindName() + " knows no paths")
	}
	for _, part := range p.Parts {
		if err := part.Set.SetHost(host); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) takesPath() bool {
	return slices.ContainsFunc(p.Parts, func(q Part) bool { return q.Kind.Traits.Path })
}

// validate lets every part look at its own options, and refuses those that are
// for another sort of end.
func (p *Plan) validate() error {
	for d := range p.set.All() {
		if why := p.misplaced(d); d.Given() && why != "" {
			o, _ := p.Addr.Lookup(append(d.Aliases, d.Name)...)
			return p.Addr.ErrorAt(o.Pos, len(o.Name), why)
		}
	}
	if err := p.validateHabit(); err != nil {
		return err
	}
	side := transport.Dialed
	if p.Listens() {
		side = transport.Accepted
	}
	for _, part := range p.Parts {
		if err := transport.Validate(part.End, side); err != nil {
			return &transport.Error{Op: "parse", End: p.Name(), Err: err}
		}
	}
	return nil
}

// All yields the parts of the end, or those of both halves.
func (p *Plan) All() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for _, half := range p.Halves() {
			for _, part := range half.Parts {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// Halves returns In and Out, or the plan itself if it has no halves.
func (p *Plan) Halves() []*Plan {
	if p.In == nil {
		return []*Plan{p}
	}
	return append(p.In.Halves(), p.Out.Halves()...)
}

// Foreign returns a plan for a listener that somebody else has opened, at addr.
func Foreign(addr net.Addr) *Plan {
	p := new(Plan)
	p.Common.Bind(&p.set)
	p.Addr.Kind.Name = addr.Network()
	p.Addr.Target.Text = addr.String()
	p.Parts = []Part{{Kind: transport.Kind{Name: addr.Network(), Traits: transport.Traits{Listens: true}}, Set: new(opt.Set)}}
	return p
}
