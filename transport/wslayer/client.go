package wslayer

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// request does the handshake of a client (RFC 6455, section 4.1).
func (l *Layer) request(br *bufio.Reader, inner transport.Stream) (agreement, error) {
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	if _, err := inner.Write([]byte(l.requestText(key, inner.Info().TLS != nil))); err != nil {
		return agreement{}, err
	}
	first, fields, err := readHead(br)
	if err != nil {
		return agreement{}, readHeadError(err)
	}
	status, err := parseStatus(first)
	if err != nil {
		return agreement{}, err
	}
	if status != 101 {
		return agreement{}, l.refused(status, first, fields)
	}
	switch {
	case !hasToken(fields["Upgrade"], "websocket"), !hasToken(fields["Connection"], "upgrade"),
		fields.Get("Sec-Websocket-Accept") != acceptKey(key):
		return agreement{}, errors.New("the server's answer is not that of a WebSocket")
	}
	return l.agreed(fields)
}

func (l *Layer) requestText(key string, secure bool) string {
	var b strings.Builder
	b.WriteString("GET " + l.target() + " HTTP/1.1\r\nHost: " + l.hostField(secure) +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\n")
	if len(l.Origins) > 0 {
		b.WriteString("Origin: " + l.Origins[0] + "\r\n")
	}
	if len(l.Protocols) > 0 {
		b.WriteString("Sec-WebSocket-Protocol: " + strings.Join(l.Protocols, ", ") + "\r\n")
	}
	if l.Deflate {
		b.WriteString("Sec-WebSocket-Extensions: " + deflateOffer + "\r\n")
	}
	if a := l.authorization(); a != "" {
		b.WriteString("Authorization: " + a + "\r\n")
	}
	l.writeHeaders(&b)
	b.WriteString("\r\n")
	return b.String()
}

// target is the request target: the path with its query, escaped.
func (l *Layer) target() string {
	path, query, has := strings.Cut(l.Path, "?")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	path = escape(path)
	if has {
		path += "?" + escape(query)
	}
	return path
}

// escape escapes what cannot stand in a request and leaves all else, also escapes,
// as somebody wrote it.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '#' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// authorization is the value of Authorization, "" for none.
func (l *Layer) authorization() string {
	user, password := l.User, l.Password.Text()
	if user == "" {
		user = l.at.User
	}
	if password == "" {
		password = l.at.Password
	}
	switch {
	case !l.Token.IsZero():
		return "Bearer " + l.Token.Text() // RFC 6750, section 2.1
	case user != "" || password != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) // RFC 7617
	}
	return ""
}

// parseStatus reads the status of a status line (RFC 9112, section 4).
func parseStatus(line string) (int, error) {
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(code) != 3 {
		return 0, errors.New("the server does not speak HTTP/1")
	}
	return status, nil
}

func readHeadError(err error) error {
	var p textproto.ProtocolError
	if errors.As(err, &p) {
		return errors.New("the other side's header is not one of HTTP")
	}
	return err
}

// refused is the error for an answer that is not 101. What the server wrote is
// quoted: it may hold anything. No advice repeats it.
func (l *Layer) refused(status int, line string, fields textproto.MIMEHeader) error {
	_, said, _ := strings.Cut(line, " ")
	err := fmt.Errorf("the server answered %s", quote(said))
	path, _, _ := strings.Cut(l.target(), "?") // the query may be secret
	switch {
	case status == 401 || status == 407:
		return transport.Mark(transport.WithHint(err, "it wants user= and password=, or token="), transport.ErrDenied)
	case status == 403:
		return transport.Mark(transport.WithHint(err, "it may want another origin= or host="), transport.ErrDenied)
	case status >= 300 && status < 400 && fields.Get("Location") != "":
		err = fmt.Errorf("%w and sends us to %s", err, quote(fields.Get("Location")))
		return transport.WithHint(err, "redirects are not followed")
	case status == 404:
		return transport.WithHint(err, fmt.Sprintf("there is no WebSocket at %q", path))
	case status == 200:
		return transport.WithHint(err, fmt.Sprintf("there is a page and no WebSocket at %q", path))
	}
	return err
}

// quote makes a text of the other side's fit for an error.
func quote(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%q...", s[:200])
	}
	return fmt.Sprintf("%q", s)
}

// agreed reads what the server chose. It may only choose what was offered
// (section 4.1, and RFC 7692, section 7.1).
func (l *Layer) agreed(fields textproto.MIMEHeader) (agreement, error) {
	var a agreement
	if chosen := tokens(fields["Sec-Websocket-Protocol"]); len(chosen) > 0 {
		if len(chosen) > 1 || !slices.Contains(l.Protocols, chosen[0]) {
			return a, fmt.Errorf("the server chose the subprotocol %s, which was not offered", quote(strings.Join(chosen, ", ")))
		}
		a.protocol = chosen[0]
	}
	exts := fields["Sec-Websocket-Extensions"]
	if len(tokens(exts)) == 0 { // no field, or an empty one
		return a, nil
	}
	if !l.Deflate || !deflateAccepted(exts) {
		return a, fmt.Errorf("the server chose the extensions %s, which were not offered", quote(strings.Join(exts, ", ")))
	}
	a.deflate = deflateOffer
	return a, nil
}
