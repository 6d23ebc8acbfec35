package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime/debug"

	"github.com/tenon-net/tenon/internal/neutral"
)

// An Error says what was being done to which end. It reads from left to right:
// "dial tcp:db:5432: connection refused".
type Error struct {
	Op  string // parse, dial, listen, accept, handshake, read, write, close, reload
	End string // canonical address, without secrets
	Err error
}

// Error returns one line without control characters, whatever a peer has put into
// the cause.
func (e *Error) Error() string {
	return neutral.Line(e.Op + " " + e.End + ": " + Cause(e.Err).Error())
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout tells whether time ran out, for those who ask as [net/url.Error] does.
func (e *Error) Timeout() bool {
	return errors.Is(e.Err, ErrTimeout) || errors.Is(e.Err, os.ErrDeadlineExceeded)
}

// Failed wraps err in an [Error], unless there is one in it that says already what
// was being done to which end. A context that ran out reads as what it is. Nil
// stays nil.
func Failed(op, end string, err error) error {
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	if !errors.Is(err, ErrTimeout) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = WithHint(Mark(errors.New("timed out"), ErrTimeout), Hint(err))
	}
	return &Error{op, end, err}
}

// Cause leaves out what packages net and os say about the operation and the
// address, for those who say it themselves.
func Cause(err error) error {
	for {
		switch e := err.(type) {
		case *net.OpError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		case *os.PathError:
			err = e.Err
		default:
			var op *net.OpError
			if text := err.Error(); errors.As(err, &op) && text == op.Error() {
				err = op.Err
				continue
			}
			return err
		}
	}
}

// Usage marks err, a mistake in an address or an option, with [ErrUsage].
func Usage(err error) error {
	if errors.Is(err, ErrUsage) {
		return err
	}
	return Mark(err, ErrUsage)
}

// A BugError is a panic that a goroutine of one joint met: a bug, of an end or of
// Tenon itself. It ends that joint and no other.
type BugError struct {
	Panic any
	Stack []byte // of the goroutine
}

func (e *BugError) Error() string {
	if err, ok := e.Panic.(error); ok {
		return "a bug: " + err.Error()
	}
	if text, ok := e.Panic.(string); ok {
		return "a bug: " + text
	}
	return "a bug: panic"
}

// CatchBug turns a panic into a [BugError] in *err. It is deferred, and only by
// goroutines that work for one joint and share nothing with others that the panic
// could have left half done. See docs/decisions/0015-bugs.md.
func CatchBug(err *error) {
	if p := recover(); p != nil {
		*err = WithHint(&BugError{p, debug.Stack()}, "please report it, with what -v prints")
	}
}
