package wslayer

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// A refusal is an answer to a request that is not let in.
type refusal struct {
	status string // "403 Forbidden"
	field  string // a header field, or ""
	why    string // for the client and our log
	denied bool
}

func (r *refusal) Error() string { return "the request was refused: " + r.why }

var errBadRequest = &refusal{status: "400 Bad Request", why: "it is not a request for a WebSocket that can be understood"}

// answer does the handshake of a server (RFC 6455, section 4.2).
func (l *Layer) answer(br *bufio.Reader, inner transport.Stream) (agreement, error) {
	first, fields, err := readHead(br)
	if err == nil {
		a, refused := l.check(first, fields, inner)
		if refused == nil {
			_, err := inner.Write([]byte(l.answerText(fields.Get("Sec-Websocket-Key"), a)))
			return a, err
		}
		return a, l.refuse(inner, refused)
	}
	var p textproto.ProtocolError
	switch {
	case errors.Is(err, errLongHead):
		return agreement{}, l.refuse(inner, &refusal{status: "431 Request Header Fields Too Large", why: err.Error()})
	case errors.As(err, &p):
		return agreement{}, l.refuse(inner, errBadRequest)
	}
	return agreement{}, err
}

// refuse answers, and closes inner when the client has had the chance to read that.
func (l *Layer) refuse(inner transport.Stream, r *refusal) error {
	var b strings.Builder
	b.WriteString("HTTP/1.1 " + r.status + "\r\n")
	if r.field != "" {
		b.WriteString(r.field + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n", len(r.why)+1, r.why)
	if _, err := inner.Write([]byte(b.String())); err == nil {
		_ = transport.LingeringClose(inner) // the refusal itself is the error
	}
	if r.denied {
		return transport.Mark(r, transport.ErrDenied)
	}
	return r
}

func (l *Layer) answerText(key string, a agreement) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(key) + "\r\n")
	if a.protocol != "" {
		b.WriteString("Sec-WebSocket-Protocol: " + a.protocol + "\r\n")
	}
	if a.deflate != "" {
		b.WriteString("Sec-WebSocket-Extensions: " + a.deflate + "\r\n")
	}
	l.writeHeaders(&b)
	b.WriteString("\r\n")
	return b.String()
}

// check decides about a request. Who may not come in is not told what is inside:
// Host, Origin and credentials come before the path.
func (l *Layer) check(first string, fields textproto.MIMEHeader, inner transport.Stream) (agreement, *refusal) {
	var a agreement
	method, rest, _ := strings.Cut(first, " ")
	target, version, _ := strings.Cut(rest, " ")
	u, host, ok := parseTarget(target, fields["Host"])
	if !ok || version != "HTTP/1.1" || len(fields["Origin"]) > 1 || hasBody(fields) {
		return a, errBadRequest
	}
	if r := l.checkHost(host, inner.LocalAddr()); r != nil {
		return a, r
	}
	if r := l.checkOrigin(fields.Get("Origin"), host); r != nil {
		return a, r
	}
	var refused *refusal
	if a.user, refused = l.checkAuth(fields["Authorization"], u); refused != nil {
		return a, refused
	}
	if r := l.checkPath(u); r != nil {
		return a, r
	}
	if r := checkUpgrade(method, fields); r != nil {
		return a, r
	}
	if a.protocol, refused = l.choose(tokens(fields["Sec-Websocket-Protocol"])); refused != nil {
		return a, refused
	}
	if l.Deflate {
		a.deflate, a.window = deflateOffered(fields["Sec-Websocket-Extensions"])
	}
	return a, nil
}

// parseTarget reads a request target, and returns the host that the request is for. If
// the target is a whole URL, its host counts and the field does not, which must be
// there nevertheless (RFC 9112, sections 3.2 and 3.2.2).
func parseTarget(target string, fields []string) (u *url.URL, host string, ok bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil || len(fields) != 1 {
		return nil, "", false
	}
	switch u.Scheme {
	case "":
		return u, fields[0], strings.HasPrefix(target, "/")
	case "http", "https", "ws", "wss":
		return u, u.Host, u.Host != "" && u.User == nil
	}
	return nil, "", false
}

// hasBody tells whether a body comes behind the request, which would be taken for
// frames.
func hasBody(fields textproto.MIMEHeader) bool {
	return len(fields["Transfer-Encoding"]) > 0 || slices.ContainsFunc(fields["Content-Length"], func(v string) bool { return v != "0" })
}

func (l *Layer) checkPath(u *url.URL) *refusal {
	want, _, _ := strings.Cut(l.target(), "?")
	if l.Path == "" || cmp.Or(u.EscapedPath(), "/") == want {
		return nil
	}
	return &refusal{status: "404 Not Found", why: "there is no WebSocket at this path"}
}

// checkUpgrade checks what a request for a WebSocket must have (section 4.2.1).
func checkUpgrade(method string, fields textproto.MIMEHeader) *refusal {
	if method != "GET" {
		return &refusal{status: "405 Method Not Allowed", field: "Allow: GET", why: "here is a WebSocket, which is asked for with GET"}
	}
	if !hasToken(fields["Upgrade"], "websocket") || !hasToken(fields["Connection"], "upgrade") {
		return &refusal{status: "426 Upgrade Required", field: "Upgrade: websocket", why: "here is a WebSocket and no page"}
	}
	if v := fields["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		return &refusal{status: "426 Upgrade Required", field: "Sec-WebSocket-Version: 13", why: "the version of WebSocket must be 13"}
	}
	keys := fields["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return errBadRequest
	}
	if nonce, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(nonce) != 16 {
		return errBadRequest
	}
	return nil
}

// choose returns the first of our subprotocols that the client offers. A client
// that offers others only cannot be served by a listener that has some.
func (l *Layer) choose(offered []string) (string, *refusal) {
	for _, p := range l.Protocols {
		if slices.Contains(offered, p) {
			return p, nil
		}
	}
	if len(l.Protocols) > 0 && len(offered) > 0 {
		return "", &refusal{status: "400 Bad Request", why: "the subprotocol must be one of " + strings.Join(l.Protocols, ", ")}
	}
	return "", nil
}
