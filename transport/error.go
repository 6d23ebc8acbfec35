package transport

import (
	"context"
	"errors"
	"net"

	"github.com/tenon-net/tenon/internal/neutral"
)

// Errors that ends of every kind share. Test for them with [errors.Is].
var (
	// ErrMsgTooLong: the message is longer than MaxMsg. Nothing was sent.
	ErrMsgTooLong = errors.New("message too long")

	// ErrDenied: the other side may not do this, or we may not: an address
	// list, a certificate, credentials. Exit status 3.
	ErrDenied = errors.New("not allowed")

	// ErrTimeout: a limit on time that somebody set has passed. Exit status 4. Like
	// those of package net, what matches it matches [context.DeadlineExceeded], and
	// has a [net.Error] in it whose Timeout is true.
	ErrTimeout error = timeoutError{}

	// ErrUsage: the address or its options make no sense. Exit status 2.
	ErrUsage = errors.New("usage")

	// ErrAborted: the Conn was ended by its own Abort.
	ErrAborted = errors.New("aborted")
)

type timeoutError struct{}

func (timeoutError) Error() string        { return "timed out" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

var _ net.Error = timeoutError{}

// A hinted error carries advice for the person who reads it.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// WithHint adds a line of advice to err, which [Hint] finds again.
func WithHint(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &hinted{err, hint}
}

// Hint returns the advice that comes with err, one line without control characters,
// or "". It holds nothing that a peer chose: advice is not to come from strangers.
func Hint(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return neutral.Line(h.hint)
	}
	return ""
}

// A marked error matches another as well as itself.
type marked struct{ err, mark error }

func (m *marked) Error() string   { return m.err.Error() }
func (m *marked) Unwrap() []error { return []error{m.err, m.mark} }

// Mark returns an error that reads like err and also matches mark, one of the
// errors of this package.
func Mark(err, mark error) error {
	if err == nil {
		return nil
	}
	return &marked{err, mark}
}
