package transporttest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// rootOptions are bound for every end by package tenon. A kind that binds one of
// them would clash.
var rootOptions = strings.Fields(`connect-timeout handshake-timeout idle half-closed eof-timeout retry
	interval forever max max-per-ip allow deny rate once many fork crlf frame via
	send-proxy accept-proxy limit ignoreeof allow-exec dump`)

// testKind checks what the kind says of itself.
func (h Harness) testKind(t *testing.T) {
	k := h.Kind
	for _, name := range append([]string{k.Name}, k.Aliases...) {
		if name == "" || name != strings.ToLower(name) {
			t.Errorf("name or alias %q is not in lower case", name)
		}
	}
	if k.Syntax == "" || k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
		t.Errorf("Syntax %q, Doc %q: want both, Doc being a sentence", k.Syntax, k.Doc)
	}
	if a, err := address.Parse(k.Example); err != nil || !names(a, k) {
		t.Errorf("Example %q: error %v, want an address of kind %s", k.Example, err, k.Name)
	}
	if (k.New == nil) != (k.Stack != "") {
		t.Errorf("New is nil: %v, Stack %q: want one of both", k.New == nil, k.Stack)
	}
	if k.New == nil {
		return
	}
	e := k.New()
	_, dials := e.(transport.Dialer)
	_, listens := e.(transport.Listener)
	_, layers := e.(transport.Layer)
	if listens != k.Traits.Listens || layers != k.Traits.Layers || !dials && !listens && !layers {
		t.Errorf("%T: dials %v, listens %v, layers %v; Traits %+v", e, dials, listens, layers, k.Traits)
	}
}

// testText checks the addresses of the harness.
func (h Harness) testText(t *testing.T) {
	for _, text := range h.Addresses {
		a, err := address.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		again, err := address.Parse(a.String())
		if err != nil || !reflect.DeepEqual(bare(again), bare(a)) || again.String() != a.String() {
			t.Errorf("%q: prints as %q, which reads as %+v, error %v", text, a, again, err)
		}
		if h.Kind.New == nil {
			continue
		}
		if _, err := Fill(h.Kind, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(h.Bad)) {
		e, err := Fill(h.Kind, text)
		if err == nil {
			err = transport.Validate(e, h.side(text))
		}
		switch want := h.Bad[text]; {
		case err == nil:
			t.Errorf("%q is taken, want error %q", text, want)
		case err.Error() != want:
			t.Errorf("%q: got error\n\t%s\nwant\n\t%s", text, err, want)
		}
	}
}

// side is the side that the end of an address is on: that of the kind, or of the one
// beneath a layer.
func (h Harness) side(text string) transport.Side {
	a, err := address.Parse(text)
	if h.Kind.Traits.Listens || err == nil && strings.HasSuffix(a.Kind.Name, "listen") {
		return transport.Accepted
	}
	return transport.Dialed
}

// bare returns a without positions and without the text it came from.
func bare(a address.Address) address.Address {
	b := address.Address{Kind: address.Word{Name: a.Kind.Name}, URL: a.URL}
	for _, l := range a.Layers {
		b.Layers = append(b.Layers, address.Word{Name: l.Name})
	}
	b.Target = address.Target{Text: a.Target.Text, Raw: a.Target.Raw}
	for _, o := range a.Options {
		b.Options = append(b.Options, address.Option{Name: o.Name, Value: o.Value, HasValue: o.HasValue})
	}
	return b
}

// testOptions checks how the options are described, and runs the check of each.
func (h Harness) testOptions(t *testing.T) {
	if h.Kind.New == nil {
		return
	}
	var s opt.Set
	h.Kind.New().Bind(&s)
	seen := map[string]string{}
	for d := range s.All() {
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			if owner := seen[name]; owner != "" {
				t.Errorf("option %s: name %q is also one of %s", d.Name, name, owner)
			}
			seen[name] = d.Name
			if slices.Contains(rootOptions, name) {
				t.Errorf("option %s: name %q is bound for every end by package tenon", d.Name, name)
			}
			if name != strings.ToLower(name) || strings.ContainsAny(name, "_=, ") {
				t.Errorf("option %s: name %q cannot be written in an address", d.Name, name)
			}
		}
		if d.Usage == "" || strings.HasSuffix(d.Usage, ".") || strings.Contains(d.Usage, "\n") {
			t.Errorf("option %s: usage %q, want one line without a full stop", d.Name, d.Usage)
		}
		if v := d.Value(); v != "" {
			t.Errorf("option %s: has value %q in a new endpoint, want the zero value", d.Name, v)
		}
		if check := h.Options[d.Name]; check != nil {
			t.Run(d.Name, check)
		} else {
			t.Errorf("option %s: no check in Harness.Options shows that it does anything", d.Name)
		}
	}
	for name := range h.Options {
		if seen[name] != name {
			t.Errorf("Harness.Options has a check for %q, which is not bound", name)
		}
	}
}
