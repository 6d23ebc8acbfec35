// Package api is how programs talk to a node: the types that go over its control
// socket, and a [Client] whose methods are the verbs of the program. It is HTTP with
// JSON and server-sent events over a unix socket; openapi.json describes it. Ends are
// carried by connections that were upgraded to tenon-stream, see [Stream].
//
// The node itself is in package node. This package links no engine of a network and
// no database, so that every program can afford it.
package api

import (
	_ "embed"
	"errors"
	"net/http"
	"path/filepath"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/transport"
)

// OpenAPI describes the API: an OpenAPI 3.1 document. A test makes it from the types.
//
//go:embed openapi.json
var OpenAPI []byte

// SocketPath returns where the control socket of the node is whose state is in dir.
func SocketPath(dir string) string { return filepath.Join(dir, "control.sock") }

// ErrNotRunning: no node runs in the directory.
var ErrNotRunning = transport.WithHint(errors.New("no node is running"), "tenon up starts one")

// Errors that [Error] matches, besides those of package transport.
var (
	ErrNotFound    = errors.New("there is no such thing")
	ErrConflict    = errors.New("there is such a thing already")
	ErrUnreachable = errors.New("the peer cannot be reached")
)

// An Error is what a node answers in place of what was asked for.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`           // one line, harmless
	Hint    string `json:"hint,omitempty"`    // what to do about it
	Refusal int    `json:"refusal,omitempty"` // the number of the peer's or our refusal
}

func (e *Error) Error() string { return neutral.Line(e.Message) }

// A code stands for a class of errors on the wire.
var codes = []struct {
	code   string
	status int
	is     error
}{
	{"usage", http.StatusBadRequest, transport.ErrUsage},
	{"denied", http.StatusForbidden, transport.ErrDenied},
	{"not-found", http.StatusNotFound, ErrNotFound},
	{"conflict", http.StatusConflict, ErrConflict},
	{"timeout", http.StatusGatewayTimeout, transport.ErrTimeout},
	{"unreachable", http.StatusBadGateway, ErrUnreachable},
	{"unsupported", http.StatusNotImplemented, errors.ErrUnsupported},
}

// Is tells whether the error is of the class of target.
func (e *Error) Is(target error) bool {
	for _, c := range codes {
		if c.code == e.Code {
			return target == c.is
		}
	}
	return false
}

// ErrorOf returns err as it goes over the wire, and the status of the response.
func ErrorOf(err error) (*Error, int) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: "failed", Message: neutral.Line(err.Error()), Hint: transport.Hint(err)}
		for _, c := range codes {
			if errors.Is(err, c.is) {
				e.Code = c.code
				break
			}
		}
	}
	for _, c := range codes {
		if c.code == e.Code {
			return e, c.status
		}
	}
	return e, http.StatusInternalServerError
}

// hinted returns e so that transport.Hint finds its advice.
func (e *Error) hinted() error { return transport.WithHint(e, e.Hint) }
