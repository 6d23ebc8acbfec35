package room

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// When a sender makes a new epoch though there is one to send with.
const (
	EpochAge    = 7 * 24 * time.Hour
	EpochEvents = 1000
)

// A Sending is the epoch to send with.
type Sending struct {
	Epoch   event.ID
	Time    uint64         // of the epoch
	Missing []event.Device // devices of members that do not have its secret
}

// Sending returns the epoch to send with: of those whose secret nobody has been given who is not
// in the room now, the newest, and of two of one time the one with the lesser ID. ok is false
// if there is none. Then, or if somebody is missing, the sender makes one first.
func (r *Room) Sending() (s Sending, ok bool) {
	live := r.now().live
	epochs := slices.DeleteFunc(slices.Clone(r.lights), func(l *light) bool { return l.e.Kind != event.KindEpoch })
	slices.SortFunc(epochs, func(a, b *light) int {
		return cmp.Or(cmp.Compare(b.e.Time, a.e.Time), a.e.Key().Compare(b.e.Key()))
	})
	for _, l := range epochs {
		if !r.Counts(l.e.ID, l.node) {
			continue
		}
		has := map[event.Device]bool{}
		fits := true
		for w := range r.wraps(l, true) {
			has[w.Device] = true
			_, in := live[w.Device]
			fits = fits && in
		}
		if !fits {
			continue
		}
		s = Sending{Epoch: l.e.ID, Time: l.e.Time}
		for _, m := range r.Members() {
			for _, d := range m.Devices {
				if !has[d] {
					s.Missing = append(s.Missing, d)
				}
			}
		}
		return s, true
	}
	return Sending{}, false
}

// wraps returns what an epoch and the events that share it wrap; if counting is set, those of the
// latter that count.
func (r *Room) wraps(l *light, counting bool) iter.Seq[Wrapped] {
	return func(yield func(Wrapped) bool) {
		body, ok := l.e.Body.(*event.Epoch)
		if !ok {
			return
		}
		for _, w := range body.Wraps {
			if !yield(Wrapped{l.e.ID, l.e.Device, body.Suite, body.Commit, w}) {
				return
			}
		}
		for _, x := range r.shares[l.e.ID] {
			share, ok := x.e.Body.(*event.Share)
			if !ok || counting && !r.Counts(x.e.ID, x.node) {
				continue
			}
			for _, w := range share.Wraps {
				if !yield(Wrapped{l.e.ID, x.e.Device, share.Suite, body.Commit, w}) {
					return
				}
			}
		}
	}
}

// A Wrapped is the secret of an epoch, wrapped for one device: the arguments of
// [event.PrekeySecret.Unwrap].
type Wrapped struct {
	Epoch  event.ID
	Maker  event.Device
	Suite  event.Suite
	Commit [32]byte
	event.Wrap
}

// Wrapped returns all secrets that have been wrapped for a device, to read with. Whether their
// epochs count does not matter: somebody who did not know may have sent with one.
func (r *Room) Wrapped(d event.Device) iter.Seq[Wrapped] {
	return func(yield func(Wrapped) bool) {
		for _, l := range r.lights {
			for w := range r.wraps(l, false) {
				if w.Device == d && !yield(w) {
					return
				}
			}
		}
	}
}
