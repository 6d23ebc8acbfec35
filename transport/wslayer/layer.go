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
// clients that are not web pages of other sites. All connections of a Layer share its
// Memory, so that it must not be copied once it has been used.
type Layer struct {
	// Path is what is asked for, with its query. A listener with a Path
	// answers others with 404.
	Path string

	// Hosts replaces the Host of a request, which has one. A listener accepts
	// requests for these hosts, besides its own address and names of loopback: for
	// any port, where none is written; "*" is any.
	Hosts []string

	// Origins is sent with a request, which has one. A listener accepts web pages
	// from these sites, such as "https://example.org", besides its own; "*" is any.
	Origins []string

	Headers   []string // "Name: value", added to the request or to the answer
	Protocols []string // subprotocols offered, or accepted, the best first

	// User and Password, or Token, are sent with a request. A listener that has
	// a Password or a Token answers requests without it with 401; if it has a User,
	// it must have a Password. A web page, which cannot send headers, puts the token
	// into the query: ?token=...
	User            string
	Password, Token opt.Secret

	MaxMessage int64 // longest message in bytes, after decompression; 0 means DefaultMaxMessage

	// Memory is what all connections may hold together, in bytes, of messages that are
	// longer than 64 KiB, as they come and until the next one is read, also where the
	// joint waits for the other end to take them. Besides, a connection has at most
	// 256 KiB for itself. One that finds no memory left reads nothing until there is,
	// and is closed with status 1013 after half a minute. 0 means DefaultMemory, or
	// three times MaxMessage if that is more.
	Memory int64

	Deflate      bool          // compress messages if the other side can (RFC 7692)
	Ping         time.Duration // send a ping so often; 0 means never
	PingTimeout  time.Duration // how long after one nothing need be heard; 0 means DefaultPingTimeout
	CloseTimeout time.Duration // how long Close waits for the other side's; 0 means DefaultCloseTimeout, negative not at all

	budget budget // of all connections

	at address.Host // the target
}

var (
	_ transport.Layer     = (*Layer)(nil)
	_ transport.Validator = (*Layer)(nil)
	_ transport.Guard     = (*Layer)(nil)
)

// Authenticates tells whether clients need a password or a token.
func (l *Layer) Authenticates() bool { return !l.Password.IsZero() || !l.Token.IsZero() }

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
	if err := transport.Validate(l, side); err != nil {
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
	inTime := stop()
	if r := (*refusal)(nil); errors.As(err, &r) {
		return nil, err // whether or not the client was told in time
	}
	if !inTime {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	src.left = -1
	return newConn(l, stream, src, br, side, agreed), nil
}
