package address

import "strings"

// escapable are the characters that a backslash turns into themselves.
const escapable = `,:'"\`

// A scanner reads targets and options from a text.
type scanner struct {
	text string
	pos  int
}

// value reads up to the next comma that is neither quoted nor escaped. It returns
// what was meant and what was written, which are the same but for quotes.
func (p *scanner) value() (text, raw string, err error) {
	start := p.pos
	var b strings.Builder
	quote, opened, parts, bare := byte(0), 0, 0, false
	for ; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		switch {
		case quote == 0 && c == ',':
			return p.done(b.String(), start, parts == 1 && !bare)
		case quote == 0 && (c == '\'' || c == '"'):
			quote, opened = c, p.pos
			parts++
			continue
		case quote != 0 && c == quote:
			quote = 0
			continue
		case c == '\\' && quote != '\'' && p.escapes(quote):
			p.pos++
			c = p.text[p.pos]
		}
		bare = bare || quote == 0
		b.WriteByte(c)
	}
	if quote != 0 {
		return "", "", errorAt(p.text, opened, len(p.text)-opened, "this quote is never closed", `for a quote itself write \`+string(quote))
	}
	return p.done(b.String(), start, parts == 1 && !bare)
}

func (p *scanner) done(text string, start int, whole bool) (string, string, error) {
	if whole {
		return text, text, nil
	}
	return text, p.text[start:p.pos], nil
}

// escapes tells whether the backslash at pos has a meaning inside quote.
func (p *scanner) escapes(quote byte) bool {
	if p.pos+1 >= len(p.text) {
		return false
	}
	next := p.text[p.pos+1]
	if quote == '"' {
		return next == '"' || next == '\\'
	}
	return strings.IndexByte(escapable, next) >= 0
}

// option reads one option up to the next comma.
func (p *scanner) option() (Option, error) {
	o := Option{Pos: p.pos}
	end := p.pos
	for end < len(p.text) && p.text[end] != '=' && p.text[end] != ',' {
		end++
	}
	name := p.text[p.pos:end]
	switch {
	case name == "":
		return o, errorAt(p.text, min(p.pos, len(p.text)-1), 1, "an option is missing here", `a comma that belongs to the text is written \, or inside quotes`)
	case !isName(strings.ReplaceAll(name, "_", "-")):
		return o, errorAt(p.text, p.pos, len(name), "this is not the name of an option", `a comma that belongs to the text is written \, or inside quotes`)
	}
	o.Name, p.pos = strings.ReplaceAll(strings.ToLower(name), "_", "-"), end
	if end == len(p.text) || p.text[end] == ',' {
		return o, nil
	}
	p.pos++
	o.HasValue, o.ValuePos = true, p.pos
	var err error
	o.Value, _, err = p.value()
	return o, err
}

// Quote returns text so that it reads as one value: as it is where that is
// possible, else in single or double quotes.
func Quote(text string) string {
	switch {
	case !strings.ContainsAny(text, `,'"\`):
		return text
	case !strings.Contains(text, `'`):
		return "'" + text + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// quoted writes the target so that it parses to the same Text and Raw.
func (t Target) quoted() string {
	if t.Raw == "" || t.Raw == t.Text {
		return Quote(t.Text)
	}
	return t.Raw
}
