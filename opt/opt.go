// Package opt binds the names of options to typed fields, once, in the manner of
// package flag. From one Bind come the options of an address, the flags of a
// command, help, completion and docs/options.md.
//
// A field's zero value means the default, and the default is applied where the
// value is used, never stored: a struct written in Go and one filled from an
// address behave alike. The default given to a binding method is shown, not set.
//
// Binding and filling do no I/O, save for secrets that the user keeps in a file
// ([Set.Secret]). A Set is used by one goroutine at a time.
package opt

import (
	"iter"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
)

// A Set is the options that one endpoint or command understands, in the order
// in which they were bound. The zero Set is empty and ready.
type Set struct {
	defs    []*Def
	group   string
	style   Style
	syntax  string
	target  []func(address.Target) error
	host    []func(address.Host) error
	secrets []Secrets // what may be read from files
}

// A Def describes one option.
type Def struct {
	Name    string
	Aliases []string // other names that mean the same, such as socat's
	Type    string   // what a value looks like: "duration", "size", "text"; "" takes no value
	Default string   // what the zero value means, for people; "" if there is nothing to say
	Usage   string   // one line, without a full stop
	Group   string   // heading in help; "" is the kind's own
	Values  []string // what the value may be, where that is a short list
	Secret  bool     // the value never appears in a log, an error or an explanation
	Multi   bool     // may be given more than once

	// Mask, if not nil, returns what of a value may appear there: the name of a
	// header, a path without its query.
	Mask func(value string) string

	parse func(string) error
	show  func() string // the value now; "" for the zero value
	given bool
}

// Alias adds names that mean the same.
func (d *Def) Alias(names ...string) *Def {
	d.Aliases = append(d.Aliases, names...)
	return d
}

// Given tells whether the option has been set by [Set.Set].
func (d *Def) Given() bool { return d.given }

// Value returns the value that the option has, in words and masked; "" if it is the
// default.
func (d *Def) Value() string {
	if v := d.show(); v != "" {
		return d.Masked(v)
	}
	return ""
}

// Masked returns what may be shown of a value of the option: "…" if it is secret.
func (d *Def) Masked(value string) string {
	switch {
	case d.Mask != nil:
		return d.Mask(value)
	case d.Secret:
		return "…"
	}
	return value
}

// Style is how a kind reads its target.
type Style int

// The styles.
const (
	None Style = iota // there is no target
	Text              // quotes resolved: paths, numbers, words
	Host              // [user[:password]@][host]:port[/path]
	Raw               // as written: commands, which have quotes of their own
)

// Group sets the heading under which the options bound next are shown.
func (s *Set) Group(heading string) { s.group = heading }

// Embed binds e's options too, for options that the kinds of a family share.
func (s *Set) Embed(e interface{ Bind(*Set) }) {
	group := s.group
	e.Bind(s)
	s.group = group
}

// Target says how the target is read and what takes it. The syntax is for people,
// as in "[HOST]:PORT". With style Host, set is not called if [Set.OnHost] is
// enough and set is nil.
func (s *Set) Target(style Style, syntax string, set func(address.Target) error) {
	s.style, s.syntax = style, syntax
	if set != nil {
		s.target = append(s.target, set)
	}
}

// OnHost gives set the parts of a target of style [Host]. A layer uses it to
// learn the name of the server, whatever kind is beneath it.
func (s *Set) OnHost(set func(address.Host) error) { s.host = append(s.host, set) }

// Style returns how the target is read.
func (s *Set) Style() Style { return s.style }

// Syntax returns the target's syntax for people; "" if there is no target.
func (s *Set) Syntax() string { return s.syntax }

// SetTarget hands the target to those who asked for it in [Set.Target].
func (s *Set) SetTarget(t address.Target) error {
	for _, set := range s.target {
		if err := set(t); err != nil {
			return err
		}
	}
	return nil
}

// SetHost hands the host to those who asked for it in [Set.OnHost].
func (s *Set) SetHost(h address.Host) error {
	for _, set := range s.host {
		if err := set(h); err != nil {
			return err
		}
	}
	return nil
}

// All yields the options in the order in which they were bound.
func (s *Set) All() iter.Seq[*Def] { return slices.Values(s.defs) }

// Lookup returns the option of that name or alias, or nil.
func (s *Set) Lookup(name string) *Def {
	for _, d := range s.defs {
		if d.Name == name || slices.Contains(d.Aliases, name) {
			return d
		}
	}
	return nil
}

// Set fills the field of the option called name. For an option without a value
// has is false. The error says what is wrong with the value; for an unknown name
// it is [ErrUnknown].
func (s *Set) Set(name, value string, has bool) error {
	d := s.Lookup(name)
	if d == nil {
		return ErrUnknown
	}
	return d.Set(value, has)
}

// Set fills the field. For an option written without a value, has is false.
func (d *Def) Set(value string, has bool) error {
	switch {
	case !has && d.Type != "" && d.Type != boolType:
		return &ValueError{Msg: "needs a value: " + d.Name + "=" + d.example()}
	case d.given && !d.Multi:
		return &ValueError{Msg: "is given twice"}
	case !has:
		value = "yes"
	}
	if err := d.parse(value); err != nil {
		return err
	}
	d.given = true
	return nil
}

func (d *Def) example() string {
	if len(d.Values) > 0 {
		return strings.Join(d.Values, "|")
	}
	return strings.ToUpper(d.Type)
}

func (s *Set) add(d *Def) *Def {
	if s.Lookup(d.Name) != nil {
		panic("opt: " + d.Name + " bound twice") // a bug of the endpoint that no compiler sees
	}
	d.Group = s.group
	s.defs = append(s.defs, d)
	return d
}

// Flag tells whether the option may stand without a value.
func (d *Def) Flag() bool { return d.Type == "" || d.Type == boolType }
