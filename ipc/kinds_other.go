//go:build !linux

package ipc

import "github.com/tenon-net/tenon/transport"

// Kinds returns nothing: there are no sealed memory files on this system.
func Kinds() transport.Kinds { return nil }
