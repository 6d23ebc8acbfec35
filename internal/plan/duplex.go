package plan

import (
	"errors"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// splitDuplex takes "IN!!OUT" apart, an end that reads from one address and writes
// to another. What stands behind the marks begins with a kind that is known: else
// they belong to something else, such as the command of a program.
func splitDuplex(text string, kinds transport.Kinds) (in, out string, ok bool) {
	i := findMarks(text)
	if i < 0 {
		return "", "", false
	}
	in, out = text[:i], text[i+2:]
	a, err := address.Parse(out)
	if err != nil {
		return "", "", false
	}
	_, ok = kinds.Lookup(a.Kind.Name)
	return in, out, ok
}

// findMarks returns where the first "!!" outside of quotes is, or -1.
func findMarks(text string) int {
	quote := byte(0)
	for i := 0; i+1 < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '!' && text[i+1] == '!':
			return i
		}
	}
	return -1
}

// parseDuplex plans an end of two one-way ends.
func parseDuplex(in, out string, kinds transport.Kinds) (*Plan, error) {
	p := new(Plan)
	var err error
	if p.In, err = Parse(in, kinds); err != nil {
		return nil, err
	}
	if p.Out, err = Parse(out, kinds); err != nil {
		return nil, err
	}
	for _, half := range []*Plan{p.In, p.Out} {
		if half.Listens() {
			return nil, transport.Usage(errors.New(half.Name() + ": half of an end cannot listen"))
		}
	}
	kind := transport.Kind{Name: "duplex", Doc: "Reads from one end and writes to another."}
	kind.Traits.Once = p.In.Base().Kind.Traits.Once || p.Out.Base().Kind.Traits.Once
	p.Parts = []Part{{Kind: kind, Set: new(opt.Set)}}
	p.Common.Bind(&p.set)
	return p, nil
}
