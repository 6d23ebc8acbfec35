package tenon

import (
	"errors"
	"regexp"
	"strings"

	"github.com/tenon-net/tenon/address"
)

// mask puts asterisks in place of what may be secret in the text that an address
// error shows, as many as there were bytes, so that the caret stays where it is.
func (p *plan) mask(err error) error {
	e := (*address.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	text := []byte(e.Text)
	for _, o := range p.addr.Options {
		if end := o.ValuePos + p.addr.ValueLen(o); o.HasValue && end <= len(text) && p.secret(o.Name) {
			fill(text[o.ValuePos:end])
		}
	}
	e.Text = maskGuess(string(text))
	return err
}

// maskGuess masks what looks like a secret in a text that could not be parsed: the
// password before an @, and the value of options whose name says so.
func maskGuess(text string) string {
	b := []byte(text)
	for _, pattern := range []string{`:([^:@,\s]+)@`, `(?i)(?:pass|token|secret|auth)[a-z_-]*=([^,]*)`} {
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatchIndex(b, -1) {
			if strings.HasPrefix(text[m[2]:m[3]], "//") {
				continue // kind://name@host
			}
			fill(b[m[2]:m[3]])
		}
	}
	return string(b)
}

func fill(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}
