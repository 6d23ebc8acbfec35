// Package address takes the text of an end apart and puts it together again.
//
//	address = "-" | kind [ ":" target ] { "," option } | kind "://" target { "," option }
//	kind    = name { "+" name }                  layers outermost first
//	option  = name | name "=" value
//
// A target or a value is bare, 'single' or "double" quoted, or mixes them as a
// shell does; a backslash takes the meaning from one of , : ' " and \ and is an
// ordinary character before any other. A target runs to the first comma that is
// neither quoted nor escaped, so a path keeps its colons.
//
// The package knows the grammar only. Which kinds and options exist, and how a
// kind reads its target, is said by package opt and the kinds themselves. It does
// no I/O.
package address

import (
	"strings"
)

// Stdio is the kind of the address "-".
const Stdio = "-"

// MaxLen is the length in bytes of the longest text that Parse takes: more than
// any command line holds, and little enough to parse without a second thought.
const MaxLen = 1 << 20

// An Address is the text of one end, taken apart. The zero Address names nothing.
type Address struct {
	Layers  []Word // outermost first, in lower case; none in most addresses
	Kind    Word   // in lower case; aliases are not resolved
	URL     bool   // written with "://"
	Target  Target
	Options []Option
	text    string
}

// A Word is a name and where it stands in the text.
type Word struct {
	Name string
	Pos  int // byte offset in the text
}

// A Target is what stands between the kind and the options. The kind says how it
// is read: [Target.Text] by most, [Target.Host] by kinds of the network,
// [Target.Raw] by kinds that run programs and have quotes of their own.
type Target struct {
	Text string // quotes and backslashes resolved
	Raw  string // as written; when it is a single quoted word, that word's Text
	Pos  int    // byte offset in the text
	url  bool   // written with "://"
}

// An Option is one name, or one name and value.
type Option struct {
	Name     string // in lower case
	Value    string // quotes and backslashes resolved
	HasValue bool   // "name=" has a value, and it is empty
	Pos      int    // byte offset of the name
	ValuePos int    // byte offset of the value
}

// Parse takes text apart. The error is an *[Error] that points at the mistake.
func Parse(text string) (Address, error) {
	if len(text) > MaxLen {
		return Address{}, &Error{Text: text[:64], Msg: "the address is longer than a megabyte"}
	}
	a := Address{text: text}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return a, a.errorAt(i, 1, "a zero byte cannot be part of an address")
	}
	rest, err := a.parseKind()
	if err != nil {
		return a, err
	}
	p := &scanner{text: text, pos: rest}
	if rest < len(text) && text[rest] == ':' {
		p.pos++
		if strings.HasPrefix(text[p.pos:], "//") {
			a.URL, a.Target.url = true, true
			p.pos += 2
		}
		a.Target.Pos = p.pos
		if a.Target.Text, a.Target.Raw, err = p.value(); err != nil {
			return a, err
		}
	}
	for p.pos < len(text) {
		p.pos++ // the comma
		o, err := p.option()
		if err != nil {
			return a, err
		}
		a.Options = append(a.Options, o)
	}
	return a, nil
}

// parseKind reads the kind and its layers, and returns where they end.
func (a *Address) parseKind() (end int, err error) {
	end = strings.IndexAny(a.text, ":,")
	if end < 0 {
		end = len(a.text)
	}
	word := a.text[:end]
	if word == "" {
		return 0, a.errorAt(0, 1, "an address begins with a kind", "for example tcp:example.org:80, unix:/run/app.sock or -")
	}
	if word == Stdio {
		a.Kind = Word{Name: Stdio}
		return end, nil
	}
	if hint := notAKind(a.text, word); hint != "" {
		return 0, a.errorAt(0, len(word), "this is not a kind of end", hint)
	}
	pos := 0
	for name := range strings.SplitSeq(word, "+") {
		if !isName(name) {
			return 0, a.errorAt(pos, max(len(name), 1), "a kind is made of letters, digits and hyphens")
		}
		a.Layers = append(a.Layers, Word{strings.ToLower(name), pos})
		pos += len(name) + 1
	}
	last := len(a.Layers) - 1
	a.Kind, a.Layers = a.Layers[last], a.Layers[:last]
	if last == 0 {
		a.Layers = nil
	}
	return end, nil
}

// notAKind guesses what somebody meant who began with something else. It repeats
// nothing that may be a password: no options, and nothing around an @.
func notAKind(text, word string) string {
	text, _, _ = strings.Cut(text, ",")
	hostPort, path := text, text
	if strings.Contains(text, "@") {
		hostPort, path = "HOST:PORT", "PATH"
	}
	switch {
	case isDigits(word) && len(word) < len(text):
		return "a host and port are written tcp:" + hostPort
	case isDigits(word):
		return "tcp-listen:" + word + " or fd:" + word + "?"
	case word[0] == '/' || word[0] == '.':
		return "a path is written file:" + path + " or unix:" + path
	case word[0] == '[' || strings.Contains(word, ".") || strings.Contains(word, "@"):
		return "a host and port are written tcp:" + hostPort
	}
	return ""
}

// String puts the address together in its canonical form: lower-case names, the
// fewest quotes. Parsing it gives the same address again, positions apart.
// Secrets are in it; see [Address.Redacted].
func (a Address) String() string { return a.format(nil) }

// Redacted is [Address.String] with "…" in place of every password, and with mask's
// word for the value of every option.
func (a Address) Redacted(mask func(option, value string) string) string { return a.format(mask) }

func (a Address) format(mask func(option, value string) string) string {
	var b strings.Builder
	for _, l := range a.Layers {
		b.WriteString(l.Name + "+")
	}
	b.WriteString(a.Kind.Name)
	target := a.Target
	if mask != nil {
		target = target.redacted()
	}
	switch {
	case a.URL:
		b.WriteString("://")
	case a.Kind.Name != Stdio || target.Text != "":
		b.WriteString(":")
	}
	b.WriteString(target.quoted())
	for _, o := range a.Options {
		b.WriteString("," + o.Name)
		switch {
		case !o.HasValue:
		case mask != nil:
			b.WriteString("=" + Quote(mask(o.Name, o.Value)))
		default:
			b.WriteString("=" + Quote(o.Value))
		}
	}
	return b.String()
}

// Lookup returns the last option of one of the names.
func (a Address) Lookup(names ...string) (Option, bool) {
	for i := len(a.Options) - 1; i >= 0; i-- {
		for _, n := range names {
			if a.Options[i].Name == n {
				return a.Options[i], true
			}
		}
	}
	return Option{}, false
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
