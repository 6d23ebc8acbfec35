//go:build unix && !linux

package main

// enterSandbox does nothing: other systems have no network namespaces, and the
// scripts use the ports that are free.
func enterSandbox() {}

// scriptsAtOnce is 1: the scripts have one network, and its ports, between them.
func scriptsAtOnce() int { return 1 }

// ownSandbox does nothing, either.
func ownSandbox() error { return nil }
