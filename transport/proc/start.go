//go:build unix

package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon/internal/inherit"
	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
)

// start runs args as an end of that kind. The options are valid.
func (o *Options) start(ctx context.Context, kind string, args []string) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	other := transport.Other(ctx)
	owner, err := lookUp(o.User)
	if err != nil {
		return nil, transport.Mark(err, transport.ErrUsage)
	}
	path, err := o.find(args[0])
	if err != nil {
		return nil, err
	}
	w, err := o.wire(other, owner)
	if err != nil {
		return nil, err
	}
	w.limit(transport.UseOf(ctx))
	defer w.closeProgram()
	stdin, stdout := w.stdin, w.stdout
	if stdin == nil {
		stdin = inherit.File(0)
	}
	if stdout == nil {
		stdout = inherit.File(1)
	}
	stderr, done, err := o.stderr(w, stdout)
	if err != nil {
		w.close()
		return nil, err
	}
	defer done()
	argv := append([]string{args[0]}, args[1:]...)
	if o.Arg0 != "" {
		argv[0] = o.Arg0
	}
	info := &transport.Info{Kind: kind}
	if w.stdin == nil {
		info.Reads = transport.RegularFile(stdin)
	}
	if w.stdout == nil {
		info.Writes = transport.RegularFile(stdout)
	}
	if err := transport.CheckSameFile(ctx, info); err != nil {
		w.close()
		return nil, err
	}
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir:   o.Dir,
		Env:   o.environ(other, transport.Environ(ctx), owner),
		Files: []*os.File{stdin, stdout, stderr},
		Sys:   o.attributes(w, owner),
	})
	if err != nil {
		w.close()
		return nil, o.startError(args[0], path, err)
	}
	return newConn(info, args, p, w, o), nil
}

// find returns the path of the program. A name with a slash is relative to Dir.
func (o *Options) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		return "", transport.WithHint(fmt.Errorf("%s: %w", name, exec.ErrDot), "write ./"+name+" to run the one in this directory")
	}
	if err != nil {
		var lookup *exec.Error
		if errors.As(err, &lookup) {
			err = lookup.Err
		}
		return "", transport.WithHint(fmt.Errorf("%s: %w", name, err), "there is no program of that name in PATH; a line of shell is run by sh:")
	}
	return path, nil
}

func (o *Options) wire(other transport.Conn, owner *identity) (*wire, error) {
	if !o.PTY {
		if o.Wire == "socketpair" {
			return newSocketpair()
		}
		return newPipes()
	}
	rows, cols := 0, 0
	if other != nil {
		if s, ok := transport.As[transport.Sizer](other); ok {
			rows, cols = s.WindowSize()
		}
	}
	if o.Rows != 0 {
		rows = o.Rows
	}
	if o.Cols != 0 {
		cols = o.Cols
	}
	return newPTY(o, rows, cols, owner)
}

// stderr returns where error messages go, and what is to be done after the start.
func (o *Options) stderr(w *wire, stdout *os.File) (f *os.File, done func(), err error) {
	nothing := func() {}
	switch o.Stderr {
	case "":
		if w.pty {
			return stdout, nothing, nil
		}
		return inherit.File(2), nothing, nil
	case "inherit":
		return inherit.File(2), nothing, nil
	case "join":
		return stdout, nothing, nil
	case "null":
		f, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	default:
		f, err = os.OpenFile(o.Stderr, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("stderr: %w", err)
	}
	return f, func() { f.Close() }, nil
}

func (o *Options) attributes(w *wire, owner *identity) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: o.PTY || o.Session}
	a.Setctty = o.PTY && o.CTTY.Or(true)
	if w.stdin == nil {
		a.Ctty = 1 // the terminal is the program's standard output only
	}
	a.Setpgid = !a.Setsid && o.grouped(w)
	if owner != nil {
		a.Credential = &owner.cred
	}
	return a
}

// grouped tells whether the program leads a process group. One that reads our own
// terminal must be in our group, or the terminal would stop it (SIGTTIN).
func (o *Options) grouped(w *wire) bool {
	return o.PTY || o.Session || o.Group.Or(w.stdin != nil || !term.IsTerminal(0))
}

// startError says in words why a program was not started. The error of fork and
// exec does not tell which of several things is missing.
func (o *Options) startError(name, path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if o.Dir != "" {
		if info, serr := os.Stat(o.Dir); serr != nil || !info.IsDir() {
			return fmt.Errorf("%s: directory %s: %w", name, o.Dir, errors.Join(serr, err))
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(o.Dir, path)
		}
	}
	hint := ""
	_, serr := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && serr == nil:
		hint = "the file is there, but the interpreter that its first line names is not"
	case errors.Is(err, fs.ErrNotExist):
		hint = "there is no such file"
	case errors.Is(err, syscall.EPERM) && o.User != "":
		err, hint = transport.Mark(err, transport.ErrDenied), "only root can run programs as another user"
	case errors.Is(err, fs.ErrPermission):
		hint = "the file must be executable, and the directories above it open to us"
	case errors.Is(err, syscall.ENOEXEC):
		hint = "it does not begin with #! and an interpreter; sh: runs it all the same"
	}
	return transport.WithHint(fmt.Errorf("%s: %w", name, err), hint)
}
