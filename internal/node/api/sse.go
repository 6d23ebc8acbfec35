package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// maxLine is the length of the longest line of a stream of events.
const maxLine = 1 << 20

// stream yields the events of a response, each a JSON value. One that is called
// "error" is the error that ends the sequence.
func stream[T any](ctx context.Context, c *Client, method, path string, in any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var zero T
		resp, err := c.request(ctx, method, path, in, http.Header{"Accept": {"text/event-stream"}})
		if err != nil {
			yield(zero, err)
			return
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		for e, err := range readEvents(resp.Body) {
			var v T
			switch {
			case err != nil:
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				}
			case e.name == "error":
				failed := new(Error)
				if err = json.Unmarshal(e.data, failed); err == nil {
					err = failed.hinted()
				}
			default:
				err = json.Unmarshal(e.data, &v)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// An sse is one server-sent event.
type sse struct {
	name, id string
	data     []byte
}

// readEvents reads server-sent events up to the one called "end"; without that, the
// stream was cut, which is an error. (HTML Living Standard, section 9.2.6.)
func readEvents(r io.Reader) iter.Seq2[sse, error] {
	return func(yield func(sse, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		var e sse
		for lines.Scan() {
			field, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch {
			case len(lines.Bytes()) == 0 && e.name == "end":
				return
			case len(lines.Bytes()) == 0 && e.data != nil:
				if !yield(e, nil) {
					return
				}
				e = sse{}
			case string(field) == "event":
				e.name = string(value)
			case string(field) == "id":
				e.id = string(value)
			case string(field) == "data":
				e.data = append([]byte{}, value...)
			}
		}
		err := lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		yield(sse{}, fmt.Errorf("the node is gone: %w", err))
	}
}

// An EventWriter writes server-sent events into a response.
type EventWriter struct {
	w http.ResponseWriter
	f *http.ResponseController
}

// NewEventWriter begins a stream of events.
func NewEventWriter(w http.ResponseWriter) *EventWriter {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	e := &EventWriter{w, http.NewResponseController(w)}
	e.f.Flush() //nolint:errcheck // a failure shows at the first event
	return e
}

// Send sends v as JSON. The id, if it is not "", is where a client can go on later.
func (e *EventWriter) Send(id string, v any) error { return e.send("", id, v) }

// Comment sends a line that means nothing, which shows whether the client is still there.
func (e *EventWriter) Comment() error {
	_, err := io.WriteString(e.w, ": \n\n")
	return errors.Join(err, e.f.Flush())
}

// End ends the stream: with err, if that is not nil.
func (e *EventWriter) End(err error) error {
	if err != nil {
		failed, _ := ErrorOf(err)
		if err := e.send("error", "", failed); err != nil {
			return err
		}
	}
	return e.send("end", "", struct{}{})
}

func (e *EventWriter) send(name, id string, v any) error {
	data, err := json.Marshal(v) // JSON has no line ends in it
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "data: %s\n\n", data)
	if _, err = e.w.Write(b.Bytes()); err != nil {
		return err
	}
	return e.f.Flush()
}
