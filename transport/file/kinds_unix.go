//go:build unix

package file

import "github.com/tenon-net/tenon/transport"

// systemKinds returns the kinds that need a Unix system.
func systemKinds() transport.Kinds {
	std := transport.Traits{HalfClose: true, Deadlines: true, Once: true}
	stdOne := std
	stdOne.OneWay = true
	return transport.Kinds{
		{
			Name: "-", Aliases: []string{"stdio"}, Syntax: "-", Traits: std,
			Doc:     "Standard input and output.",
			Example: "-",
			New:     func() transport.Endpoint { return new(Stdio) },
		},
		{
			Name: "stdin", Syntax: "stdin:", Traits: stdOne,
			Doc:     "Standard input alone.",
			Example: "stdin:",
			New:     func() transport.Endpoint { return new(Stdin) },
		},
		{
			Name: "stdout", Syntax: "stdout:", Traits: stdOne,
			Doc:     "Standard output alone.",
			Example: "stdout:",
			New:     func() transport.Endpoint { return new(Stdout) },
		},
		{
			Name: "fd", Syntax: "fd:NUMBER", Traits: std,
			Doc:     "A descriptor that the program was started with.",
			Example: "fd:3,out=4",
			New:     func() transport.Endpoint { return new(FD) },
		},
		{
			Name: "file", Aliases: []string{"open"}, Syntax: "file:PATH", Traits: transport.Traits{HalfClose: true, OneWay: true},
			Doc:     "Reads a file or, with write, append, create or rdwr, writes to it.",
			Example: "file:/tmp/received,create,atomic",
			New:     func() transport.Endpoint { return new(File) },
		},
		{
			Name: "create", Syntax: "create:PATH", Stack: "file", With: "create",
			Doc:     "Writes a file, which is made or replaced.",
			Example: "create:/tmp/received",
		},
		{
			Name: "append", Syntax: "append:PATH", Stack: "file", With: "create,append",
			Doc:     "Writes at the end of a file, which is made if it does not exist.",
			Example: "append:/tmp/log",
		},
		{
			Name: "gopen", Syntax: "gopen:PATH", Stack: "file", With: "create,append,rdwr",
			Doc:     "Reads a file, and writes at its end; it is made if it does not exist.",
			Example: "gopen:/tmp/log",
		},
		{
			Name: "fifo", Aliases: []string{"pipe"}, Syntax: "fifo:[PATH]",
			Traits:  transport.Traits{HalfClose: true, Deadlines: true, OneWay: true},
			Doc:     "Reads a named pipe or, with write, writes to it; without a path, echo.",
			Example: "fifo:/tmp/jobs,create",
			New:     func() transport.Endpoint { return new(FIFO) },
		},
		{
			Name: "tty", Aliases: []string{"terminal"}, Syntax: "tty:[PATH]",
			Traits:  transport.Traits{Deadlines: true, Terminal: true},
			Doc:     "The terminal at which somebody sits, in raw mode.",
			Example: "tty:,escape=^]",
			New:     func() transport.Endpoint { return new(TTY) },
		},
		{
			Name: "pty", Syntax: "pty:", Traits: transport.Traits{Deadlines: true, EndsBoth: true},
			Doc:     "A new pseudo terminal, for another program to open.",
			Example: "pty:,link=/tmp/modem",
			New:     func() transport.Endpoint { return new(PTY) },
		},
		{
			Name: "serial", Syntax: "serial:DEVICE", Traits: transport.Traits{Deadlines: true, EndsBoth: true},
			Doc:     "A serial line.",
			Example: "serial:/dev/ttyUSB0,baud=9600",
			New:     func() transport.Endpoint { return new(Serial) },
		},
		{
			Name: "stall", Aliases: []string{"clogged"}, Syntax: "stall:", Traits: transport.Traits{HalfClose: true, Deadlines: true},
			Doc:     "Never has anything to read, and never takes what is written.",
			Example: "stall:",
			New:     func() transport.Endpoint { return new(Stall) },
		},
	}
}
