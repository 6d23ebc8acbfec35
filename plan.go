package tenon

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/proxy"
)

// A plan is an address with everything in it looked up, filled and checked: what
// will be opened, from the outermost layer to the kind that does the work.
type plan struct {
	addr   address.Address
	title  string // what name returns, where there is no one address
	parts  []part // layers, outermost first; the last is the kind itself
	common endOptions
	set    opt.Set // of common
	via    []proxy.Hop
	port   string // where the target has none
}

// A part is one layer, or the kind beneath them.
type part struct {
	kind transport.Kind
	end  transport.Endpoint
	set  *opt.Set
}

// base is the kind beneath all layers.
func (p *plan) base() part { return p.parts[len(p.parts)-1] }

// listens tells whether the end is one that waits for others.
func (p *plan) listens() bool { return p.base().kind.Traits.Listens }

// name is the canonical address without secrets.
func (p *plan) name() string {
	if p.title != "" {
		return p.title
	}
	return p.addr.Redacted(p.secret)
}

// nameFor is the name of an end that is opened for other. If the client of a proxy
// says where this end goes, that is its target.
func (p *plan) nameFor(other transport.Conn) string {
	caller, ok := transport.As[transport.Caller](other)
	if !ok || p.title != "" || p.addr.Target.Raw != "" {
		return p.name()
	}
	a := p.addr
	a.Target = address.Target{Text: caller.Target(), Raw: caller.Target()}
	return a.Redacted(p.secret)
}

func (p *plan) secret(option string) bool {
	d := p.lookup(option)
	return d != nil && d.Secret
}

// plan works out what text stands for. The errors match [transport.ErrUsage].
func (o *Opener) plan(text string) (*plan, error) {
	if p, err := o.planDuplex(text); p != nil || err != nil {
		return p, err
	}
	a, err := address.Parse(text)
	p := &plan{addr: a}
	if err != nil {
		return nil, usage(p.mask(err))
	}
	steps := []func() error{
		func() error { return p.expand(o.kinds()) },
		p.fillOptions, p.fillTarget, p.parseVia, p.validate,
	}
	p.common.Bind(&p.set)
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, usage(p.mask(err))
		}
	}
	return p, nil
}

// warned is plan, and tells what is unsafe.
func (o *Opener) warned(text string) (*plan, error) {
	p, err := o.plan(text)
	if err == nil {
		o.warn(p)
	}
	return p, err
}

// expand looks the names up and replaces those that stand for several.
func (p *plan) expand(kinds transport.Kinds) error {
	words := append(slices.Clone(p.addr.Layers), p.addr.Kind)
	for i, word := range words {
		k, ok := kinds.Lookup(word.Name)
		if !ok {
			return p.unknownKind(word, kinds)
		}
		last := i == len(words)-1
		if k.Stack == "" {
			if !last && !k.Traits.Layers {
				return p.addr.ErrorAt(word.Pos, len(word.Name), "is not a layer, and only layers are put on others with +")
			}
			p.add(k)
			continue
		}
		if !last {
			return p.addr.ErrorAt(word.Pos, len(word.Name), "stands for "+k.Stack+", which has no place for more", "write "+k.Stack+" out")
		}
		for name := range strings.SplitSeq(k.Stack, "+") {
			inner, ok := kinds.Lookup(name)
			if !ok {
				return p.addr.ErrorAt(word.Pos, len(word.Name), "stands for "+k.Stack+", of which "+name+" is not in this program")
			}
			p.add(inner)
		}
		p.port = k.Port
		if err := p.imply(k.With); err != nil {
			return err
		}
	}
	if k := p.base().kind; k.Traits.Layers {
		tcp, ok := kinds.Lookup("tcp")
		if !ok {
			return p.addr.ErrorAt(p.addr.Kind.Pos, len(p.addr.Kind.Name), "is a layer and needs a kind beneath it")
		}
		p.add(tcp)
		if p.port == "" {
			p.port = k.Port
		}
	}
	return nil
}

func (p *plan) add(k transport.Kind) {
	e := k.New()
	s := new(opt.Set)
	e.Bind(s)
	p.parts = append(p.parts, part{k, e, s})
}

// imply adds the options that the name of a kind stands for, before the user's,
// which may say otherwise.
func (p *plan) imply(with string) error {
	if with == "" {
		return nil
	}
	a, err := address.Parse("-," + with)
	if err != nil {
		return err
	}
	for _, o := range a.Options {
		if _, given := p.addr.Lookup(o.Name); given {
			continue
		}
		if err := p.lookup(o.Name).Set(o.Value, o.HasValue); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) unknownKind(word address.Word, kinds transport.Kinds) error {
	var hints []string
	if near := opt.Nearest(word.Name, kinds.Names(), 3); len(near) > 0 {
		hints = append(hints, "did you mean "+strings.Join(near, " or ")+"?")
	} else if h, err := p.addr.Target.Host(); err == nil && h.Name == "" && h.Port != "" {
		hints = append(hints, "a host and port are written tcp:"+word.Name+":"+h.Port)
	}
	return p.addr.ErrorAt(word.Pos, len(word.Name), "unknown kind", append(hints, "see tenon help kinds")...)
}

// lookup finds an option of that name: the outermost layer's first, the ones of
// every end last.
func (p *plan) lookup(name string) *opt.Def {
	for _, part := range p.parts {
		if d := part.set.Lookup(name); d != nil {
			return d
		}
	}
	return p.set.Lookup(name)
}

func (p *plan) fillOptions() error {
	for _, o := range p.addr.Options {
		d := p.lookup(o.Name)
		if d == nil {
			var hints []string
			if near := opt.Nearest(o.Name, p.optionNames(), 3); len(near) > 0 {
				hints = append(hints, "did you mean "+strings.Join(near, " or ")+"?")
			}
			return p.addr.ErrorAt(o.Pos, len(o.Name), "unknown option of "+p.kindName(), append(hints, "see tenon help "+p.addr.Kind.Name)...)
		}
		err := d.Set(o.Value, o.HasValue)
		if err == nil {
			continue
		}
		pos, length := o.Pos, len(o.Name)
		if o.HasValue && !d.Secret && o.Value != "" {
			pos, length = o.ValuePos, p.addr.ValueLen(o)
		}
		return wrapAt(p.addr, pos, length, o.Name+" "+err.Error(), err)
	}
	return nil
}

// wrapAt is an error of the address whose cause is err.
func wrapAt(a address.Address, pos, length int, msg string, err error) error {
	e := a.ErrorAt(pos, length, msg)
	e.Err = err
	if hint := transport.Hint(err); hint != "" {
		e.Hints = append(e.Hints, hint)
	}
	return e
}

func (p *plan) optionNames() []string {
	var names []string
	for d := range p.options() {
		names = append(append(names, d.Name), d.Aliases...)
	}
	return names
}

// options yields every option that the end has.
func (p *plan) options() func(yield func(*opt.Def) bool) {
	return func(yield func(*opt.Def) bool) {
		sets := []*opt.Set{}
		for _, part := range p.parts {
			sets = append(sets, part.set)
		}
		for _, s := range append(sets, &p.set) {
			for d := range s.All() {
				if !yield(d) {
					return
				}
			}
		}
	}
}

// kindName names the parts, outermost first: "ws+tls+tcp".
func (p *plan) kindName() string {
	var names []string
	for _, part := range p.parts {
		names = append(names, part.kind.Name)
	}
	return strings.Join(names, "+")
}

// fillTarget hands the target to the parts, in the way that the kind reads it.
func (p *plan) fillTarget() error {
	base, t := p.base(), p.addr.Target
	at := func(err error) error {
		if err == nil {
			return nil
		}
		return wrapAt(p.addr, t.Pos, p.addr.TargetLen(), err.Error(), err)
	}
	if base.set.Style() == opt.None && t.Text != "" {
		return at(errors.New("takes no target: the kind " + base.kind.Name + " stands alone"))
	}
	var host address.Host
	if base.set.Style() == opt.Host {
		var err error
		if host, err = t.Host(); err != nil {
			return at(err)
		}
		if host.Port == "" && host.Name != "" {
			host.Port = p.port
		}
		if host.Path != "" && !slices.ContainsFunc(p.parts, func(q part) bool { return q.kind.Traits.Path }) {
			return at(errors.New("has a path, and " + p.kindName() + " knows no paths"))
		}
	}
	for _, part := range p.parts {
		if err := part.set.SetTarget(t); err != nil {
			return at(err)
		}
		if base.set.Style() == opt.Host {
			if err := part.set.SetHost(host); err != nil {
				return at(err)
			}
		}
	}
	return nil
}

func (p *plan) parseVia() error {
	if len(p.common.via) == 0 {
		return nil
	}
	o, _ := p.addr.Lookup("via")
	if _, ok := p.base().end.(*inet.Dial); !ok {
		return p.addr.ErrorAt(o.Pos, len(o.Name), "is for ends that are dialed over tcp")
	}
	for _, text := range p.common.via {
		hop, err := proxy.ParseVia(text)
		if err != nil {
			return wrapAt(p.addr, o.Pos, len(o.Name), err.Error(), err)
		}
		p.via = append(p.via, hop)
	}
	return nil
}

// validate lets every part look at its own options, and refuses those that are
// for the other sort of end.
func (p *plan) validate() error {
	for d := range p.set.All() {
		if d.Given() && p.misplaced(d) {
			o, _ := p.addr.Lookup(append(d.Aliases, d.Name)...)
			what := "is for ends that are dialed"
			if !p.listens() {
				what = "is for ends that listen"
			}
			return p.addr.ErrorAt(o.Pos, len(o.Name), what)
		}
	}
	for _, part := range p.parts {
		v, ok := part.end.(transport.Validator)
		if !ok {
			continue
		}
		if err := v.Validate(); err != nil {
			return &Error{Op: "parse", End: p.name(), Err: err}
		}
	}
	return nil
}

func (p *plan) misplaced(d *opt.Def) bool {
	switch d.Name {
	case "retry", "forever", "interval":
		return false // a listener may be opened again, too
	}
	return d.Group == "every end that is dialed" && p.listens() ||
		d.Group == "every end that listens" && !p.listens()
}

func (p *plan) connectTimeout() time.Duration {
	return orDefault(p.common.connectTimeout, DefaultConnectTimeout)
}

// orDefault returns def for 0, and 0 for a negative d, which means never.
func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}
