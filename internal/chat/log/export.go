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

// A heading is the first line of an export.
type heading struct {
	Version int    `json:"tenon-room"`
	Room    string `json:"room"` // in hexadecimal digits
}

// A line is one event in an export. Import believes Bytes and Payload alone; the rest is for people.
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
	maxLine       = 1 << 20 // bytes
	importBatch   = 2000    // events
)

// ErrExport: what is read is not an export of a room, or not of this one.
var ErrExport = errors.New("that is not an export of the room")

// Export writes all events of the room, one a line, in JSON, in their order.
func (r *Room) Export(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(heading{exportVersion, hex.EncodeToString(r.id[:])}); err != nil {
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

// Import adds what Export has written. Each event is made of its bytes and its payload, which is nil if it was
// erased, by verify; that an event is not good ends the import, with what came before it in
// the room.
func (r *Room) Import(ctx context.Context, from io.Reader, verify func(bytes, payload []byte) (Event, error)) (added int, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var h heading
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || h.Version != exportVersion || h.Room != hex.EncodeToString(r.id[:]) {
		return 0, errors.Join(ErrExport, lines.Err())
	}
	var batch []Event
	add := func() error {
		fresh, err := r.Add(ctx, batch...)
		added, batch = added+len(fresh), nil
		return err
	}
	for n := 2; lines.Scan(); n++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			err = errors.Join(add(), fmt.Errorf("%w: line %d: %w", ErrExport, n, err))
			return added, err
		}
		e, err := verify(l.Bytes, l.Payload)
		if err != nil {
			err = errors.Join(add(), fmt.Errorf("line %d: %w", n, err))
			return added, err
		}
		if batch = append(batch, e); len(batch) == importBatch {
			if err := add(); err != nil {
				return added, err
			}
		}
	}
	err = add()
	return added, errors.Join(err, lines.Err())
}
