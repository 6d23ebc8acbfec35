//go:build unix && (node || nopeer)

package main

import "github.com/rogpeppe/go-internal/testscript"

// cmdPeers is "peers". Scripts that need it ask for the plain build.
func cmdPeers(ts *testscript.TestScript, neg bool, args []string) {
	ts.Fatalf("this is the build %s", builtAs)
}

func cmdPaired(ts *testscript.TestScript, neg bool, args []string) { cmdPeers(ts, neg, args) }
