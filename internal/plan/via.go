package plan

import (
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport/proxy"
)

// A Way is the proxies to an end, the nearest first.
type Way []proxy.Hop

// UnmarshalText adds a proxy.
func (w *Way) UnmarshalText(text []byte) error {
	hop, err := proxy.ParseVia(string(text))
	if err == nil {
		*w = append(*w, hop)
	}
	return err
}

// Secrets returns the passwords of the proxies.
func (w *Way) Secrets() []opt.Secret {
	var all []opt.Secret
	for _, hop := range *w {
		all = append(all, hop.Password)
	}
	return all
}

// maskVia shows proxies without their passwords, and nothing of what is not one.
func maskVia(text string) string {
	var w Way
	for word := range strings.FieldsSeq(text) {
		if w.UnmarshalText([]byte(word)) != nil {
			return "…"
		}
	}
	return w.String()
}

// String names the proxies, without their passwords.
func (w *Way) String() string {
	var words []string
	for _, hop := range *w {
		words = append(words, hop.String())
	}
	return strings.Join(words, " ")
}
