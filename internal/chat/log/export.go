package log

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Heading is the first line of an export.
type Heading struct {
	Version int               `json:"tenon-room"`
	Ends    bool              `json:"ends,omitempty"` // there is an end line, so that a file that was cut can be told from one that is whole
	Room    string            `json:"room"`           // in hexadecimal digits
	Name    string            `json:"name,omitempty"`
	Secrets map[string][]byte `json:"secrets,omitempty"` // of what is sealed, by the IDs of what they belong to: whoever has the file can read it
}

// A line is one event in an export, or its end. ReadExport believes Bytes, Payload and Events alone; the rest is for people.
type line struct {
	Time    time.Time `json:"time"`
	ID      string    `json:"id"`
	Author  string    `json:"author"`
	Kind    int       `json:"kind"`
	Text    string    `json:"text,omitempty"`
	Bytes   []byte    `json:"bytes"`
	Payload []byte    `json:"payload,omitempty"`
	Events  *int      `json:"events,omitempty"` // of the end: how many there are
}

// An end is the last line.
type end struct {
	Events int `json:"events"`
}

const (
	exportVersion = 1
	maxLine       = 16 << 20 // bytes; the first one has all secrets
	importBatch   = 2000     // events
)

// ErrExport: what is read is not an export of a room, or not of this one.
var ErrExport = errors.New("that is not an export of the room")

// ErrCut is an ErrExport: the file was whole, and its end is missing.
var ErrCut = fmt.Errorf("%w: it was cut", ErrExport)

// Export writes all events of the room, one a line, in JSON, in their order, and then how many they are. Of the heading it fills in Version, Room and Ends.
func (r *Room) Export(ctx context.Context, w io.Writer, h Heading) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	h.Version, h.Room, h.Ends = exportVersion, hex.EncodeToString(r.id[:]), true
	if err := enc.Encode(h); err != nil {
		return err
	}
	total := 0
	for after := (Key{}); ; {
		events, err := r.All(ctx, after, MaxPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			err := enc.Encode(line{time.UnixMilli(int64(e.Time >> 16)).UTC(), hex.EncodeToString(e.ID[:]), hex.EncodeToString(e.Author[:]), int(e.Kind), e.Text, e.Bytes, e.Payload, nil})
			if err != nil {
				return err
			}
			after = e.Key
		}
		if total += len(events); len(events) < MaxPage {
			return errors.Join(enc.Encode(end{total}), out.Flush())
		}
	}
}

// An Exported is an event of an export, of which nothing was checked. Payload is nil if it was erased.
type Exported struct{ Bytes, Payload []byte }

// ReadExport reads what Export has written: it calls begin with the heading, and then add with the events, in parts. What
// comes before a mistake is added, and before the end, if it was cut.
func ReadExport(from io.Reader, begin func(Heading) error, add func([]Exported) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var h Heading
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || h.Version != exportVersion {
		if err := lines.Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrExport, err)
		}
		return ErrExport
	}
	if err := begin(h); err != nil {
		return err
	}
	var batch []Exported
	var ended *int
	n := 2
	for ; lines.Scan(); n++ {
		var l line
		err := json.Unmarshal(lines.Bytes(), &l)
		if err == nil && ended != nil {
			err = errors.New("it is behind the end")
		}
		if err != nil {
			if err := add(batch); err != nil {
				return err
			}
			return fmt.Errorf("%w: line %d: %w", ErrExport, n, err)
		}
		if ended = l.Events; ended != nil {
			continue
		}
		if batch = append(batch, Exported{l.Bytes, l.Payload}); len(batch) == importBatch {
			if err := add(batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	if err := errors.Join(add(batch), lines.Err()); err != nil {
		return err
	}
	switch events := n - 3; { // without the heading and the end
	case ended != nil && *ended != events:
		return fmt.Errorf("%w: %d events of %d are there", ErrCut, events, *ended)
	case ended == nil && h.Ends:
		return fmt.Errorf("%w: %d events are there, and not the last line", ErrCut, events+1)
	}
	return nil
}
