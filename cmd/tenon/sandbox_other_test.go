//go:build unix && !linux

package main

// enterSandbox does nothing: other systems have no network namespaces, and the
// scripts use the ports that are free.
func enterSandbox() {}
