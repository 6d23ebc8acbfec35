package peer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Errors of every Network. Test for them with [errors.Is].
var (
	// ErrUnreachable: there is no way to the peer, or there is none any more.
	ErrUnreachable = errors.New("the peer cannot be reached")

	// ErrNotAdmitted: the peer does not let us in, or we do not let it.
	ErrNotAdmitted = errors.New("the peer does not know us")

	// ErrNoProtocol: the peer does not serve the protocol.
	ErrNoProtocol = errors.New("the peer does not speak the protocol")
)

// An OpenError is why a stream could not be opened. Every Network returns one.
type OpenError struct {
	Proto string
	To    ID
	Err   error
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("open %s at %s: %v", e.Proto, e.To.Short(), e.Err)
}
func (e *OpenError) Unwrap() error { return e.Err }

// A Network carries streams between peers that have proved who they are. What is
// in a stream only those two can read and change. All methods may be called from
// any goroutine at any time.
//
// A Network decides who may talk to it at all, by a function that it was made with,
// before any handler sees a byte. What a peer that is in may do is for the handlers.
type Network interface {
	// Self returns who this Network is. It does not change.
	Self() ID

	// Open opens a stream to a peer, which must serve proto: when it returns
	// without an error, the peer's handler has been started or is about to be.
	// Errors match [ErrUnreachable], [ErrNotAdmitted] or [ErrNoProtocol], or the
	// context's. The context bounds the call, not the stream.
	//
	// The stream can be half-closed, has deadlines and is a [transport.Aborter];
	// its other side then gets an error, and never an end of file. A stream that
	// is lost with the way to the peer ends with errors that match
	// [ErrUnreachable]. Whose stream it is says [Of].
	Open(ctx context.Context, to ID, proto string) (transport.Stream, error)

	// Serve has h called for each stream that an admitted peer opens for proto,
	// each in a goroutine of its own. h owns the stream; when it returns, the
	// stream is closed. After stop has returned h is not called any more; calls
	// that are under way go on, and stop may be called by one of them, and more
	// than once. Who serves a protocol twice at a time has a bug: Serve panics.
	Serve(proto string, h func(transport.Stream)) (stop func())

	// Links yields the ways that there are to other peers now, and ends. A peer
	// can have several.
	Links() iter.Seq[Link]

	// LinksChanged returns a channel that is closed when Links yields something
	// else than at the time of the call. Changes in quick succession may be told
	// as one: the channel is a hint, and Links is the truth.
	LinksChanged() <-chan struct{}
}

// A Path says in what manner a link reaches the peer.
type Path string

// The paths.
const (
	Direct  Path = "direct"
	Relayed Path = "relayed"
)

// A Pathed stream of a Network tells over which path it goes. Its peer may have a better
// link, one perhaps of which nobody has noticed yet that it is dead.
type Pathed interface{ Path() Path }

// A Link is a way to a peer.
type Link struct {
	Peer  ID
	Path  Path
	Addr  string    // at the other side, for people: "/ip4/192.0.2.1/udp/4001/quic-v1"
	Via   ID        // the relay, if it is relayed
	Since time.Time // when it came up
	RTT   time.Duration
}

// Of returns the peer at the other side of a Network's stream, who has proved it.
func Of(c transport.Conn) (ID, bool) {
	id, err := ParseID(c.Info().Peer)
	return id, err == nil
}
