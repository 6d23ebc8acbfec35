package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/tenon-net/tenon/transport"
)

// HTTPServer is the layer that asks clients by HTTP where they want to go: with
// CONNECT for a tunnel, or with a whole URL for one request (RFC 9110, sections
// 9.3.6 and 7.6). If Access has users, clients log in by basic authentication.
//
// What is read from the Conn for one request is that request, rewritten for the
// server it names, and nothing that the client sends after it. What is written
// goes back to the client as it is.
type HTTPServer struct{ Access }

var (
	_ transport.Layer         = (*HTTPServer)(nil)
	_ transport.Guard         = (*HTTPServer)(nil)
	_ transport.Validator     = (*HTTPServer)(nil)
	_ transport.SideValidator = (*HTTPServer)(nil)
)

// ValidateSide refuses to be put on an end that is dialed.
func (l *HTTPServer) ValidateSide(side transport.Side) error {
	if side != transport.Accepted {
		return usage(kindHTTPServer + " is for ends that listen")
	}
	return nil
}

// Wrap reads the head of the client's request. The Conn is a [transport.Caller]. A
// request that Access refuses is answered, and its error matches
// [transport.ErrDenied]. Info().Peer is the name under which the client logged in.
func (l *HTTPServer) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if side != transport.Accepted {
		return nil, wrongSide(inner, kindHTTPServer, "listen")
	}
	var r *request
	var user string
	var early []byte
	c := &caller{}
	err := handshake(ctx, kindHTTPServer, inner, func(s transport.Stream) (err error) {
		if r, early, err = readRequest(s); err == nil {
			user, err = l.admit(r)
		}
		if err == nil {
			c.policy = policy{access: &l.Access, to: r.to, local: isLocal(inner)}
			if err = c.policy.check(); err != nil {
				err = &requestError{notAllowed, err}
			}
		}
		var bad *requestError
		if errors.As(err, &bad) {
			_ = refuse(s, httpReplier{r}.failed(bad.reason))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.reply = httpReplier{r}
	s := inner.(transport.Stream)
	c.client = s
	if r.method == "CONNECT" {
		c.conn = *newConn(kindHTTPServer, s, early)
	} else {
		c.conn = *newConn(kindHTTPServer, s, nil)
		c.stream = &transport.Filter{Stream: s, R: newRequestReader(r, early, s)}
	}
	if user != "" {
		c.info.Peer = user
	}
	return c, nil
}

func readRequest(s transport.Stream) (r *request, early []byte, err error) {
	head, early, err := readHead(s, nil, nil)
	if errors.Is(err, errHeadTooLong) {
		err = &requestError{tooLarge, err}
	}
	if err != nil {
		return nil, nil, err
	}
	if r, err = parseRequest(head); err != nil {
		return nil, nil, fmt.Errorf("bad request: %w", err)
	}
	return r, early, nil
}

// admit returns the name of the client's user, "" if there are no users.
func (l *HTTPServer) admit(r *request) (user string, err error) {
	if !l.Authenticates() {
		return "", nil
	}
	name, password, ok := r.login()
	if !ok {
		return "", &requestError{notLoggedIn, errUnknownClient}
	}
	switch err := l.login(name, password); {
	case errors.Is(err, transport.ErrDenied):
		return "", &requestError{notLoggedIn, err}
	case err != nil:
		return "", &requestError{failed, err}
	}
	return name, nil
}

// An httpReplier answers a request, which is nil if it could not be read.
type httpReplier struct{ r *request }

// granted is the empty answer that begins a tunnel. To other requests the server
// that they are for answers itself.
func (h httpReplier) granted(netip.AddrPort) []byte {
	if h.r.method != "CONNECT" {
		return nil
	}
	return []byte("HTTP/1.1 200 Connection established\r\n\r\n")
}

func (h httpReplier) failed(why reason) []byte {
	status, text := "502 Bad Gateway", "the server could not be reached"
	extra := ""
	switch why {
	case notAllowed:
		status, text = "403 Forbidden", "this proxy does not allow the server"
	case notLoggedIn:
		status, text = "407 Proxy Authentication Required", "this proxy wants a user name and password"
		extra = "Proxy-Authenticate: Basic realm=\"tenon\", charset=\"UTF-8\"\r\n"
	case netUnreachable, hostUnreachable:
		text = "the server is unreachable"
	case unknownHost:
		text = "the server's name is not known"
	case connRefused:
		text = "the server refused the connection"
	case tooLate:
		status, text = "504 Gateway Timeout", "the server did not answer in time"
	case badRequest:
		status, text = "400 Bad Request", "this proxy does not understand the request"
	case badCommand:
		status, text = "501 Not Implemented", "this proxy does not offer that"
	case badVersion:
		status, text = "505 HTTP Version Not Supported", "this proxy speaks HTTP/1.1"
	case tooLarge:
		status, text = "431 Request Header Fields Too Large", "the head of the request is too long"
	}
	text += "\n"
	head := fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", status, extra, len(text))
	if h.r != nil && h.r.method == "HEAD" {
		text = "" // RFC 9110, section 9.3.2
	}
	return []byte(head + text)
}
