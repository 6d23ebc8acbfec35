package tenon

import (
	"encoding/json"
	"net"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/internal/serve"
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

// MarshalJSON returns one flat object without control characters; what does not
// apply is left out.
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
	}{Time: e.Time.UTC().Format(time.RFC3339Nano), Type: e.Type, Joint: e.Joint}
	line.End, line.Other, line.Text = neutral.Line(e.End), neutral.Line(e.Other), neutral.Line(e.Text)
	if e.Addr != nil {
		line.Addr = neutral.Line(e.Addr.String())
	}
	if e.Err != nil {
		line.Err = neutral.Line(e.Err.Error())
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

// watcher makes events of what package serve tells.
type watcher struct{ events func(Event) }

func (w watcher) tell(e Event) {
	e.Time = time.Now()
	w.events(e)
}

func (w watcher) Listening(p *plan.Plan, at net.Addr, text string) {
	w.tell(Event{Type: Listening, End: p.Name(), Addr: at, Text: text})
}

func (w watcher) Refused(p *plan.Plan, who net.Addr, err error) {
	w.tell(Event{Type: Refused, End: p.Name(), Addr: who, Err: err})
}

func (w watcher) Down(p *plan.Plan, text string, err error) {
	w.tell(Event{Type: Down, End: p.Name(), Text: text, Err: err})
}

func (w watcher) Up(p *plan.Plan, text string) {
	w.tell(Event{Type: Up, End: p.Name(), Text: text})
}

func (w watcher) Notice(end, text string) {
	w.tell(Event{Type: Notice, End: end, Text: text})
}

func (w watcher) Opened(j *serve.Joint) {
	e := jointEvent(Opened, j)
	e.Text = j.Text
	w.tell(e)
}

func (w watcher) Closed(j *serve.Joint, r *join.Result, err error) {
	e := jointEvent(Closed, j)
	e.Result, e.Err = r, err
	w.tell(e)
}

func jointEvent(t EventType, j *serve.Joint) Event {
	return Event{Type: t, Joint: j.Number, End: j.Names[join.A], Other: j.Names[join.B], Addr: j.Addr, Count: j.Count}
}
