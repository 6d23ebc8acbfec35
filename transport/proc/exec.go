//go:build unix

package proc

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Exec runs a program.
type Exec struct {
	Args    []string // the program, found in PATH unless it has a slash, and its arguments
	Program Options
}

// Shell runs a command by a shell.
type Shell struct {
	Command string
	Shell   string // path of the shell; "" means /bin/sh
	Program Options

	own bool // "" means the user's own: $SHELL
}

var (
	_ transport.Dialer    = (*Exec)(nil)
	_ transport.Validator = (*Exec)(nil)
	_ transport.Dialer    = (*Shell)(nil)
	_ transport.Validator = (*Shell)(nil)
)

// DefaultShell runs the commands of [Shell].
const DefaultShell = "/bin/sh"

var errNoProgram = transport.WithHint(
	transport.Mark(errors.New("there is no program to run"), transport.ErrUsage),
	"for example exec:'sort -u', or exec: -- sort -u")

// Bind binds the options, and the target as a command line for [Split].
func (e *Exec) Bind(s *opt.Set) {
	s.Target(opt.Raw, "PROGRAM [ARGUMENT...]", func(t address.Target) (err error) {
		e.Args, err = Split(t.Raw)
		return err
	})
	s.Embed(&e.Program)
}

// Validate finds fault with the options.
func (e *Exec) Validate() error {
	if len(e.Args) == 0 || e.Args[0] == "" {
		return errNoProgram
	}
	return e.Program.validate(e.Args)
}

// Dial starts the program. The environment tells it about [transport.Other].
func (e *Exec) Dial(ctx context.Context) (transport.Conn, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e.Program.start(ctx, "exec", e.Args)
}

// Bind binds the options, and the target as the command.
func (e *Shell) Bind(s *opt.Set) {
	s.Target(opt.Raw, "COMMAND", func(t address.Target) error {
		e.Command = t.Raw
		return nil
	})
	def := DefaultShell
	if e.own {
		def = "$SHELL, or " + DefaultShell
	}
	s.String(&e.Shell, "shell", "path", "the shell that runs the command").Default = def
	s.Embed(&e.Program)
}

// Validate finds fault with the options.
func (e *Shell) Validate() error {
	if strings.TrimSpace(e.Command) == "" {
		return errNoProgram
	}
	return e.Program.validate(e.args())
}

// Dial starts the shell. The environment tells it about [transport.Other].
func (e *Shell) Dial(ctx context.Context) (transport.Conn, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	kind := "sh"
	if e.own {
		kind = "shell"
	}
	return e.Program.start(ctx, kind, e.args())
}

func (e *Shell) args() []string {
	shell := e.Shell
	if shell == "" && e.own {
		shell = os.Getenv("SHELL")
	}
	return []string{cmp.Or(shell, DefaultShell), "-c", e.Command}
}
