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
	Room    string            `json:"room"` // in hexadecimal digits
	Name    string            `json:"name,omitempty"`
	Secrets map[string][]byte `json:"secrets,omitempty"` // of what is sealed, by the IDs of what they belong to: whoever has the file can read it
}

// A line is one event in an export. ReadExport believes Bytes and Payload alone; the rest is for people.
type line struct {
	Time    time.Time `json:"time"`
	ID      string    `json:"id"`
	Author  string    `json:"author"`
	Kind    int       `json:"kind"`
	Text    string    `json:"text,omitempty"`
	Bytes   []byte    `json:"bytes"`
	Payload []byte    `json:"payload,omitempty"`
}

const (
	exportVersion = 1
	maxLine       = 16 << 20 // bytes; the first one has all secrets
	importBatch   = 2000     // events
)

// ErrExport: what is read is not an export of a room, or not of this one.
var ErrExport = errors.New("that is not an export of the room")

// Export writes all events of the room, one a line, in JSON, in their order. Of the heading it fills in Version and Room.
func (r *Room) Export(ctx context.Context, w io.Writer, h Heading) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	h.Version, h.Room = exportVersion, hex.EncodeToString(r.id[:])
	if err := enc.Encode(h); err != nil {
		return err
	}
	for after := (Key{}); ; {
		events, err := r.All(ctx, after, MaxPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			err := enc.Encode(line{time.UnixMilli(int64(e.Time >> 16)).UTC(), hex.EncodeToString(e.ID[:]), hex.EncodeToString(e.Author[:]), int(e.Kind), e.Text, e.Bytes, e.Payload})
			if err != nil {
				return err
			}
			after = e.Key
		}
		if len(events) < MaxPage {
			return out.Flush()
		}
	}
}

// An Exported is an event of an export, of which nothing was checked. Payload is nil if it was erased.
type Exported struct{ Bytes, Payload []byte }

// ReadExport reads what Export has written: it calls begin with the heading, and then add with the events, in parts. What
// comes before a mistake is added.
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
	for n := 2; lines.Scan(); n++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			if err := add(batch); err != nil {
				return err
			}
			return fmt.Errorf("%w: line %d: %w", ErrExport, n, err)
		}
		if batch = append(batch, Exported{l.Bytes, l.Payload}); len(batch) == importBatch {
			if err := add(batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	return errors.Join(add(batch), lines.Err())
}
