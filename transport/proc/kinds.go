//go:build unix

package proc

import "github.com/tenon-net/tenon/transport"

// Kinds returns the kinds of this family.
func Kinds() transport.Kinds {
	traits := transport.Traits{HalfClose: true, Deadlines: true, Programs: true}
	return transport.Kinds{
		{
			Name: "exec", Syntax: "exec:PROGRAM [ARGUMENT...]", Traits: traits,
			Doc:     "Runs a program, without a shell.",
			Example: "exec:'grep -n \"to be\"'",
			New:     func() transport.Endpoint { return new(Exec) },
		},
		{
			Name: "sh", Aliases: []string{"system", "cmd"}, Syntax: "sh:COMMAND", Traits: traits,
			Doc:     "Runs a line of shell.",
			Example: "sh:'sort -u | tee all.txt'",
			New:     func() transport.Endpoint { return new(Shell) },
		},
		{
			Name: "shell", Syntax: "shell:COMMAND", Traits: traits,
			Doc:     "Runs a line of your own shell, $SHELL.",
			Example: "shell:'setopt; echo $0'",
			New:     func() transport.Endpoint { return &Shell{own: true} },
		},
	}
}
