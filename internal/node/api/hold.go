package api

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/transport"
)

// HoldProtocol is what a connection to the control socket is upgraded to on which a
// client has the node hold what it dials: each message is a [HoldMessage] in JSON, one
// behind the other. So a program that joins its clients to services of peers gives the
// node the sockets of its clients, and no byte passes through the program itself. When
// the connection ends, all that the node holds for it is aborted.
const HoldProtocol = "tenon-hold"

// A HoldMessage is what either side says. The client begins, with a number that it has not
// used before; all that follows with this number is about the same end.
type HoldMessage struct {
	Number uint64 `json:"number"`

	Dial  *DialRequest `json:"dial,omitempty"`  // open a service, and hold it
	Adopt *Adoption    `json:"adopt,omitempty"` // join it to a socket, which goes with the first byte of the message
	Cut   bool         `json:"cut,omitempty"`   // abort it

	Opened *Opened   `json:"opened,omitempty"` // the answer to dial
	Error  *Error    `json:"error,omitempty"`  // or this
	Moved  *Moved    `json:"moved,omitempty"`  // now and then, while bytes move
	Ended  *JointEnd `json:"ended,omitempty"`  // the last answer to adopt
}

// Opened is a service that the node has opened and holds.
type Opened struct {
	Held    uint64  `json:"held"` // by this number POST /v1/hold/{number} fetches it, in place of adopt
	Carries Carries `json:"carries"`
	Peer    string  `json:"peer"`
	Name    string  `json:"name"`
}

// Adoption is how a held end and a socket are joined.
type Adoption struct {
	B          bool     `json:"b,omitempty"`           // the socket is the second end of the joint
	OneWay     bool     `json:"one_way,omitempty"`     // only from the first to the second
	Idle       Duration `json:"idle,omitempty"`        // as in package join
	Linger     Duration `json:"linger,omitempty"`      // likewise
	HalfClosed Duration `json:"half_closed,omitempty"` // likewise
}

// Moved is how many bytes have been written so far, from the first end to the second and back.
type Moved struct {
	AB int64 `json:"ab"`
	BA int64 `json:"ba"`
}

// JointEnd is how a joint has ended.
type JointEnd struct {
	AB    FlowEnd `json:"ab"`
	BA    FlowEnd `json:"ba"`
	Op    string  `json:"op,omitempty"`    // what has failed, at one end: read, write or close
	B     bool    `json:"b,omitempty"`     // that was at the second end
	Why   string  `json:"why,omitempty"`   // idle, or half-closed: for how long it was silent
	Error *Error  `json:"error,omitempty"` // nil if all went well
	Exit  *Exit   `json:"exit,omitempty"`  // how the peer's program has ended, if that is the error
}

// Exit is how a program has ended: code and reason of the close status of a [transport.ExitError].
type Exit struct {
	Code   uint64 `json:"code"`
	Reason string `json:"reason,omitempty"`
}

// FlowEnd is how one direction has ended.
type FlowEnd struct {
	Bytes int64  `json:"bytes"`
	Read  string `json:"read,omitempty"`  // how reading has ended: eof, or why it failed
	Write string `json:"write,omitempty"` // why writing failed
	First bool   `json:"first,omitempty"` // it ended before the other one
}

// Ways in which reading ends that are no failures, and reasons for which a joint is cut.
const (
	ReadEOF    = "eof"
	ReadLinger = "linger" // nothing came any more, after the other direction had ended
	Idle       = "idle"
	HalfClosed = "half-closed"
)

// ErrNotAdopted: the node cannot take the socket, and nothing has begun.
var ErrNotAdopted = errors.New("the node does not take the socket")

// Hold opens a service of a peer as Dial does. What it returns may be a [*Held], which the
// node can join to a socket itself.
func (c *Client) Hold(ctx context.Context, r DialRequest) (transport.Conn, error) {
	h, err := c.held(ctx)
	if err != nil {
		return nil, err
	}
	if h == nil { // this connection cannot carry sockets, or the node does not know how
		return c.Dial(ctx, r)
	}
	d, err := h.open(ctx, r)
	if err != nil {
		return nil, err
	}
	if d.opened.Carries == Bytes {
		return d, nil
	}
	return d.fetch(ctx)
}
