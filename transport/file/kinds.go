package file

import (
	"slices"

	"github.com/tenon-net/tenon/transport"
)

// Kinds returns the kinds of this family.
func Kinds() transport.Kinds {
	made := transport.Traits{HalfClose: true, OneWay: true}
	return slices.Concat(systemKinds(), transport.Kinds{
		{
			Name: "null", Syntax: "null:", Traits: made,
			Doc:     "Has nothing to read, and discards what is written.",
			Example: "null:",
			New:     func() transport.Endpoint { return new(Null) },
		},
		{
			Name: "text", Aliases: []string{"literal"}, Syntax: "text:TEXT", Traits: made,
			Doc:     "Has a text to read, and discards what is written.",
			Example: `text:'hello\n'`,
			New:     func() transport.Endpoint { return new(Text) },
		},
		{
			Name: "zero", Syntax: "zero:[SIZE]", Traits: made,
			Doc:     "Has zero bytes to read, and discards what is written.",
			Example: "zero:1G",
			New:     func() transport.Endpoint { return new(Zero) },
		},
		{
			Name: "random", Syntax: "random:[SIZE]", Traits: made,
			Doc:     "Has random bytes to read, and discards what is written.",
			Example: "random:16M",
			New:     func() transport.Endpoint { return new(Random) },
		},
		{
			Name: "echo", Aliases: []string{"mirror"}, Syntax: "echo:", Traits: transport.Traits{HalfClose: true, Deadlines: true, Adapts: true},
			Doc:     "Gives back what is written to it, messages as messages.",
			Example: "echo:",
			New:     func() transport.Endpoint { return new(Echo) },
		},
	})
}
