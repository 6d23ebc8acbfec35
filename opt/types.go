package opt

import (
	"encoding"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// boolType is the Type of an option that may stand without a value.
const boolType = "yes|no"

// A Switch is a yes or no whose default may be yes. The zero value is the default.
type Switch int8

// The positions of a Switch.
const (
	Default Switch = iota
	On
	Off
)

// Or returns whether the switch is on, with def for [Default].
func (v Switch) Or(def bool) bool { return v == On || v == Default && def }

// Bool binds an option that is off unless it is named.
func (s *Set) Bool(p *bool, name, usage string) *Def {
	return s.add(&Def{Name: name, Type: boolType, Usage: usage,
		parse: func(v string) (err error) { *p, err = parseBool(v); return err },
		show: func() string {
			if *p {
				return "yes"
			}
			return ""
		}})
}

// Switch binds an option that is def unless something else is said.
func (s *Set) Switch(p *Switch, name string, def bool, usage string) *Def {
	return s.add(&Def{Name: name, Type: boolType, Default: yesNo(def), Usage: usage,
		parse: func(v string) error {
			on, err := parseBool(v)
			*p = Off
			if on {
				*p = On
			}
			return err
		},
		show: func() string {
			if *p == Default {
				return ""
			}
			return yesNo(*p == On)
		}})
}

// Duration binds a time such as 500ms, 5s, 1h30m, 7d or 2w; a bare number is in seconds.
// Off, where not 0, is what "0", "never" and "off" are stored as, for options
// whose zero value means a default other than never: use a negative number.
func (s *Set) Duration(p *time.Duration, name string, def, off time.Duration, usage string) *Def {
	return s.add(&Def{Name: name, Type: "duration", Default: showDuration(def, off), Usage: usage,
		parse: func(v string) error {
			d, err := ParseDuration(v)
			if err == nil && d == 0 {
				d = off
			}
			*p = d
			return err
		},
		show: func() string {
			if *p == 0 {
				return ""
			}
			return showDuration(*p, off)
		}})
}

// Int binds a whole number from min to max.
func (s *Set) Int(p *int, name string, def, min, max int, usage string) *Def {
	d := &Def{Name: name, Type: "number", Usage: usage,
		parse: func(v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < min || n > max {
				return &ValueError{Msg: fmt.Sprintf("must be a whole number from %d to %d", min, max)}
			}
			*p = n
			return nil
		},
		show: func() string { return showNonZero(*p) }}
	if def != 0 {
		d.Default = strconv.Itoa(def)
	}
	return s.add(d)
}

// Size binds a number of bytes such as 4096, 64k, 16M or 1MiB; the units are
// powers of 1024.
func (s *Set) Size(p *int64, name string, def int64, usage string) *Def {
	d := &Def{Name: name, Type: "size", Usage: usage,
		parse: func(v string) (err error) { *p, err = ParseSize(v); return err },
		show:  func() string { return FormatSize(*p) }}
	if def != 0 {
		d.Default = FormatSize(def)
	}
	return s.add(d)
}

// Rate binds a number of bytes a second such as 1MB/s or 64k.
func (s *Set) Rate(p *int64, name, usage string) *Def {
	d := s.Size(p, name, 0, usage)
	d.Type = "rate"
	size := d.parse
	d.parse = func(v string) error { return size(strings.TrimSuffix(v, "/s")) }
	return d
}

// String binds a text that is taken as it is. An empty one is refused: the zero value
// is the default, and "user=$NOT_SET" must not mean that nobody was named.
func (s *Set) String(p *string, name, typ, usage string) *Def {
	return s.add(&Def{Name: name, Type: typ, Usage: usage,
		parse: func(v string) error { *p = v; return notEmpty(v) },
		show:  func() string { return *p }})
}

// Strings binds a text that may be given more than once, and is not empty.
func (s *Set) Strings(p *[]string, name, typ, usage string) *Def {
	return s.add(&Def{Name: name, Type: typ, Usage: usage, Multi: true,
		parse: func(v string) error { *p = append(*p, v); return notEmpty(v) },
		show:  func() string { return strings.Join(*p, " ") }})
}

// Enum binds one of a few words. The first is the default: it is what "" means.
func (s *Set) Enum(p *string, name, usage string, values ...string) *Def {
	return s.add(&Def{Name: name, Type: strings.Join(values, "|"), Default: values[0], Usage: usage, Values: values,
		parse: func(v string) error {
			if !slices.Contains(values, v) {
				return &ValueError{Msg: "must be one of " + strings.Join(values, ", ") + Suggest(v, values)}
			}
			*p = v
			return nil
		},
		show: func() string { return *p }})
}

// Text binds any type that parses itself. Show, which may be nil, gives the value
// in words, and "" for the zero value.
func (s *Set) Text(p encoding.TextUnmarshaler, name, typ, usage string, show func() string) *Def {
	if show == nil {
		show = func() string { return "" }
	}
	if secrets, ok := p.(Secrets); ok {
		s.Rereads(secrets)
	}
	return s.add(&Def{Name: name, Type: typ, Usage: usage, show: show,
		parse: func(v string) error { return p.UnmarshalText([]byte(v)) }})
}

// Func binds an option whose value goes to set. It may be given more than once.
// With typ "" it takes no value and set gets "yes".
func (s *Set) Func(name, typ, usage string, set func(string) error) *Def {
	var given []string
	return s.add(&Def{Name: name, Type: typ, Usage: usage, Multi: true,
		parse: func(v string) error { given = append(given, v); return set(v) },
		show:  func() string { return strings.Join(given, " ") }})
}

// MaskPassword is the [Def.Mask] of an option for a name after which somebody may write
// a password, which belongs elsewhere: it leaves out what follows a colon.
func MaskPassword(value string) string {
	name, _, found := strings.Cut(value, ":")
	if found {
		name += ":…"
	}
	return name
}

// IsBlank tells whether nothing in text can be seen: no secret is like that.
func IsBlank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}

func notEmpty(v string) error {
	if v == "" {
		return &ValueError{Msg: "must not be empty"}
	}
	return nil
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

func showNonZero(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func showDuration(d, off time.Duration) string {
	if d == off {
		return "never"
	}
	return FormatDuration(d)
}
