package join

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Direction is one of the two ways through a joint.
type Direction int

// The directions.
const (
	AB Direction = iota
	BA
)

// String returns the arrow that stands for the direction in a dump.
func (d Direction) String() string {
	if d == AB {
		return ">"
	}
	return "<"
}

// A Tap observes all that passes through a joint. The calls for one direction come
// in order and one at a time; those for the two directions may come at the same
// time. A slow Tap slows the joint down.
type Tap interface {
	// Data is called with what is about to be written: some bytes or, if
	// msg is set, one message. P must not be kept or changed.
	Data(d Direction, p []byte, msg bool)

	// End is called once, after the last Data of the direction, with what
	// ended it: io.EOF if it was a clean end.
	End(d Direction, err error)
}

// A Failer is a [Tap] that may fail: all that write are. The joint goes on without
// the record, unless [Options.TapRequired] is set.
type Failer interface {
	Tap

	// Err returns why what passes is not recorded any more, or nil. It may be
	// called at any time.
	Err() error
}

// ErrTap is what the error of a joint matches that was cut because a tap had failed:
// see [Options.TapRequired].
var ErrTap = errors.New("what passes cannot be recorded")

// tapErr returns why a required tap has failed, or nil.
func (o *Options) tapErr() error {
	if !o.TapRequired {
		return nil
	}
	for _, tap := range o.Taps {
		if f, ok := tap.(Failer); ok && f.Err() != nil {
			return fmt.Errorf("%w: %w", ErrTap, f.Err())
		}
	}
	return nil
}

// tell tells the taps what is about to be written, and whether it may be.
func (o *Options) tell(d Direction, p []byte, msg bool) error {
	for _, tap := range o.Taps {
		tap.Data(d, p, msg)
	}
	return o.tapErr()
}

// A sink is a writer that many taps share. It writes nothing after the first error,
// because a record with a gap would mislead.
type sink struct {
	mu  sync.Mutex // guards err, and keeps writes whole and apart
	w   io.Writer
	err error
}

func (s *sink) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(p)
}

// put is write with mu held.
func (s *sink) put(p []byte) {
	if s.err != nil {
		return
	}
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.err = err
}

// Err returns why writing has stopped, or nil.
func (s *sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// A Recorder is a [Tap] that writes the bytes themselves. Joints may share one;
// then what each call of Data brought stays in one piece.
type Recorder struct {
	sink       sink
	directions []Direction
}

// Tee returns a Recorder of the directions given, or of both.
func Tee(w io.Writer, directions ...Direction) *Recorder {
	return &Recorder{sink: sink{w: w}, directions: directions}
}

var _ Failer = (*Recorder)(nil)

// Data writes p.
func (r *Recorder) Data(d Direction, p []byte, _ bool) {
	if len(p) > 0 && (len(r.directions) == 0 || slices.Contains(r.directions, d)) {
		r.sink.write(p)
	}
}

// End does nothing.
func (r *Recorder) End(Direction, error) {}

// Err returns why writing has stopped, or nil.
func (r *Recorder) Err() error { return r.sink.Err() }
