package tenon

import (
	"encoding/json"
	"net"
	"time"

	"github.com/tenon-net/tenon/join"
)

// An Event is something that happened to an end or a joint. Events are for people,
// logs and tests; nothing depends on them. Its JSON form is one line of
// `tenon --json`.
type Event struct {
	Time   time.Time
	Type   EventType
	End    string       // canonical address of the end, without secrets
	Addr   net.Addr     // Listening: where; Accepted, Refused: who
	Joint  uint64       // Opened, Closed: the joint's number, from 1
	Other  string       // Opened, Closed: the other end's address
	Count  *join.Count  // Opened: the joint's live counters
	Result *join.Result // Closed: how it ended
	Text   string       // for people
	Err    error        // why, if something failed
}

// An EventType is the sort of an [Event].
type EventType string

// The sorts of events.
const (
	Listening EventType = "listening" // the end accepts connections now
	Accepted  EventType = "accepted"  // a client is through, handshakes included
	Refused   EventType = "refused"   // a client was turned away
	Opened    EventType = "opened"    // a joint begins
	Closed    EventType = "closed"    // a joint has ended
	Down      EventType = "down"      // an end cannot be opened, or was lost, and is tried again
	Up        EventType = "up"        // an end that was down is open
	Notice    EventType = "notice"    // something that people should know
)

// MarshalJSON returns one flat object; what does not apply is left out.
func (e Event) MarshalJSON() ([]byte, error) {
	line := struct {
		Time  string    `json:"time"`
		Type  EventType `json:"event"`
		End   string    `json:"end,omitempty"`
		Addr  string    `json:"addr,omitempty"`
		Joint uint64    `json:"joint,omitempty"`
		Other string    `json:"other,omitempty"`
		AB    *int64    `json:"ab_bytes,omitempty"`
		BA    *int64    `json:"ba_bytes,omitempty"`
		First string    `json:"first,omitempty"`
		Text  string    `json:"text,omitempty"`
		Err   string    `json:"error,omitempty"`
	}{Time: e.Time.UTC().Format(time.RFC3339Nano), Type: e.Type, End: e.End, Joint: e.Joint, Other: e.Other, Text: e.Text}
	if e.Addr != nil {
		line.Addr = e.Addr.String()
	}
	if e.Err != nil {
		line.Err = e.Err.Error()
	}
	if r := e.Result; r != nil {
		line.AB, line.BA = &r.AB.Bytes, &r.BA.Bytes
		switch {
		case r.AB.First:
			line.First = "ab"
		case r.BA.First:
			line.First = "ba"
		}
	}
	return json.Marshal(line)
}

// tellsJoints tells whether anybody wants to hear of joints.
func (o *Opener) tellsJoints() bool { return o.Events != nil && !o.NoJoints }

func (o *Opener) emit(e Event) {
	if o.Events != nil && (!o.NoJoints || e.Type != Opened && e.Type != Closed) {
		e.Time = time.Now()
		o.Events(e)
	}
}
