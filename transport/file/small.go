package file

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Null is at its end from the start, and discards what is written to it. Neither ends
// the other: all that comes is discarded until its own end, as it is by [Text], [Zero]
// and [Random].
type Null struct{}

// Text has a text to read, and discards what is written to it.
type Text struct {
	Text   string     // with escapes: \n \r \t \0 \\ and \xHH, unless Escape is off
	Escape opt.Switch // on
}

// Zero has zero bytes to read, and discards what is written to it.
type Zero struct {
	Size int64 // how many; 0 means without end
}

// Random has random bytes to read, and discards what is written to it.
type Random struct {
	Size int64  // how many; 0 means without end
	Seed string // if not "", the bytes are the same every time
}

var (
	_ transport.Dialer    = (*Null)(nil)
	_ transport.Dialer    = (*Text)(nil)
	_ transport.Validator = (*Text)(nil)
	_ transport.Dialer    = (*Zero)(nil)
	_ transport.Dialer    = (*Random)(nil)
)

// Bind binds nothing.
func (*Null) Bind(*opt.Set) {}

// Bind binds the options, and the target as the text.
func (t *Text) Bind(s *opt.Set) {
	s.Target(opt.Text, "TEXT", func(a address.Target) error { t.Text = a.Text; return nil })
	s.Switch(&t.Escape, "escape", true, `\n \r \t \0 \\ and \xHH in the text stand for other bytes`)
}

// Bind binds the target as the size.
func (z *Zero) Bind(s *opt.Set) { s.Target(opt.Text, "[SIZE]", sizeTarget(&z.Size)) }

// Bind binds the options, and the target as the size.
func (r *Random) Bind(s *opt.Set) {
	s.Target(opt.Text, "[SIZE]", sizeTarget(&r.Size))
	s.String(&r.Seed, "seed", "text", "bytes that are the same every time, for tests; not fit for secrets")
}

func pathTarget(p *string) func(address.Target) error {
	return func(t address.Target) error { *p = t.Text; return nil }
}

func sizeTarget(p *int64) func(address.Target) error {
	return func(t address.Target) (err error) {
		if t.Text != "" {
			*p, err = opt.ParseSize(t.Text)
		}
		return err
	}
}

// Validate finds fault with the escapes.
func (t *Text) Validate() error {
	_, err := t.bytes()
	return transport.Mark(err, transport.ErrUsage)
}

// Dial opens the end.
func (*Null) Dial(ctx context.Context) (transport.Conn, error) {
	return discarding(ctx, "null", "null", nil)
}

// Dial opens the end.
func (t *Text) Dial(ctx context.Context) (transport.Conn, error) {
	text, err := t.bytes()
	if err != nil {
		return nil, transport.Mark(err, transport.ErrUsage)
	}
	c, err := discarding(ctx, "text", "text", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return &textStream{c.(*stream), utf8.Valid(text)}, nil
}

// A textStream is a stream of which somebody has written what is read.
type textStream struct {
	*stream
	valid bool
}

// Textual tells whether what is read is text, so that an end which tells text messages
// from binary ones gets it as such.
func (t *textStream) Textual() bool { return t.valid }

// Dial opens the end.
func (z *Zero) Dial(ctx context.Context) (transport.Conn, error) {
	return discarding(ctx, "zero", "zero", limited(zeros{}, z.Size))
}

// Dial opens the end. The bytes come from ChaCha8, with a seed from the system.
func (r *Random) Dial(ctx context.Context) (transport.Conn, error) {
	seed := sha256.Sum256([]byte(r.Seed))
	if r.Seed == "" {
		rand.Read(seed[:])
	}
	return discarding(ctx, "random", "random", limited(mathrand.NewChaCha8(seed), r.Size))
}

// bytes returns the text with its escapes resolved.
func (t *Text) bytes() ([]byte, error) {
	if !t.Escape.Or(true) {
		return []byte(t.Text), nil
	}
	var b []byte
	for text := t.Text; text != ""; {
		i := bytes.IndexByte([]byte(text), '\\')
		if i < 0 {
			return append(b, text...), nil
		}
		b, text = append(b, text[:i]...), text[i+1:]
		if text == "" {
			return nil, errors.New(`there is nothing after the last backslash; for a backslash itself write \\`)
		}
		switch text[0] {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case '0':
			b = append(b, 0)
		case '\\':
			b = append(b, '\\')
		case 'x':
			n, err := strconv.ParseUint(text[1:min(3, len(text))], 16, 8)
			if err != nil || len(text) < 3 {
				return nil, errors.New(`\x needs two hexadecimal digits`)
			}
			b, text = append(b, byte(n)), text[2:]
		default:
			return nil, errors.New(`\` + text[:1] + ` stands for nothing: write \n \r \t \0 \\ or \xHH, or escape=no`)
		}
		text = text[1:]
	}
	return b, nil
}

// discarding is an end that reads from r and takes whatever is written.
func discarding(ctx context.Context, kind, name string, r io.Reader) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := newStream(kind, name, nil, discard{})
	if r != nil {
		s.in = endless{r}
	}
	s.noDeadlines = true
	return s, nil
}

func limited(r io.Reader, n int64) io.Reader {
	if n == 0 {
		return r
	}
	return io.LimitReader(r, n)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// endless is an input that never waits.
type endless struct{ io.Reader }

func (endless) Close() error                    { return nil }
func (endless) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// discard is an output that takes everything.
type discard struct{}

func (discard) Write(p []byte) (int, error)      { return len(p), nil }
func (discard) Close() error                     { return nil }
func (discard) CloseWrite() error                { return nil }
func (discard) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
