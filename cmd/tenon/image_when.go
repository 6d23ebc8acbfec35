//go:build !node && !nopeer

package main

import (
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/transport"
)

// opensMore tells whether an end of the call is one that only the other image can open.
// What only explains does not need it.
func (c *call) opensMore() bool {
	if c.name == "explain" || c.name == "help" || c.joint.explain {
		return false
	}
	for _, text := range append([]string{c.joint.in, c.joint.out}, c.args...) {
		if isMore(text) {
			return true
		}
	}
	return false
}

// isMore tells whether text is the address of an end that only the other image can open,
// one half of one, or one with a name before it as tenon give takes it. Most text is not,
// and is not looked at.
func isMore(text string) bool {
	more, lower := shownKinds(), strings.ToLower(text)
	if !slices.ContainsFunc(more, func(k transport.Kind) bool { return strings.Contains(lower, k.Name) }) {
		return false
	}
	_, behind, named := strings.Cut(text, "=")
	if named && isMore(behind) {
		return true
	}
	for half := range strings.SplitSeq(text, "!!") {
		a, err := address.Parse(half)
		if err != nil {
			continue
		}
		if _, ok := more.Lookup(a.Kind.Name); ok {
			return true
		}
	}
	return false
}
