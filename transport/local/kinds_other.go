//go:build !linux

package local

import "github.com/tenon-net/tenon/transport"

// How the names of sockets are written, and what they are.
const (
	nameSyntax = "PATH"
	nameDoc    = "in the file system"
)

// Kinds returns what there is of the family on systems other than Linux.
func Kinds() transport.Kinds { return transport.Kinds{connectKind(), listenKind()} }
