package tenon

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/tenon-net/tenon/transport"
)

// Errors that say what sort of failure an [Error] is. Test with [errors.Is].
var (
	ErrUsage   = transport.ErrUsage   // the address or its options are wrong: exit status 2
	ErrDenied  = transport.ErrDenied  // access, certificate, credentials: exit status 3
	ErrTimeout = transport.ErrTimeout // idle, handshake, a limit: exit status 4
)

// An Error says what was being done to which end. It reads from left to right:
// "dial tcp:db:5432: connection refused".
type Error struct {
	Op  string // parse, dial, listen, accept, handshake, read, write, close
	End string // canonical address, without secrets
	Err error
}

func (e *Error) Error() string { return e.Op + " " + e.End + ": " + plain(e.Err).Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// plain leaves out what package net and package os say about the operation and
// the address, because an Error says it already.
func plain(err error) error {
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

// failed wraps err, unless it says already what was being done to which end. A
// context that ran out reads as what it is.
func failed(op, end string, err error) error {
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = transport.WithHint(transport.Mark(errors.New("timed out"), ErrTimeout), transport.Hint(err))
	}
	return &Error{op, end, err}
}

// usage marks err, a mistake in an address, as one.
func usage(err error) error {
	if errors.Is(err, ErrUsage) {
		return err
	}
	return transport.Mark(err, ErrUsage)
}
