//go:build !unix

package proc

import "github.com/tenon-net/tenon/transport"

// Kinds returns none: programs are run on Unix systems only.
func Kinds() transport.Kinds { return nil }
