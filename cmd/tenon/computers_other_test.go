//go:build unix && !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// cmdComputers needs the network namespaces of Linux.
func cmdComputers(ts *testscript.TestScript, neg bool, args []string) {
	ts.Fatalf("there are no network namespaces on this system")
}
