package file

import "github.com/tenon-net/tenon/transport"

// terminalKinds returns the kinds of terminals.
func terminalKinds() transport.Kinds { return nil }
