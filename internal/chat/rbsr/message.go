package rbsr

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The kinds of ranges in a message.
const (
	skip  = iota // nothing is to be said of it
	print        // a fingerprint: a question
	list         // all keys of the sender: a question
	have         // keys that the sender has and the receiver has not listed
)

const (
	// MaxMessage is how many bytes a message has at most.
	MaxMessage = 256 << 10

	maxKey   = 10 + 32              // bytes of a key in a message
	maxRange = 10 + 1 + 32 + 1 + 10 // and of a range without its keys
)

// ErrMessage: what has come is no message of a reconciliation.
var ErrMessage = errors.New("that is not a message of a reconciliation")

// A span is a range in a message: from the upper bound of the one before it.
type span struct {
	upper Key
	mode  byte
	print Fingerprint
	keys  []Key
}

// A writer writes a message.
type writer struct {
	p         []byte
	at        Key // the bound that was written last
	lower     Key
	skipping  bool // from at to lower nothing is to be said
	questions bool
}

func (w *writer) bound(k Key) {
	if k == End {
		w.p = append(w.p, 0)
		w.at = k
		return
	}
	w.p = binary.AppendUvarint(w.p, k.Time-w.at.Time+1)
	n := len(k.ID)
	for n > 0 && k.ID[n-1] == 0 {
		n--
	}
	w.p = append(append(w.p, byte(n)), k.ID[:n]...)
	w.at = k
}

func (w *writer) begin(lower Key) {
	w.bound(lower)
	w.lower = lower
}

// room tells how many bytes more the message may have, with what has to be said yet.
func (w *writer) room() int { return MaxMessage - len(w.p) - 2*maxRange }

// skip says nothing of what is below upper.
func (w *writer) skip(upper Key) {
	if upper != w.lower {
		w.lower, w.skipping = upper, true
	}
}

// open begins a range, behind the skipped one.
func (w *writer) open(upper Key, mode byte) {
	w.flush()
	w.bound(upper)
	w.p = append(w.p, mode)
	w.lower = upper
	w.questions = w.questions || mode == print || mode == list
}

func (w *writer) flush() {
	if w.skipping {
		w.skipping = false
		w.bound(w.lower)
		w.p = append(w.p, skip)
	}
}

func (w *writer) fingerprint(upper Key, f Fingerprint) {
	w.open(upper, print)
	w.p = append(w.p, f[:]...)
}

// keys writes a range of keys, which are in order and in it.
func (w *writer) keys(upper Key, mode byte, keys []Key) {
	time := w.lower.Time
	w.open(upper, mode)
	w.p = binary.AppendUvarint(w.p, uint64(len(keys)))
	for i := range keys {
		w.p = binary.AppendUvarint(w.p, keys[i].Time-time)
		w.p = append(w.p, keys[i].ID[:]...)
		time = keys[i].Time
	}
}

// A reader takes a message apart. After a mistake bad is true.
type reader struct {
	p     []byte
	bad   bool
	lower Key  // of the next range
	skips bool // the range before was skipped
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.p) {
		r.bad = true
		return make([]byte, min(n, 32))
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.p)
	if r.bad || n <= 0 || n > 1 && r.p[n-1] == 0 {
		r.bad = true
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) bound() (k Key) {
	d := r.number()
	if d == 0 {
		return End
	}
	k.Time = r.lower.Time + d - 1
	n := int(r.take(1)[0])
	if n > len(k.ID) || k.Time < r.lower.Time || k.Time == End.Time {
		r.bad = true
		return k
	}
	if n > 0 && copy(k.ID[:], r.take(n)) == n && k.ID[n-1] == 0 {
		r.bad = true // it has a shorter form
	}
	return k
}

// next reads a range.
func (r *reader) next() (s span, ok bool) {
	if r.bad || len(r.p) == 0 {
		return s, false
	}
	s.upper, s.mode = r.bound(), r.take(1)[0]
	if !r.lower.Less(s.upper) || s.mode == skip && r.skips {
		r.bad = true
		return s, false
	}
	switch s.mode {
	case skip:
	case print:
		copy(s.print[:], r.take(len(s.print)))
	case list, have:
		s.keys = r.keys(s.upper)
		if s.mode == have && len(s.keys) == 0 {
			r.bad = true
		}
	default:
		r.bad = true
	}
	r.lower, r.skips = s.upper, s.mode == skip
	return s, !r.bad
}

// keys reads keys from lower on and below upper.
func (r *reader) keys(upper Key) []Key {
	n := r.number()
	if n > uint64(len(r.p)/33) {
		r.bad = true
		return nil
	}
	keys := make([]Key, 0, n)
	last := r.lower
	for range n {
		k := Key{Time: last.Time + r.number()}
		copy(k.ID[:], r.take(32))
		if k.Time < last.Time || k.Less(last) || len(keys) > 0 && k == last || !k.Less(upper) || k.Time == End.Time {
			r.bad = true
		}
		if r.bad {
			return nil
		}
		keys, last = append(keys, k), k
	}
	return keys
}

// parse takes a message apart.
func parse(p []byte) (lower Key, spans []span, err error) {
	if len(p) > MaxMessage {
		return lower, nil, fmt.Errorf("%w: %d bytes", ErrMessage, len(p))
	}
	r := reader{p: p}
	lower = r.bound()
	r.lower = lower
	for {
		s, ok := r.next()
		if !ok {
			break
		}
		spans = append(spans, s)
	}
	if r.bad || len(spans) == 0 {
		return lower, nil, ErrMessage
	}
	return lower, spans, nil
}
