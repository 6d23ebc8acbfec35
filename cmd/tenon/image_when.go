//go:build !node && !nopeer

package main

import (
	"strings"

	"github.com/tenon-net/tenon/address"
)

// namesPeers tells whether an end of the call is one that a peer has. What only
// explains does not need it.
func (c *call) namesPeers() bool {
	if c.name == "explain" || c.name == "help" || c.joint.explain {
		return false
	}
	for _, text := range append([]string{c.joint.in, c.joint.out}, c.args...) {
		if isPeerEnd(text) {
			return true
		}
	}
	return false
}

// isPeerEnd tells whether text is the address of a peer's end, one half of one, or one
// with a name before it as tenon give takes it. Most text is not, and is not looked at.
func isPeerEnd(text string) bool {
	if !strings.Contains(strings.ToLower(text), "peer") {
		return false
	}
	_, behind, named := strings.Cut(text, "=")
	if named && isPeerEnd(behind) {
		return true
	}
	for half := range strings.SplitSeq(text, "!!") {
		a, err := address.Parse(half)
		if err != nil {
			continue
		}
		if k, ok := kinds().Lookup(a.Kind.Name); ok && strings.HasPrefix(k.Name, peerKind) {
			return true
		}
	}
	return false
}
