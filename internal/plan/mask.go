package plan

import (
	"errors"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// What may be shown is decided by where it came from, not by what it looks like:
// names of kinds and options, targets without their passwords, queries and fragments, values of
// options that are known and not secret. All else is masked: it may be a part of a
// secret, cut off by a comma or a quote that its owner did not think of.

// Name is the canonical address without secrets.
func (p *Plan) Name() string { return p.name(p.Addr) }

// NameFor is the name of an end that is opened for other. If the client of a proxy
// says where this end goes, that is its target.
func (p *Plan) NameFor(other transport.Conn) string {
	caller, ok := transport.About[transport.Caller](other)
	if !ok || p.In != nil || p.Addr.Target.Raw != "" {
		return p.Name()
	}
	a := p.Addr
	a.Target = address.Target{Text: caller.Target(), Raw: caller.Target()}
	return p.name(a)
}

func (p *Plan) name(a address.Address) string {
	if p.In != nil {
		return p.In.Name() + "!!" + p.Out.Name()
	}
	if i := strings.IndexAny(a.Target.Text, "?#"); i >= 0 && p.takesPath() {
		a.Target = address.Target{Text: a.Target.Text[:i+1] + "…"}
	}
	if at, ok := p.lonelyUser(a.Target.Text); ok {
		a.Target = address.Target{Text: "…" + a.Target.Text[at:]}
	}
	if p.hasTicket() {
		a.Target = address.Target{Text: ticket.Prefix + "…"}
	}
	return a.Redacted(p.shown)
}

// lonelyUser tells whether there is user information without a password in front of the
// host of a URL, and where it ends. It may be a token: only beside a password is it sure to
// be a name.
func (p *Plan) lonelyUser(target string) (at int, ok bool) {
	if !p.Addr.URL && !p.takesPath() {
		return 0, false
	}
	at = strings.LastIndexByte(target, '@')
	return at, at > 0 && !strings.Contains(target[:at], ":")
}

// hasTicket tells whether the target is a ticket, which gives a right to whoever has it.
func (p *Plan) hasTicket() bool {
	return strings.EqualFold(p.Addr.Kind.Name, "peer") && ticket.Is(p.Addr.Target.Text)
}

// shown is what may be shown of the value of an option.
func (p *Plan) shown(option, value string) string {
	if d := p.Lookup(option); d != nil {
		return d.Masked(value)
	}
	return "…"
}

// mask puts asterisks in place of what may be secret in the text that an address
// error shows, as many as there were bytes, so that the caret stays where it is.
func (p *Plan) mask(err error) error {
	e := (*address.Error)(nil)
	if !errors.As(err, &e) || e.Text == "" {
		return err
	}
	m := masked(e.Text)
	parsed := m.target(p)
	for _, o := range p.Addr.Options {
		parsed = m.option(p, o)
	}
	m.rest(p, parsed)
	e.Text = string(m)
	return err
}

// masked is the text of an address with asterisks in it.
type masked []byte

func (m masked) hide(from, to int) {
	for i := max(from, 0); i < min(to, len(m)); i++ {
		m[i] = '*'
	}
}

// target masks the target's password and query, and returns where it ends.
func (m masked) target(p *Plan) (end int) {
	a := p.Addr
	if a.Kind.Name == "" {
		return 0
	}
	end = a.Kind.Pos + len(a.Kind.Name)
	if a.Target.Pos == 0 {
		return end
	}
	end = a.Target.Pos + a.TargetLen()
	text := string(m[a.Target.Pos:end])
	if i := strings.IndexAny(text, "?#"); i >= 0 && (len(p.Parts) == 0 || p.takesPath()) {
		m.hide(a.Target.Pos+i+1, end)
	}
	if p.hasTicket() {
		m.hide(a.Target.Pos+len(ticket.Prefix), end)
	}
	if len(p.Parts) == 0 { // who knows what it is
		m.hide(a.Target.Pos, a.Target.Pos+strings.LastIndexByte(text, '@'))
	}
	if at, ok := p.lonelyUser(text); ok {
		m.hide(a.Target.Pos, a.Target.Pos+at)
	}
	m.user(a.Target.Pos, text)
	return end
}

// user masks what stands before an @, from the first colon on.
func (m masked) user(pos int, text string) {
	at := strings.LastIndexByte(text, '@')
	if i := strings.Index(text, "://"); i >= 0 && i < at {
		pos, text, at = pos+i+3, text[i+3:], at-i-3
	}
	if i := strings.IndexByte(text, ':'); i >= 0 && i < at {
		m.hide(pos+i+1, pos+at)
	}
}

// option masks an option's value, unless it is known not to be secret, and the name,
// if that may be the rest of a secret value. It returns where the option ends.
func (m masked) option(p *Plan, o address.Option) (end int) {
	end = o.Pos + len(o.Name)
	if o.HasValue {
		end = o.ValuePos + p.Addr.ValueLen(o)
	}
	switch d := p.Lookup(o.Name); {
	case d == nil && p.mayBeSecret(o):
		m.hide(o.Pos, end)
	case !o.HasValue:
	case d == nil || d.Secret || d.Mask != nil:
		m.hide(o.ValuePos, end)
	}
	return end
}

// mayBeSecret tells whether o, which is unknown, may belong to the value of the option
// before it, which is secret, or unknown itself.
func (p *Plan) mayBeSecret(o address.Option) bool {
	secret := false
	for _, other := range p.Addr.Options {
		if other.Pos >= o.Pos {
			break
		}
		if d := p.Lookup(other.Name); d != nil {
			secret = d.Secret || d.Mask != nil
		} else if other.HasValue {
			secret = true
		}
	}
	return secret
}

// rest masks what could not be parsed, which begins at pos, save for the name of an
// option that is known.
func (m masked) rest(p *Plan, pos int) {
	if pos >= len(m) {
		return
	}
	if m[pos] == ',' && p.Addr.Kind.Name != "" {
		name, _, found := strings.Cut(string(m[pos+1:]), "=")
		if found && p.Lookup(strings.ToLower(name)) != nil {
			pos += len(name) + 2
		} else {
			pos++
		}
	} else if i := strings.IndexByte(string(m), ':'); p.Addr.Kind.Name == "" && i >= 0 {
		pos = i // a word that is no kind is no secret
	}
	m.hide(pos, len(m))
}
