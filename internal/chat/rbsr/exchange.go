package rbsr

import (
	"fmt"
	"slices"
)

const (
	split     = 16 // parts of a range
	leaf      = 32 // keys that are listed rather than split
	maxRounds = 24 // messages that one side takes: sets of honest sides need eight
	maxNeed   = 1 << 15
)

// An Exchange is one side of a reconciliation. The side that begins it sends the first
// message, and then each answers the other's. When it is over both know what they lack, up
// to where it has come: a message is bounded, and what does not fit is for another
// exchange, which begins there.
//
// Its methods are not for several goroutines at a time; its Set is.
type Exchange struct {
	set      *Set
	begun    bool
	from, to Key
	rounds   int
	need     []Key
	over     bool
}

// Begin begins an exchange about the keys from from on, and returns its first message.
func Begin(set *Set, from Key) (*Exchange, []byte) {
	x := &Exchange{set: set, begun: true, from: from, to: End}
	set.mu.Lock()
	defer set.mu.Unlock()
	w := writer{}
	w.begin(from)
	x.ask(&w, End, true)
	return x, w.p
}

// Join takes part in an exchange that the other side begins.
func Join(set *Set) *Exchange { return &Exchange{set: set} }

// Take takes a message of the other side and returns the answer to it, which is nil if
// there is none. Errors match [ErrMessage]: the other side does not keep to the rules, and
// the exchange is over.
func (x *Exchange) Take(message []byte) (answer []byte, err error) {
	if x.over {
		return nil, fmt.Errorf("%w: it is over", ErrMessage)
	}
	answer, err = x.take(message)
	x.over = x.over || err != nil
	return answer, err
}

func (x *Exchange) take(message []byte) ([]byte, error) {
	lower, spans, err := parse(message)
	if err != nil {
		return nil, err
	}
	upper := spans[len(spans)-1].upper
	if !x.begun {
		x.begun, x.from, x.to = true, lower, upper
	}
	if x.rounds++; x.rounds > maxRounds {
		return nil, fmt.Errorf("%w: it does not end", ErrMessage)
	}
	if lower != x.from || x.to.Less(upper) {
		return nil, fmt.Errorf("%w: it is about something else", ErrMessage)
	}
	x.to = upper
	w := writer{}
	w.begin(lower)
	asked, err := x.answer(&w, spans)
	if err != nil {
		return nil, err
	}
	x.over = !w.questions
	if !asked {
		x.over = true
		return nil, nil
	}
	w.flush()
	return w.p, nil
}

// answer writes the answer to ranges, as far as it fits, and tells whether there was
// a question among them.
func (x *Exchange) answer(w *writer, spans []span) (asked bool, err error) {
	x.set.mu.Lock()
	defer x.set.mu.Unlock()
	for _, s := range spans {
		if w.room() < maxRange+leaf*maxKey {
			x.to = w.lower
			return asked, nil
		}
		switch s.mode {
		case skip:
			w.skip(s.upper)
		case print:
			asked = true
			i, j := x.set.rank(w.lower), x.set.rank(s.upper)
			if x.set.fingerprint(i, j) == s.print {
				w.skip(s.upper)
			} else {
				x.ask(w, s.upper, false)
			}
		case list:
			asked = true
			x.compare(w, s)
		case have:
			x.lacks(s.keys)
			w.skip(s.upper)
		}
		if len(x.need) > maxNeed {
			return asked, fmt.Errorf("%w: too many keys", ErrMessage)
		}
		if w.lower.Less(s.upper) { // it was cut there
			x.to = w.lower
			return asked, nil
		}
	}
	return asked, nil
}

// ask asks about the range up to upper: by its fingerprint if whole, by those of its parts,
// or by all its keys.
func (x *Exchange) ask(w *writer, upper Key, whole bool) {
	i, j := x.set.rank(w.lower), x.set.rank(upper)
	switch {
	case whole:
		w.fingerprint(upper, x.set.fingerprint(i, j))
		return
	case j-i <= leaf:
		w.keys(upper, list, x.set.append(make([]Key, 0, leaf), i, j))
		return
	}
	for part := range split {
		a, b := i+(j-i)*part/split, i+(j-i)*(part+1)/split
		to := upper
		if part < split-1 {
			to = between(x.set.key(b-1), x.set.key(b))
		}
		w.fingerprint(to, x.set.fingerprint(a, b))
	}
}

// compare answers all keys of the other side in a range with those that it lacks.
func (x *Exchange) compare(w *writer, s span) {
	x.lacks(s.keys)
	i, j := x.set.rank(w.lower), x.set.rank(s.upper)
	most := w.room() / maxKey
	var more []Key
	for i < j {
		part := x.set.append(make([]Key, 0, min(j-i, blockKeys)), i, min(i+blockKeys, j))
		i += len(part)
		for _, k := range part {
			if _, ok := slices.BinarySearchFunc(s.keys, k, Key.Compare); ok {
				continue
			}
			if len(more) == most { // the rest is for another exchange
				w.keys(between(more[most-1], k), have, more)
				return
			}
			more = append(more, k)
		}
	}
	if len(more) == 0 {
		w.skip(s.upper)
		return
	}
	w.keys(s.upper, have, more)
}

// lacks notes which of the other side's keys are not here.
func (x *Exchange) lacks(keys []Key) {
	for _, k := range keys {
		if !x.set.has(k) {
			x.need = append(x.need, k)
		}
	}
}

// Over tells whether the exchange is over, once the last answer has been sent, and about
// which keys it was: those below end. If that is not [End], the next exchange begins there.
func (x *Exchange) Over() (end Key, over bool) { return x.to, x.over }

// Need returns the keys that the other side has and this one lacked, in order. It is
// complete when the exchange is over.
func (x *Exchange) Need() []Key {
	slices.SortFunc(x.need, Key.Compare)
	x.need = slices.Compact(x.need)
	end, _ := slices.BinarySearchFunc(x.need, x.to, Key.Compare)
	return x.need[:end] // what is above the end is found again
}

// Same returns the answer to the first message of an exchange of who has just what the other side has: it is over then. It is for
// who shall not say what there is.
func Same(message []byte) (answer []byte, err error) {
	lower, spans, err := parse(message)
	if err != nil {
		return nil, err
	}
	w := writer{}
	w.begin(lower)
	w.skip(spans[len(spans)-1].upper)
	w.flush()
	return w.p, nil
}
