//go:build unix

package proc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// validate finds fault with what can be judged without running anything.
func (o *Options) validate(args []string) error {
	var err error
	switch {
	case o.PTY && o.Wire != "":
		err = errors.New("pty and wire exclude each other")
	case (o.PTY || o.Session) && o.Group == opt.Off:
		err = errors.New("group=no goes with neither pty nor setsid: who leads a session leads a group")
	case !o.PTY && (o.Raw || o.Echo != 0 || o.Rows != 0 || o.Cols != 0 || o.CTTY != 0):
		err = errors.New("raw, echo, ctty, rows and cols need pty")
	}
	for _, v := range o.Env {
		if name, _, _ := strings.Cut(v, "="); name == "" {
			err = errors.New("env sets no variable: there is no name before the =") // the value may be a secret
		}
	}
	for _, arg := range append(append(args, o.Env...), o.Arg0, o.Dir, o.Stderr) {
		if strings.Contains(arg, "\x00") {
			err = errors.New("a zero byte cannot be part of a command")
		}
	}
	if _, serr := o.signal(); serr != nil {
		err = serr
	}
	return transport.Mark(err, transport.ErrUsage)
}

// signal is what ends the program.
func (o *Options) signal() (syscall.Signal, error) {
	switch {
	case o.Signal == "" && o.PTY:
		return unix.SIGHUP, nil
	case o.Signal == "":
		return unix.SIGTERM, nil
	}
	if n, err := strconv.Atoi(o.Signal); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n), nil
	}
	if n := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(o.Signal), "SIG")); n != 0 {
		return n, nil
	}
	return 0, fmt.Errorf("there is no signal %q", o.Signal)
}
