package api

import (
	"context"
	"iter"
	"net/http"
)

// SendRequest says what somebody is to be given by a code: files, a text, or what the
// caller gives itself, to whom it accepts at a service that it offers.
type SendRequest struct {
	Code string `json:"code,omitempty"` // that the other side shows; empty = show one
	Self string `json:"self,omitempty"` // what to suggest to the other side to call this node; empty = what is suggested to all

	Paths     []string `json:"paths,omitempty"` // absolute
	Exclude   []string `json:"exclude,omitempty"`
	Only      []string `json:"only,omitempty"`
	GitIgnore bool     `json:"gitignore,omitempty"`
	Up        int64    `json:"up,omitempty"` // bytes a second; 0 = no limit

	Text    string `json:"text,omitempty"`    // a short one
	Service string `json:"service,omitempty"` // of an offer of the caller, which the other side may use from then on
	Name    string `json:"name,omitempty"`    // what to call that; only shown
}

// ReceiveRequest takes what somebody sends.
type ReceiveRequest struct {
	Code string `json:"code,omitempty"` // that the other side shows; empty = show one
	Self string `json:"self,omitempty"`
}

// Sorts of a [SendEvent]; those of the code are the same as of a [PairEvent].
const (
	SendMet      = "met"      // the other side has used the code: Peer; both see the same Words. When it has received, Given is what
	SendProgress = "progress" // Share is how the files are sent
	SendCame     = "came"     // the other side has come for the files: Text
	SendLeft     = "left"     // the other side has gone, and can come again with the same code: Text
	SendDone     = "done"     // the other side has everything; Share tells what, if it was files
)

// A SendEvent is a step of sending or receiving. A failure is the error of the sequence.
type SendEvent struct {
	Type  string   `json:"type"`
	Code  string   `json:"code,omitempty"`
	Words []string `json:"words,omitempty"`
	Peer  *Peer    `json:"peer,omitempty"` // nothing of it is on record by this
	Text  string   `json:"text,omitempty"` // one line, harmless
	Share *Share   `json:"share,omitempty"`
	Given *Gift    `json:"given,omitempty"`
	Again bool     `json:"again,omitempty"` // the two have met by the code before, and go on
}

// A Gift is what somebody sends.
type Gift struct {
	Text    string `json:"text,omitempty"`    // as it was sent: not harmless
	Ticket  string `json:"ticket,omitempty"`  // of files, for Fetch
	Service string `json:"service,omitempty"` // ID/SERVICE, for Dial, for as long as the sequence goes on; it is what docs/protocol/sending.md says
	Name    string `json:"name,omitempty"`    // what the sender calls it, harmless
}

// What is said on the stream of [Gift.Service], a byte each: docs/protocol/sending.md.
const (
	GiftAll      = 1 // by who receives: everything is there
	GiftUnwanted = 2 // by who receives: it is not wanted
	GiftOver     = 3 // by who sends files: no more of them comes
)

// Send gives somebody something by a code, and yields what happens until the other side has
// everything; of a service of the caller, until the other side may use it. The end of ctx, or of
// the loop, ends it.
func (c *Client) Send(ctx context.Context, r SendRequest) iter.Seq2[SendEvent, error] {
	return stream[SendEvent](ctx, c, http.MethodPost, "/v1/send", r)
}

// Receive meets somebody who sends something. If it is not a text, it is to be fetched while the
// sequence goes on, which the caller ends.
func (c *Client) Receive(ctx context.Context, r ReceiveRequest) iter.Seq2[SendEvent, error] {
	return stream[SendEvent](ctx, c, http.MethodPost, "/v1/receive", r)
}
