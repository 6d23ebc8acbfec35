package room

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
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

// newer is the order of epochs: by time, the latest first, then by ID, the least first.
func newer(a, b *light) int {
	return cmp.Or(cmp.Compare(b.e.Time, a.e.Time), a.e.Key().Compare(b.e.Key()))
}

// Sending returns the epoch to send with, of those whose secret the sender has: have tells, and
// nil stands for all. A secret that was wrapped to a prekey that is Gone was not given. It is the newest that counts, that nobody lacks who is in the room, and that nobody has been
// given who is not; if there is none, the newest that somebody lacks, and then, or if ok is
// false, the sender makes one first. So a member who makes an epoch for himself alone, or one
// that others cannot open, gains nothing by it.
func (r *Room) Sending(have func(event.ID) bool) (s Sending, ok bool) {
	live := r.now().live
	for _, l := range r.epochs {
		if have != nil && !have(l.e.ID) || !r.Counts(l.e.ID, l.node) {
			continue
		}
		has, fits := map[event.Device]bool{}, true
		for w := range r.wraps(l, true) {
			if r.Gone == nil || !r.Gone(w.Device, w.Prekey) {
				has[w.Device] = true
			}
			_, in := live[w.Device]
			fits = fits && in
		}
		switch {
		case !fits:
		case len(has) == len(live): // as all of has are live
			return Sending{Epoch: l.e.ID, Time: l.e.Time}, true
		case !ok:
			s, ok = Sending{Epoch: l.e.ID, Time: l.e.Time, Missing: r.missing(has)}, true
		}
	}
	return s, ok
}

// Lacking returns, of the newest n epochs that count and whose secret the sender has, those that devices of the
// room do not have, with the devices.
func (r *Room) Lacking(n int, have func(event.ID) bool) (all []Sending) {
	r.now()
	for _, l := range r.epochs {
		if n == 0 {
			break
		}
		if !have(l.e.ID) || !r.Counts(l.e.ID, l.node) {
			continue
		}
		n--
		has := map[event.Device]bool{}
		for w := range r.wraps(l, true) {
			has[w.Device] = true
		}
		if missing := r.missing(has); len(missing) > 0 {
			all = append(all, Sending{Epoch: l.e.ID, Time: l.e.Time, Missing: missing})
		}
	}
	return all
}

// Unopened returns, of the newest n epochs that a device has made and that count, those whose secret some devices of
// the room were given only by prekeys that are Gone, with these devices.
func (r *Room) Unopened(n int, maker event.Device) (all []Sending) {
	live := r.now().live
	for _, l := range r.epochs {
		if n == 0 {
			break
		}
		if l.e.Device != maker || !r.Counts(l.e.ID, l.node) {
			continue
		}
		n--
		opens := map[event.Device]bool{}
		for w := range r.wraps(l, true) {
			if _, in := live[w.Device]; in {
				opens[w.Device] = opens[w.Device] || !r.Gone(w.Device, w.Prekey)
			}
		}
		s := Sending{Epoch: l.e.ID, Time: l.e.Time}
		for _, d := range slices.SortedFunc(maps.Keys(opens), func(a, b event.Device) int { return bytes.Compare(a[:], b[:]) }) {
			if !opens[d] {
				s.Missing = append(s.Missing, d)
			}
		}
		if len(s.Missing) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// missing returns the devices of the room that are not in has.
func (r *Room) missing(has map[event.Device]bool) (all []event.Device) {
	for _, m := range r.Members() {
		for _, d := range m.Devices {
			if !has[d] {
				all = append(all, d)
			}
		}
	}
	return all
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
		for _, l := range r.epochs {
			for w := range r.wraps(l, false) {
				if w.Device == d && !yield(w) {
					return
				}
			}
		}
	}
}
