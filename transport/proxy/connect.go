package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// HTTPConnect is the layer that asks an HTTP proxy for a way to Target with the
// method CONNECT (RFC 9110, section 9.3.6).
type HTTPConnect struct {
	Target   string     // "host:port"; the proxy resolves a name
	User     string     // for basic authentication (RFC 7617); "" means none
	Password opt.Secret // User's
	Header   []string   // more lines for the request, each "Name: value"
	Resolve  bool       // look the target up here and send the proxy an address

	auth   opt.Secret // USER:PASSWORD; none means User and Password
	header secretList // more lines, each a secret
}

var (
	_ transport.Layer     = (*HTTPConnect)(nil)
	_ transport.Validator = (*HTTPConnect)(nil)
)

// Bind binds the options that the layer has beside its Target.
func (l *HTTPConnect) Bind(s *opt.Set) {
	auth := s.Func("proxyauth", "@FILE|env:NAME|USER:PASSWORD", "user name and password for the proxy", func(v string) error {
		var err error
		l.auth, err = opt.NewSecret(v, checkAuth)
		return err
	}).Alias("proxy-auth", "proxy-authorization")
	auth.Secret, auth.Multi = true, false
	header := s.Func("proxy-header", "text", "a header line for the proxy, NAME: VALUE", func(v string) error {
		line, err := opt.NewSecret(v, checkField)
		l.header = append(l.header, line)
		return err
	})
	header.Secret = true
	s.Rereads(&l.auth)
	s.Rereads(&l.header)
	s.Bool(&l.Resolve, "proxy-resolve", "look the target up here, and send the proxy its address").Alias("resolve")
}

// credentials returns what the proxy is told; the user "" means nothing.
func (l *HTTPConnect) credentials() (user, password string) {
	if l.auth.IsZero() {
		return l.User, l.Password.Text()
	}
	user, password, _ = strings.Cut(l.auth.Text(), ":")
	return user, password
}

// checkAuth wants USER:PASSWORD, and nothing that a header cannot hold.
func checkAuth(text string) error {
	user, password, _ := strings.Cut(text, ":")
	switch {
	case user == "" || password == "":
		return &opt.ValueError{Msg: "must be USER:PASSWORD, neither of them empty"}
	case !isFieldValue(text):
		return &opt.ValueError{Msg: "must have no control characters"}
	}
	return nil
}

func checkField(line string) error {
	if _, err := parseField(line); err != nil {
		return &opt.ValueError{Msg: "must be a header such as 'X-Name: value'"}
	}
	return nil
}

// secretList is the values of an option that may be given more than once.
type secretList []opt.Secret

// Secrets implements [opt.Secrets].
func (l *secretList) Secrets() []opt.Secret { return *l }

// Validate finds a user name or a header that cannot be sent.
func (l *HTTPConnect) Validate() error {
	if strings.Contains(l.User, ":") || !isFieldValue(l.User+l.Password.Text()) {
		return usage("a user name for an http proxy has no colon, and neither name nor password has control characters")
	}
	if l.User == "" && !l.Password.IsZero() {
		return usage("a password for an http proxy needs a user name")
	}
	for _, line := range l.Header {
		if _, err := parseField(line); err != nil {
			return transport.Mark(err, transport.ErrUsage)
		}
	}
	return nil
}

// Wrap asks the proxy at the other side of inner. The Conn has the target for its
// RemoteAddr.
func (l *HTTPConnect) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	if side != transport.Dialed {
		return nil, wrongSide(inner, kindHTTPConnect, "connect")
	}
	var to target
	var early []byte
	err := handshake(ctx, kindHTTPConnect, inner, func(s transport.Stream) (err error) {
		if err := l.Validate(); err != nil {
			return err
		}
		if to, err = clientTarget(ctx, l.Target); err != nil {
			return err
		}
		if l.Resolve && !to.addr.IsValid() {
			addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", to.name)
			if err != nil {
				return err
			}
			to = target{name: addrs[0].Unmap().String(), addr: addrs[0].Unmap(), port: to.port}
		}
		if _, err := s.Write(l.request(to)); err != nil {
			return err
		}
		early, err = l.readReply(s)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := newConn(kindHTTPConnect, inner.(transport.Stream), early)
	c.showAs(to.netAddr())
	return c, nil
}

// request returns the head of the request. Host repeats the target (RFC 9112,
// section 3.2.3).
func (l *HTTPConnect) request(to target) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", to, to)
	if user, password := l.credentials(); user != "" {
		b.WriteString("Proxy-Authorization: " + basicAuth(user, password) + "\r\n")
	}
	for _, line := range l.Header {
		b.WriteString(line + "\r\n")
	}
	for _, line := range l.header {
		b.WriteString(line.Text() + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// readReply reads answers up to the first that is final, and returns what came
// behind it. After a 2xx the tunnel begins with the blank line, whatever the
// header says about a length (RFC 9110, section 9.3.6).
func (l *HTTPConnect) readReply(s transport.Stream) (early []byte, err error) {
	for total := 0; ; {
		head, rest, err := readHead(s, early, looksLikeHTTP)
		if err != nil {
			return nil, err
		}
		status, reason, err := parseStatus(head)
		if err != nil {
			return nil, err
		}
		switch {
		case status == 101 || status >= 300:
			return nil, l.refused(status, reason, head)
		case status >= 200:
			return rest, nil
		}
		// An interim answer (RFC 9110, section 15.2).
		if total += len(head); total > maxHead {
			return nil, errHeadTooLong
		}
		early = rest
	}
}

// looksLikeHTTP finds out early that the other side speaks something else, which
// might never send a blank line.
func looksLikeHTTP(b []byte) error {
	const start = "HTTP/1."
	if n := min(len(b), len(start)); string(b[:n]) != start[:n] {
		return fmt.Errorf("this is not an HTTP proxy: its answer begins with %.16q", b)
	}
	return nil
}

// parseStatus reads the first line of a head (RFC 9112, section 4).
func parseStatus(head []byte) (status int, reason string, err error) {
	if err := looksLikeHTTP(head); err != nil {
		return 0, "", err
	}
	line, _, _ := strings.Cut(string(head), "\n")
	_, line, _ = strings.Cut(strings.TrimSuffix(line, "\r"), " ")
	code, reason, _ := strings.Cut(line, " ")
	status, err = strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 100 {
		return 0, "", errors.New("the HTTP proxy answers without a status")
	}
	return status, printable(reason), nil
}

// printable returns the start of a text from the network, fit to be shown.
func printable(s string) string {
	s = s[:min(len(s), 80)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// refused returns the error for a final answer that is not a 2xx.
func (l *HTTPConnect) refused(status int, reason string, head []byte) error {
	err := fmt.Errorf("the proxy answers %d %s", status, reason)
	switch status {
	case 401, 403:
		return transport.Mark(err, transport.ErrDenied)
	case 407: // Proxy Authentication Required
		err = transport.Mark(err, transport.ErrDenied)
		if !bytes.Contains(bytes.ToLower(head), []byte("proxy-authenticate: basic")) {
			return transport.WithHint(err, "it does not offer basic authentication, and there is no other way here")
		}
		if user, _ := l.credentials(); user == "" {
			return transport.WithHint(err, "give it a user name and password: http://USER:PASSWORD@HOST")
		}
		return transport.WithHint(err, "it does not take the user name and password")
	case 405, 501:
		return transport.WithHint(err, "it may not be a proxy, or not one that allows CONNECT")
	case 504: // Gateway Timeout
		return transport.Mark(err, syscall.ETIMEDOUT)
	}
	return err
}
