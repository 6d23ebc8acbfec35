package main

import "testing"

// ownStdio does nothing: no handle can be put in the place of another here.
func ownStdio(*testing.T) (restore func()) { return func() {} }
