package link

import (
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Errors of streams. Those by which a stream is lost match [peer.ErrUnreachable], too.
var (
	// ErrReset: the other side has aborted the stream.
	ErrReset = errors.New("stream reset by the peer")

	// ErrStopped: the other side reads no more.
	ErrStopped = errors.New("the peer reads no more of the stream")

	// ErrForgotten: the other side does not know the stream any more.
	ErrForgotten = transport.Mark(errors.New("the peer does not know the stream any more, as after a restart"), peer.ErrUnreachable)

	// ErrBusy: the other side has as many streams as it takes.
	ErrBusy = transport.Mark(errors.New("the peer takes no more streams now"), peer.ErrUnreachable)

	errTooMany = transport.Mark(errors.New("there are too many streams"), peer.ErrUnreachable)

	// errNotTaken: Close or Abort has waited for as long as the session survives.
	errNotTaken = errors.New("the peer has not taken all that was written")
)

// A reason says why a handshake is refused.
type reason uint64

const (
	refusedProtocol reason = iota + 1
	refusedNoProtocol
	refusedBusy
	refusedUnknown
	refusedFinished
	refusedStale
)

// err returns what the reason means for who has opened a session.
func (r reason) err() error {
	switch r {
	case refusedNoProtocol:
		return peer.ErrNoProtocol
	case refusedBusy:
		return ErrBusy
	case refusedUnknown:
		return ErrForgotten
	}
	return fmt.Errorf("%w: refused for reason %d", ErrProtocol, r)
}
