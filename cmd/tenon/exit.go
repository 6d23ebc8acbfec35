package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/transport"
)

// The exit statuses. A program that was an end gives its own, and a signal 128
// and its number.
const (
	exitOK      = 0
	exitNetwork = 1
	exitUsage   = 2
	exitDenied  = 3
	exitTimeout = 4
)

// silent is an error that has been told already.
type silent struct{ status int }

func (s silent) Error() string { return fmt.Sprintf("exit status %d", s.status) }

// usageError is a mistake on the command line.
func usageError(msg, hint string) error {
	return transport.WithHint(transport.Mark(errors.New(msg), tenon.ErrUsage), hint)
}

// status is the exit status that err stands for.
func status(err error) int {
	var quiet silent
	var sig interrupted
	var program interface{ ExitCode() int }
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &quiet):
		return quiet.status
	case errors.As(err, &sig):
		return 128 + int(sig.sig)
	case errors.Is(err, tenon.ErrUsage):
		return exitUsage
	case errors.Is(err, tenon.ErrDenied):
		return exitDenied
	case errors.Is(err, tenon.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case errors.As(err, &program) && program.ExitCode() > 0:
		return program.ExitCode()
	}
	return exitNetwork
}

// exit tells people about err and returns the exit status.
func (p *program) exit(err error) int {
	if err == nil {
		err = p.written()
	}
	var quiet silent
	var sig interrupted
	var program interface{ ExitCode() int }
	switch {
	case err == nil, errors.As(err, &quiet), errors.As(err, &sig):
	case errors.As(err, &program) && program.ExitCode() > 0:
		// The program has said why, if it wanted to.
	case p.json:
		_ = p.stderr.json(map[string]any{"event": "error", "error": oneLine(err), "hints": hints(err), "status": status(err)})
	default:
		printError(p.stderr, err)
	}
	return status(err)
}

// written returns the error of writing to standard output, if there was one. A reader
// that has closed its end of a pipe, such as head, has seen enough: the status is
// that of SIGPIPE then, and nothing is said, as with other programs.
func (p *program) written() error {
	err := p.stdout.failed()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE):
		return silent{128 + int(syscall.SIGPIPE)}
	}
	return &tenon.Error{Op: "write", End: "standard output", Err: err}
}

// printError prints one line, a caret if there is something to point at, and hints.
func printError(c *console, err error) {
	c.line("tenon: " + oneLine(err))
	var at *address.Error
	if errors.As(err, &at) {
		if text, mark := caret(at); mark != "" {
			c.line("  " + text)
			c.line("  " + mark)
		}
	}
	for _, hint := range hints(err) {
		c.line("  hint: " + hint)
	}
}

// oneLine is the text of err; that of several errors that were joined is put on one
// line.
func oneLine(err error) string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err.Error()
	}
	var whole, line []string
	for _, e := range joined.Unwrap() {
		whole, line = append(whole, e.Error()), append(line, oneLine(e))
	}
	if err.Error() != strings.Join(whole, "\n") {
		return err.Error()
	}
	return strings.Join(line, "; ")
}

// hints collects the advice that comes with err, or finds some.
func hints(err error) []string {
	var out []string
	if at := (*address.Error)(nil); errors.As(err, &at) {
		out = append(out, at.Hints...)
	}
	if h := transport.Hint(err); h != "" {
		out = append(out, h)
	}
	if len(out) > 0 {
		return out
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return []string{"check the host name; getent hosts NAME resolves it"}
	case errors.As(err, &dns):
		return []string{"the name server did not help: is there a network? see /etc/resolv.conf"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return []string{"nothing accepts connections there; retry=10 tries again"}
	case errors.Is(err, os.ErrPermission):
		return []string{"check the permissions, and who you are: id"}
	case errors.Is(err, syscall.EMFILE):
		return []string{"too many open files: raise the limit with ulimit -n"}
	}
	return nil
}
