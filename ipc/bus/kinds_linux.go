package bus

import "github.com/tenon-net/tenon/transport"

// Kinds returns the kind of the package.
func Kinds() transport.Kinds {
	return transport.Kinds{{
		Name: kindName, Syntax: "bus:NAME|PATH|@NAME", Example: "bus:events",
		Doc:    "Joins any number of programs of this machine: what one publishes, every other one receives.",
		Traits: transport.Traits{Messages: true, HalfClose: true, Deadlines: true, EndsBoth: true},
		New:    func() transport.Endpoint { return new(Bus) },
	}}
}
