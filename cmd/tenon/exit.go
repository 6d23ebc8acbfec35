package main

import (
	"context"
	"encoding/json"
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
	var quiet silent
	var sig interrupted
	var program interface{ ExitCode() int }
	switch {
	case err == nil, errors.As(err, &quiet), errors.As(err, &sig):
	case errors.As(err, &program) && program.ExitCode() > 0:
		// The program has said why, if it wanted to.
	case p.json:
		line, _ := json.Marshal(map[string]any{"event": "error", "error": err.Error(), "hints": hints(err), "status": status(err)})
		fmt.Fprintf(p.stderr, "%s\n", line)
	default:
		printError(p.stderr, err)
	}
	return status(err)
}

// printError prints one line, a caret if there is something to point at, and hints.
func printError(w interface{ Write([]byte) (int, error) }, err error) {
	fmt.Fprintf(w, "tenon: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	var at *address.Error
	if errors.As(err, &at) {
		if caret := at.Caret(); caret != "" {
			fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(caret, "\n", "\n  "))
		}
	}
	for _, hint := range hints(err) {
		fmt.Fprintf(w, "  hint: %s\n", hint)
	}
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
		return []string{"check the host name; resolve it with: getent hosts " + dns.Name}
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
