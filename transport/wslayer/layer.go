// Package wslayer puts WebSocket messages (RFC 6455) over any stream, on either
// side: the layer ws, and the kinds ws, wss and their listeners that are made of it.
//
// A message is text or binary, which Meta.Text tells. Fragments are put together
// up to a limit, text must be UTF-8, and pings are answered while somebody reads.
// A close frame ends both directions: one with status 1000, 1001 or none is a clean
// end, another is a [CloseError]; a connection that ends without one has been cut,
// which is an error. There is no half-close; what a Conn says at its end is chosen by
// [Conn.SetCloseStatus].
//
// Web pages can open WebSockets to any address that their reader can reach. A
// listener therefore refuses requests whose Host is not its own or whose Origin is
// another site; see [Layer].
package wslayer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// What the zero values of a Layer's fields mean.
const (
	DefaultMaxMessage   = 16 << 20
	DefaultMemory       = 64 << 20
	DefaultPingTimeout  = 10 * time.Second
	DefaultCloseTimeout = 2 * time.Second
)

// A Layer is WebSocket. The zero Layer asks for "/", and accepts any path from
// clients that are not web pages of other sites.
type Layer struct {
	// Path is what is asked for, with its query. A listener with a Path
	// answers others with 404.
	Path string

	// Hosts replaces the Host of a request with its first element. A listener
	// accepts requests for these hosts, with or without port, besides its own
	// address and names of loopback; "*" is any.
	Hosts []string

	// Origins are sent with a request: the first. A listener accepts web pages
	// from these sites, such as "https://example.org", besides its own; "*" is any.
	Origins []string

	Headers   []string // "Name: value", added to the request or to the answer
	Protocols []string // subprotocols offered, or accepted, the best first

	// User and Password, or Token, are sent with a request. A listener that has
	// a Password or a Token answers requests without it with 401. A web page,
	// which cannot send headers, puts it into the query: ?token=...
	User, Password, Token string

	MaxMessage   int64         // longest message in bytes, after decompression; 0 means DefaultMaxMessage
	Memory       int64         // what all connections hold together of messages; see below; 0 means DefaultMemory
	Deflate      bool          // compress messages if the other side can (RFC 7692)
	Ping         time.Duration // send a ping so often; 0 means never
	PingTimeout  time.Duration // how long after one nothing need be heard; 0 means DefaultPingTimeout
	CloseTimeout time.Duration // how long Close waits for the other side's; 0 means DefaultCloseTimeout, negative not at all

	memory memory // of all connections

	at address.Host // the target
}

var (
	_ transport.Layer     = (*Layer)(nil)
	_ transport.Validator = (*Layer)(nil)
	_ transport.Guard     = (*Layer)(nil)
)

// Bind binds the options and learns host, path and credentials from the target.
func (l *Layer) Bind(s *opt.Set) {
	s.Group("WebSocket")
	s.String(&l.Path, "path", "path", "ask for this path, or accept requests for it only (default: the target's)").Mask = maskQuery
	s.Strings(&l.Hosts, "host", "name", "send this Host; listening: accept it too, * for any")
	s.Strings(&l.Origins, "origin", "url", "send this Origin; listening: accept pages from there, * for any")
	s.Strings(&l.Headers, "header", "name: value", "add a header to the request or the answer")
	s.Strings(&l.Protocols, "protocol", "name", "offer or accept this subprotocol").Alias("subprotocol")
	s.String(&l.User, "user", "name", "name for basic authentication; listening: the only one accepted")
	s.Secret(&l.Password, "password", "password to send; listening: to ask for")
	s.Secret(&l.Token, "token", "bearer token to send; listening: to ask for, also as ?token= in the path")
	s.Size(&l.MaxMessage, "max-message", DefaultMaxMessage, "longest message")
	s.Size(&l.Memory, "memory", DefaultMemory, "what all connections together may hold of long messages")
	s.Bool(&l.Deflate, "deflate", "compress messages if the other side can")
	s.Duration(&l.Ping, "ping", 0, 0, "send a ping so often")
	s.Duration(&l.PingTimeout, "ping-timeout", DefaultPingTimeout, -1, "give up if nothing is heard for so long after a ping")
	s.Duration(&l.CloseTimeout, "close-timeout", DefaultCloseTimeout, -1, "wait so long for the other side to say goodbye")
	s.OnHost(func(h address.Host) error {
		l.at = h
		if h.Path != "" && l.Path == "" {
			l.Path = h.Path
		}
		return nil
	})
}

// Validate checks what goes into a header.
func (l *Layer) Validate() error { return transport.Mark(l.validate(), transport.ErrUsage) }

func (l *Layer) validate() error {
	for _, h := range l.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || !isToken(name) || !isFieldValue(value) {
			return errors.New("header= is written 'Name: value'")
		}
		if reservedHeader(name) {
			return fmt.Errorf("header=: %s is part of the handshake", textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	for _, p := range l.Protocols {
		if !isToken(p) {
			return fmt.Errorf("protocol=: %q is not a token", p)
		}
	}
	for name, values := range map[string][]string{"host": append(l.Hosts[:len(l.Hosts):len(l.Hosts)], l.at.Name), "origin": l.Origins} {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				return fmt.Errorf("%s=: a space or control character cannot be sent", name)
			}
		}
	}
	if l.Memory > 0 && l.Memory < minMemory*l.maxMessage() {
		return fmt.Errorf("memory= must be at least %d times max-message=, which is %s", minMemory, opt.FormatSize(l.maxMessage()))
	}
	if strings.ContainsFunc(l.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("token= must be letters, digits and marks of ASCII")
	}
	if strings.Contains(l.User, ":") {
		return errors.New("user=: a name for basic authentication has no colon") // RFC 7617, section 2
	}
	return nil
}

// Authenticates tells whether clients need a password or a token.
func (l *Layer) Authenticates() bool { return l.Password != "" || l.Token != "" }

// Wrap does the handshake. The inner Conn must be a Stream.
func (l *Layer) Wrap(ctx context.Context, inner transport.Conn, side transport.Side) (transport.Conn, error) {
	c, err := l.wrap(ctx, inner, side)
	if err != nil {
		inner.Close()
		return nil, err
	}
	return c, nil
}

func (l *Layer) wrap(ctx context.Context, inner transport.Conn, side transport.Side) (*Conn, error) {
	stream, ok := inner.(transport.Stream)
	if !ok {
		return nil, transport.Mark(errors.New("ws goes over streams of bytes, not over messages"), transport.ErrUsage)
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { inner.Close() })
	src := &source{r: stream, left: maxHead}
	br := bufio.NewReaderSize(src, bufferSize)
	var agreed agreement
	var err error
	if side == transport.Dialed {
		agreed, err = l.request(br, stream)
	} else {
		agreed, err = l.answer(br, stream)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	src.left = -1
	return newConn(l, stream, src, br, side, agreed), nil
}

// maskQuery leaves out the query of a path, in which tokens travel.
func maskQuery(path string) string {
	before, _, found := strings.Cut(path, "?")
	if found {
		before += "?…"
	}
	return before
}
