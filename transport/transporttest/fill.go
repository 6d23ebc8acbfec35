package transporttest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Fill returns a new Endpoint of kind k with its target and options taken from
// the text of an address. In an address with layers, all options must be k's.
// Nothing is validated or opened. A wrong value of an option is an error that
// reads "name: what is wrong".
func Fill(k transport.Kind, text string) (transport.Endpoint, error) {
	a, err := address.Parse(text)
	if err != nil {
		return nil, err
	}
	if k.New == nil {
		return nil, fmt.Errorf("kind %s is made of others", k.Name)
	}
	if !names(a, k) {
		return nil, fmt.Errorf("%q is not of kind %s", text, k.Name)
	}
	e := k.New()
	var s opt.Set
	e.Bind(&s)
	if err := fillTarget(&s, k, a); err != nil {
		return nil, err
	}
	for _, o := range a.Options {
		switch err := s.Set(o.Name, o.Value, o.HasValue); {
		case errors.Is(err, opt.ErrUnknown):
			return nil, fmt.Errorf("%w %q", err, o.Name)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
	}
	return e, nil
}

// names tells whether the address names k as its kind or one of its layers.
func names(a address.Address, k transport.Kind) bool {
	for _, w := range append(a.Layers, a.Kind) {
		if _, ok := (transport.Kinds{k}).Lookup(w.Name); ok {
			return true
		}
	}
	return false
}

// fillTarget hands the target over in the style that the kind asked for. A layer
// that asked for none learns the host of the kind beneath it.
func fillTarget(s *opt.Set, k transport.Kind, a address.Address) error {
	switch s.Style() {
	case opt.Host:
		h, err := a.Target.Host()
		if err != nil {
			return err
		}
		if err := s.SetHost(h); err != nil {
			return err
		}
	case opt.None:
		if k.Traits.Layers {
			h, err := a.Target.Host()
			if err != nil {
				return nil // the kind beneath has no host: nothing to learn
			}
			return s.SetHost(h)
		}
		if a.Target.Text != "" {
			return fmt.Errorf("kind %s takes no target", k.Name)
		}
	}
	return s.SetTarget(a.Target)
}

// Fuzz checks that no text makes the kind's Bind or the functions bound by it
// panic. The seeds are whole addresses.
func Fuzz(f *testing.F, k transport.Kind, seeds ...string) {
	f.Add(k.Example)
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Fill(k, text)
		if err != nil {
			return
		}
		var s opt.Set
		e.Bind(&s)
		for d := range s.All() {
			_ = d.Value()
		}
	})
}
