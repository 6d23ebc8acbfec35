package proc

import "github.com/tenon-net/tenon/transport"

// An ExitError is how a program ended that did not end well. Close returns it.
type ExitError = transport.ExitError
