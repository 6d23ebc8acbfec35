package proxy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A request is the head of an HTTP request to a proxy, taken apart. What has two
// readings is refused, because the next server might choose the other one
// (RFC 9112, section 11.2).
type request struct {
	method  string
	http10  bool
	to      target
	path    string  // in origin form, with the query; "" for CONNECT
	fields  []field // those to be passed on, in order
	body    body
	auth    string // value of Proxy-Authorization
	hasAuth bool
}

// A requestError is a request that is not granted, and why.
type requestError struct {
	reason reason
	err    error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

func badHTTP(format string, args ...any) error {
	return &requestError{badRequest, fmt.Errorf(format, args...)}
}

// parseRequest reads a head with its blank line. The errors are *requestErrors.
func parseRequest(head []byte) (*request, error) {
	text, ok := strings.CutSuffix(string(head), "\r\n\r\n")
	if !ok {
		return nil, badHTTP("lines do not end with CR LF")
	}
	lines := strings.Split(text, "\r\n")
	for _, l := range lines {
		if strings.ContainsAny(l, "\r\n\x00") {
			return nil, badHTTP("a line has a CR, LF or zero byte inside")
		}
	}
	r := new(request)
	uri, err := r.parseLine(lines[0])
	if err != nil {
		return nil, err
	}
	if err := r.parseFields(lines[1:]); err != nil {
		return nil, err
	}
	return r, r.parseURI(uri)
}

// parseLine reads the request line (RFC 9112, section 3).
func (r *request) parseLine(line string) (uri string, err error) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isToken(parts[0]) || parts[1] == "" || strings.ContainsFunc(parts[1], notVisible) {
		return "", badHTTP("the request line is not METHOD TARGET VERSION")
	}
	r.method = parts[0]
	switch parts[2] {
	case "HTTP/1.1":
	case "HTTP/1.0":
		r.http10 = true
	default:
		return "", &requestError{badVersion, fmt.Errorf("%.20q is not HTTP/1.1", parts[2])}
	}
	if r.method == "TRACE" { // it would show clients what the proxy adds
		return "", &requestError{badCommand, errors.New("method TRACE is not offered")}
	}
	return parts[1], nil
}

func notVisible(c rune) bool { return c <= ' ' || c > '~' }

// parseFields reads the header, and keeps what is not about this connection
// (RFC 9110, section 7.6.1).
func (r *request) parseFields(lines []string) error {
	var hosts, lengths, codings, options []string
	for _, line := range lines {
		f, err := parseField(line) // refuses folded lines too (RFC 9112, section 5.2)
		if err != nil {
			return badHTTP("%w", err)
		}
		switch strings.ToLower(f.name) {
		case "host":
			hosts = append(hosts, f.value)
		case "content-length":
			lengths = append(lengths, f.value)
		case "transfer-encoding":
			codings = append(codings, f.value)
		case "connection", "proxy-connection":
			options = append(options, strings.Split(strings.ToLower(f.value), ",")...)
		case "proxy-authorization":
			if r.hasAuth {
				return badHTTP("there are two Proxy-Authorization headers")
			}
			r.auth, r.hasAuth = f.value, true
		case "keep-alive", "te", "upgrade", "proxy-authenticate":
		case "max-forwards": // RFC 9110, section 7.6.2
			if r.method == "OPTIONS" {
				return &requestError{badCommand, errors.New("OPTIONS with Max-Forwards is not offered")}
			}
			r.fields = append(r.fields, f)
		default:
			r.fields = append(r.fields, f)
		}
	}
	if len(hosts) > 1 || len(hosts) == 0 && !r.http10 { // RFC 9112, section 3.2
		return badHTTP("there are %d Host headers", len(hosts))
	}
	for i, o := range options {
		options[i] = trimSpace(o)
	}
	r.fields = slices.DeleteFunc(r.fields, func(f field) bool {
		return slices.Contains(options, strings.ToLower(f.name))
	})
	return r.setBody(lengths, codings)
}

// setBody finds out where the body ends (RFC 9112, section 6).
func (r *request) setBody(lengths, codings []string) error {
	switch {
	case len(lengths) == 0 && len(codings) == 0:
		return nil
	case r.method == "CONNECT":
		return badHTTP("a CONNECT request has no body")
	case len(lengths) > 0 && len(codings) > 0:
		return badHTTP("there are both Content-Length and Transfer-Encoding")
	case len(lengths) > 1 || len(codings) > 1:
		return badHTTP("the length of the body is given twice")
	case len(codings) == 1 && r.http10:
		return badHTTP("HTTP/1.0 has no Transfer-Encoding")
	case len(codings) == 1:
		if !strings.EqualFold(codings[0], "chunked") {
			return &requestError{badCommand, fmt.Errorf("transfer coding %.20q is not offered", codings[0])}
		}
		r.body.chunked = true
		return nil
	}
	n, err := strconv.ParseUint(lengths[0], 10, 63)
	if err != nil || strings.Trim(lengths[0], "0123456789") != "" {
		return badHTTP("the Content-Length %.24q is not a number", lengths[0])
	}
	r.body.length, r.body.given = int64(n), true
	return nil
}

// parseURI reads the target: an authority for CONNECT, else a whole URL of http
// (RFC 9112, section 3.2).
func (r *request) parseURI(uri string) (err error) {
	if r.method == "CONNECT" {
		if r.to, err = parseTarget(plainZone(uri)); err != nil {
			return badHTTP("%w", err)
		}
		return nil
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return badHTTP("this is a proxy, and the request names no server")
	}
	if !strings.EqualFold(scheme, "http") {
		return badHTTP("scheme %.10q is not http; others need CONNECT", scheme)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	switch {
	case strings.Contains(path, "#"):
		return badHTTP("the request target has a fragment")
	case path == "" && r.method == "OPTIONS":
		path = "*" // RFC 9112, section 3.2.4
	case path == "" || path[0] == '?':
		path = "/" + path
	}
	r.path = path
	if r.to, err = parseAuthority(authority); err != nil {
		return badHTTP("%w", err)
	}
	return nil
}

// parseAuthority reads HOST[:PORT]. A user name in front is refused: it would look
// like the host to somebody.
func parseAuthority(text string) (target, error) {
	switch i := strings.LastIndexByte(text, ':'); {
	case i == len(text)-1: // an empty port is the default one (RFC 3986, section 3.2.3)
		text = strings.TrimSuffix(text, ":") + ":80"
	case i < 0 || strings.HasSuffix(text, "]"):
		text += ":80"
	}
	return parseTarget(plainZone(text))
}

// plainZone decodes the zone of an IPv6 address in a URI (RFC 6874, section 2).
func plainZone(authority string) string {
	if strings.HasPrefix(authority, "[") {
		return strings.Replace(authority, "%25", "%", 1)
	}
	return authority
}

// head returns the request as it is sent to the server: in origin form, without
// what was meant for us, and as the only one of its connection.
func (r *request) head() []byte {
	version, host := "1.1", r.to.authority()
	if r.http10 {
		version = "1.0" // so that the answer is one that the client understands
	}
	if r.to.port == 80 {
		host = strings.TrimSuffix(host, ":80")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\nHost: %s\r\n", r.method, r.path, version, host)
	for _, f := range r.fields {
		b.WriteString(f.name + ": " + f.value + "\r\n")
	}
	switch {
	case r.body.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case r.body.given:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", r.body.length)
	}
	fmt.Fprintf(&b, "Via: %s tenon\r\nConnection: close\r\n\r\n", version) // RFC 9110, section 7.6.3
	return b.Bytes()
}

// login returns the name and password of basic authentication (RFC 7617).
func (r *request) login() (user, password string, ok bool) {
	scheme, code, _ := strings.Cut(r.auth, " ")
	if !r.hasAuth || !strings.EqualFold(scheme, "basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.DecodeString(trimSpace(code))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}
