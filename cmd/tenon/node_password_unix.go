//go:build unix && node

package main

import (
	"os"

	"github.com/tenon-net/tenon/internal/term"
)

// hideTyping has a terminal not show what is typed, until the function is called. The error says that it is none.
func hideTyping(f *os.File) (show func(), err error) {
	before, err := term.Change(f, func(s *term.State) { term.Echo(s, false) })
	return func() { term.Set(f, before) }, err //nolint:errcheck // there is nothing better to be done
}
