//go:build nopeer

package main

import (
	"slices"
	"testing"
)

// builtAs is a condition of scripts: which of the three builds this is.
const builtAs = "nopeer"

// Nothing about peers is left in this build.
func TestNoPeers(t *testing.T) {
	if isCommand("pair") || slices.Contains(kinds().Names(), "peer") {
		t.Error("it knows peers")
	}
}
