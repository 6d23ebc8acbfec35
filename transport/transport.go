// Package transport defines the ends that Tenon joins: what every kind of end
// must do, what it may do, and how a kind describes itself. The kinds themselves
// are in the packages below it, a family each.
//
// An end carries either bytes or messages, and its type says which: a [Stream]
// has no boundaries to lose, a [MsgConn] has boundaries that must survive.
//
// A context given to Dial, Listen or Wrap bounds that call only. What the call
// returns lives until its Close, whatever becomes of the context.
package transport

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"time"

	"github.com/tenon-net/tenon/opt"
)

// A Conn is one open end. Its concrete type is a [Stream] or a [MsgConn], and
// never both. Reading and writing may go on at the same time from two
// goroutines; the other methods may be called from any goroutine at any time.
//
// An end of file read from a Conn ends that direction only, unless the Conn is an
// [Ender] and says otherwise.
type Conn interface {
	// CloseWrite says that nothing more will be written, once all that was
	// written has been handed on; reading goes on. It may be called more
	// than once. An end that has no way to say so returns an error matching
	// [errors.ErrUnsupported]: it does not do nothing, and does not close
	// the Conn instead. What to do then is the joint's decision.
	CloseWrite() error

	// Close releases all that the Conn holds. Calls in progress return at
	// once with an error matching [net.ErrClosed], and so does from then on
	// every call that reads, writes, half-closes or sets a deadline, unless its
	// error says that the kind has no such thing. Close may be called more
	// than once; every call returns what the first did: nil, or how the end
	// ended, such as a failed flush or the exit status of a program.
	Close() error

	// Info returns what is known about the end. It does not change, and the
	// caller must not change it.
	Info() *Info

	// LocalAddr and RemoteAddr are never nil, and their String is never
	// empty; an end without a network address names itself, as in
	// "exec sort -u". RemoteAddr may be what the other side announced, in a
	// PROXY protocol header: it is for people and logs. Rights are decided by
	// [PeerAddr].
	LocalAddr() net.Addr
	RemoteAddr() net.Addr

	// The deadline methods are those of [net.Conn]. A kind without
	// deadlines returns an error matching [os.ErrNoDeadline].
	SetDeadline(t time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// A Stream carries bytes. Every Stream is a [net.Conn].
type Stream interface {
	Conn
	io.Reader
	io.Writer
}

// A MsgConn carries messages, each whole or not at all.
type MsgConn interface {
	Conn

	// ReadMsg reads one message into p. A message of no bytes is a message:
	// n == 0 with a nil error is not the end. The end, for the kinds that
	// have one, is [io.EOF]. Of a message longer than p the rest is lost, n
	// is len(p), and the error is [io.ErrShortBuffer]; the next call reads
	// the next message. With any other error n is 0: never negative, whatever
	// the system call beneath says.
	ReadMsg(p []byte) (n int, m Meta, err error)

	// WriteMsg sends p as one message. It does not keep or change p. A
	// message longer than MaxMsg is an error matching [ErrMsgTooLong] and
	// nothing of it is sent.
	WriteMsg(p []byte, m Meta) error

	// MaxMsg is the length in bytes of the longest message that WriteMsg
	// takes and ReadMsg returns.
	MaxMsg() int
}

// Meta is what travels beside a message. The zero Meta is right for most.
type Meta struct {
	Text bool     // the message is text, where the kind tells text from binary
	From net.Addr // the sender, where it can differ from RemoteAddr
}

// Info is what is known about an end beyond its addresses. A nil or empty field
// means that there is no such thing or that the system does not tell.
type Info struct {
	Kind string               // name of the kind, outermost layer first: "ws+tls+tcp"
	TLS  *tls.ConnectionState // of the outermost TLS layer
	Cred *Cred                // what the kernel vouches for
	Peer string               // who the other side proved to be: a key, a certificate's name, a proxy user

	// Socket is the address that the system vouches for, where RemoteAddr is
	// one that the other side only announced. Layers hand it on.
	Socket net.Addr

	// Reads and Writes are the regular files that the end is, in each direction;
	// see [CheckSameFile].
	Reads, Writes os.FileInfo
}

// PeerAddr returns the address of the socket at the other side, whatever the other
// side announces about itself. Every decision about rights asks it: whether a
// client is local, an address filter, a limit for each address.
func PeerAddr(c Conn) net.Addr {
	if a := c.Info().Socket; a != nil {
		return a
	}
	return c.RemoteAddr()
}

// Cred identifies the process at the other end, as the kernel saw it when the
// connection was made. It may have passed the socket on since. PID is 0 for one in a
// pid namespace that this process does not see into, as in another container.
type Cred struct {
	PID, UID, GID int
}

// An Aborter can end so that the other side sees a failure and not an end of
// file: a TCP reset, a stream reset, a TLS close without its alert. A joint
// calls Abort instead of Close on one end when the other end failed, so that
// cut-off data does not look complete. Close may follow and does nothing more. Other
// calls return what they do after Close, or an error matching [ErrAborted].
type Aborter interface {
	Abort(cause error) error
}

// An Unwrapper is a Conn around another that changes none of its bytes and
// messages: whoever reads and writes the inner one loses nothing. Layers such as
// TLS are not Unwrappers. Code that looks for an optional interface looks through
// Unwrappers; see [As].
type Unwrapper interface {
	Unwrap() Conn
}

// As returns the first of c, its Unwrap, and so on, that is a T.
func As[T any](c Conn) (t T, ok bool) {
	for c != nil {
		if t, ok = c.(T); ok {
			return t, true
		}
		u, isWrapper := c.(Unwrapper)
		if !isWrapper {
			break
		}
		c = u.Unwrap()
	}
	return t, false
}

// A Wrapper is a Conn on another whose bytes or messages it changes: a rate limit, a
// translation of line ends, a framing. It is no [Unwrapper], so that nobody goes around
// it, but what the inner one tells of itself still holds; see [About].
type Wrapper interface {
	Inner() Conn
}

// About returns the first of c and all that it stands on that is a T, through
// Unwrappers and Wrappers. It is for interfaces that tell something of an end or steer
// it beside the data: [Ender], [StatusCloser], [Caller], [Sizer]. For those that move
// its data use [As].
func About[T any](c Conn) (t T, ok bool) {
	for c != nil {
		if t, ok = As[T](c); ok {
			return t, true
		}
		for {
			u, isWrapper := c.(Unwrapper)
			if !isWrapper {
				break
			}
			c = u.Unwrap()
		}
		w, isWrapper := c.(Wrapper)
		if !isWrapper {
			break
		}
		c = w.Inner()
	}
	return t, false
}

// A Detacher is a Stream over a socket or pipe that can give its descriptor up,
// so that a joint can have the kernel move the bytes.
type Detacher interface {
	// Detach returns the descriptor, non-blocking and close-on-exec, which
	// the caller owns from then on. After it, Read and Write return an
	// error matching [net.ErrClosed]; Info and the addresses still answer,
	// and Close only releases what else the Conn holds. The error matches
	// [errors.ErrUnsupported], and the Conn goes on as before, where bytes
	// have been read ahead or there is no descriptor to give.
	Detach() (fd int, err error)
}

// An Endpoint is a description that can be opened: a struct with an exported
// field for each option, whose zero value means the defaults. It is at the
// same time the typed API for Go programs and, through Bind, the meaning of an
// address. Bind does no I/O. An Endpoint does not change once it has been
// opened, and may be opened many times, also at the same time.
type Endpoint interface {
	Bind(*opt.Set)
}

// A Dialer is an Endpoint that opens one Conn at a time.
type Dialer interface {
	Endpoint
	Dial(ctx context.Context) (Conn, error)
}

// A Beginner is a Dialer that can open an end without waiting, if things are so.
type Beginner interface {
	// Begin starts to open the end and waits for nothing. It returns the Conn
	// if that is there already, as a connection over loopback is; or the
	// way to wait for it, which must be called, and once; or nothing, where
	// Dial is the only way: a name would have to be looked up, say.
	Begin() (c Conn, wait func(context.Context) (Conn, error), err error)
}

// A Listener is an Endpoint that waits for Conns to arrive.
type Listener interface {
	Endpoint
	Listen(ctx context.Context) (Acceptor, error)
}

// An Acceptor hands out Conns in the order they are ready. Accept does not wait
// for handshakes: a slow client must not hold up the next one. After Close,
// Accept returns an error matching [net.ErrClosed]; accepted Conns live on. Any
// other error is about one Conn, and Accept may be called again.
type Acceptor interface {
	Accept() (Conn, error)
	Addr() net.Addr
	Close() error
}

// A Layer is an Endpoint that needs another end beneath it, such as TLS or
// WebSocket framing. Wrap owns inner from the moment it is called, also when it
// fails: then it has closed inner. When ctx ends before the handshake does, Wrap
// closes inner and returns an error matching the context's.
type Layer interface {
	Endpoint
	Wrap(ctx context.Context, inner Conn, side Side) (Conn, error)
}

// Side says which part a Layer plays in a handshake.
type Side int

// The end that dialed and the end that accepted.
const (
	Dialed Side = iota
	Accepted
)

// A Guard is an Endpoint that knows how its listeners let clients in, and says so
// before a program is put behind them.
type Guard interface {
	Authenticates() bool // no client gets through without proving who it is
}

// A Reloader is an Endpoint that has read files that its options name, such as
// certificates and keys, and can read them again while its listeners go on.
// Connections that are there stay as they are; those that come later meet the new
// files.
type Reloader interface {
	// Reload reads and checks everything again and changes nothing: if that
	// fails, what was there goes on. If it succeeds, commit puts all of it in
	// place at once. Who reloads several Endpoints commits when all have
	// succeeded.
	Reload() (commit func(), err error)
}

// A MsgLender is a MsgConn whose messages may be much shorter than MaxMsg, so
// that nobody wants to hold a buffer of that size.
type MsgLender interface {
	// LendMsg is ReadMsg into a buffer of the MsgConn's own, which is valid
	// until the next LendMsg or ReadMsg.
	LendMsg() (p []byte, m Meta, err error)
}
