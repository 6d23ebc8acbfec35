package meet

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

const (
	stuck      = 2 * time.Minute // how long a write may wait for the other side to read
	unanswered = 2 * time.Minute // and a question, while nothing is heard
	checkEvery = 5 * time.Minute // they are compared, though nothing seems lost
	maxNeeds   = 16 << 10        // keys; with more of them messages of exchanges have to wait
	ownWants   = maxWants - 1    // for needs; the last is for parents
	getEvents  = 128             // that are read at once for an answer
	marksAt    = 30              // rows in a frame: they are less than 64 KiB
)

// write says what there is to say, until the session ends.
func (x *session) write() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		say, wait := x.next(time.Now())
		if say != nil {
			if err := say(); err != nil {
				x.end(err)
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-x.kicked:
		case <-timer.C:
		case <-x.ctx.Done():
			return
		}
	}
}

// next returns what is to be said next, or how long to wait. What is small and new goes first.
func (x *session) next(now time.Time) (say func() error, wait time.Duration) {
	r := x.room
	r.mu.Lock()
	defer r.mu.Unlock()
	index := r.Set.Index()
	room := len(x.needs) < maxNeeds
	switch {
	case x.ctx.Err() != nil:
		return nil, time.Hour
	case len(x.notes) > 0:
		note := x.notes[0]
		x.notes = x.notes[1:]
		return func() error { return x.frame(frameNote, func(b []byte) []byte { return append(b, note...) }) }, 0
	case len(x.parents) > 0 && len(x.asking) < maxWants:
		ids := x.parents[:min(len(x.parents), maxAsked)]
		x.parents = x.parents[len(ids):]
		return x.asks(ids, true), 0
	case len(x.theirs.came) > 0 && room:
		if x.theirs.x == nil {
			x.theirs.x = rbsr.Join(index)
		}
		return x.answers(&x.theirs, 1), 0
	case len(x.ours.came) > 0 && room:
		return x.answers(&x.ours, 0), 0
	case x.turn != 0:
		kind := x.turn
		x.turn = 0
		return func() error { return x.frame(kind, slices.Clip[[]byte]) }, 0
	case len(x.pushes) > 0:
		return x.pushing(), 0
	case len(x.haves) > 0 && !now.Before(x.at):
		return x.tellHaves(), 0
	case !x.greeted:
		x.greeted = true
		return x.tellKnown, 0
	case x.marks && x.known != nil:
		x.marks = false
		known := x.known
		return func() error { return x.tellMarks(known) }, 0
	case x.tells && !now.Before(x.after):
		x.tells, x.after = false, now.Add(tellPause)
		return x.tellWhere, 0
	}
	x.ripen(now)
	if ids := x.needed(now); len(ids) > 0 {
		return x.asks(ids, false), 0
	}
	if x.serving == nil && len(x.wants) > 0 {
		w := x.wants[0]
		x.wants, x.serving = x.wants[1:], &w
	}
	if x.serving != nil {
		return x.serve, 0
	}
	if x.ours.x == nil && room {
		switch {
		case x.more:
			x.more = false
			return x.begin(x.from), 0
		case x.check && !now.Before(x.checkAt):
			x.check, x.behind, x.checkAt = false, false, now.Add(checkEvery)
			return x.begin(rbsr.Key{}), 0
		}
	}
	return nil, x.wait(now)
}

// wait returns how long there is nothing to say, if nothing happens. Who is waited for too long loses the session.
func (x *session) wait(now time.Time) time.Duration {
	wait := x.checkAt.Sub(now)
	if !x.check {
		if x.opener == x.peer {
			wait = time.Hour // the other side compares, unless something was lost here
		} else if wait <= 0 {
			x.check, wait = true, 0
		}
	}
	if x.ours.x != nil || len(x.asking) > 0 {
		left := unanswered - now.Sub(time.Unix(0, x.heard.Load()))
		if left <= 0 {
			x.end(errSilent)
		}
		wait = left
	}
	if len(x.haves) > 0 {
		wait = min(wait, x.at.Sub(now))
	}
	if x.tells {
		wait = min(wait, x.after.Sub(now))
	}
	if len(x.offers) > 0 {
		wait = min(wait, x.ripe.Sub(now))
	}
	return max(wait, time.Millisecond)
}

// compare has both sides compared, soon.
func (x *session) compare(after time.Duration) {
	at := time.Now().Add(after)
	if !x.check || at.Before(x.checkAt) {
		x.checkAt = at
	}
	x.check = true
	x.kick()
}

// push has events told that are new. If there are too many to wait, they are dropped, and compared for later.
func (x *session) push(blobs []Blob) {
	if x.behind || x.parted {
		return
	}
	x.parted = x.farewell != nil
	if x.lazy {
		x.have(blobs)
		return
	}
	for i := range blobs {
		if x.pushBytes += len(blobs[i].Bytes); x.pushBytes > maxPushes {
			x.dropPushes()
			x.behind = true
			x.compare(0)
			return
		}
		x.pushes = append(x.pushes, blobs[i])
	}
	x.kick()
}

func (x *session) dropPushes() { x.pushes, x.pushBytes = nil, 0 }

// pushing takes as many new events as go into a frame.
func (x *session) pushing() func() error {
	n, size := 0, 0
	for n < len(x.pushes) && (n == 0 || size+len(x.pushes[n].Bytes) < fill) {
		size += len(x.pushes[n].Bytes)
		n++
	}
	part := x.pushes[:n:n]
	x.pushes, x.pushBytes = x.pushes[n:], x.pushBytes-size
	return func() error {
		err := x.frame(framePush, func(b []byte) []byte { return appendBlobs(b, part) })
		x.given(part, err)
		return err
	}
}

func (x *session) given(blobs []Blob, err error) {
	if err == nil && x.room.Given != nil {
		x.room.Given(x.peer, keysOf(blobs))
	}
}

func appendBlobs(b []byte, blobs []Blob) []byte {
	for i := range blobs {
		b = frame.AppendRow(b, blobs[i].Bytes)
	}
	return b
}

// tellKnown names the rows that are there, so that they are not told.
func (x *session) tellKnown() error {
	var all []byte
	for last := int64(0); len(all) < maxNamed*knownSize; {
		rows, next, err := x.room.Set.Marks(x.ctx, last, min(marksAt, maxNamed-len(all)/knownSize))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			k := knownAs(row)
			all = append(all, k[:]...)
		}
		last = next
	}
	return x.frame(frameKnown, func(b []byte) []byte { return append(b, all...) })
}

// tellMarks tells rows that came since the last time, but those that the other side has named.
func (x *session) tellMarks(known map[known]bool) error {
	for {
		rows, last, err := x.room.Set.Marks(x.ctx, x.told, marksAt)
		if err != nil || len(rows) == 0 {
			return err
		}
		x.told = last
		rows = slices.DeleteFunc(rows, func(row []byte) bool { return known[knownAs(row)] })
		if len(rows) == 0 {
			continue
		}
		err = x.frame(frameMarks, func(b []byte) []byte {
			for _, row := range rows {
				b = frame.AppendRow(b, row)
			}
			return b
		})
		if err != nil {
			return err
		}
	}
}

// answers has a message of an exchange answered; whose is 0 if this side has begun it.
func (x *session) answers(d *dialog, whose byte) func() error {
	message, exchange := d.came[0], d.x
	d.came = d.came[1:]
	return func() error {
		answer, err := exchange.Take(message)
		if err != nil {
			return err
		}
		if answer != nil {
			if err := x.sync(whose, answer)(); err != nil {
				return err
			}
		}
		if end, over := exchange.Over(); over {
			x.compared(d, whose == 0, exchange.Need(), end)
		}
		return nil
	}
}

// compared notes what an exchange has found.
func (x *session) compared(d *dialog, ours bool, need []rbsr.Key, end rbsr.Key) {
	x.room.mu.Lock()
	defer x.room.mu.Unlock()
	d.x, x.walked = nil, 0
	if len(need) > 0 {
		x.needs = append(slices.Clip(x.needs), need...)
		slices.SortFunc(x.needs, rbsr.Key.Compare)
		x.needs = slices.Compact(x.needs)
		x.blocked = false
	} else if end == rbsr.End {
		x.equal = time.Now()
	}
	if ours && end != rbsr.End { // the next part follows
		x.more, x.from = true, end
	}
}

// begin begins an exchange about the keys from there on.
func (x *session) begin(from rbsr.Key) func() error {
	x.awaits()
	var first []byte
	x.ours.x, first = rbsr.Begin(x.room.Set.Index(), from)
	return x.sync(0, first)
}

func (x *session) sync(whose byte, message []byte) func() error {
	return func() error {
		return x.frame(frameSync, func(b []byte) []byte { return append(append(b, whose), message...) })
	}
}

// needed returns what is to be asked for next. What another one is asked for already has to wait for that.
func (x *session) needed(now time.Time) (ids [][32]byte) {
	if x.blocked || len(x.needs) == 0 || len(x.asking) >= ownWants {
		return nil
	}
	r := x.room
	index := r.Set.Index()
	rest := x.needs[:0]
	for i, k := range x.needs {
		if len(ids) == maxAsked {
			rest = append(rest, x.needs[i:]...)
			break
		}
		if index.Has(k) || r.orphans.all[k.ID] != nil || now.Before(r.later[k.ID]) || r.asked[k.ID] == x {
			continue
		}
		if r.asked[k.ID] != nil {
			rest = append(rest, k)
			continue
		}
		ids = append(ids, k.ID)
	}
	if x.needs = rest; len(rest) == 0 {
		x.needs = nil
	}
	x.blocked = len(ids) == 0
	return ids
}

// awaits has the time begin in which something must be heard, for a question is to be asked: it may have been silent for
// as long as there was nothing to say. While another one waits for its answer, that time goes on.
func (x *session) awaits() {
	if x.ours.x == nil && len(x.asking) == 0 {
		x.heard.Store(time.Now().UnixNano())
	}
}

// asks asks for events.
func (x *session) asks(ids [][32]byte, parents bool) func() error {
	x.awaits()
	x.number++
	w := &want{number: x.number, ids: ids, left: map[[32]byte]bool{}, parents: parents}
	for _, id := range ids {
		w.left[id] = true
		if parents && x.room.asked[id] != nil {
			continue
		}
		x.room.asked[id] = x
	}
	x.asking[w.number] = w
	return func() error { return x.frame(frameWant, w.append) }
}

// serve answers a part of a question.
func (x *session) serve() error {
	w := x.serving
	part := w.ids[:min(len(w.ids), getEvents)]
	w.ids = w.ids[len(part):]
	blobs, err := x.room.Set.Get(x.ctx, part)
	if err != nil {
		return err
	}
	for len(blobs) > 0 {
		n, size := 0, 0
		for n < len(blobs) && (n == 0 || size+len(blobs[n].Bytes) < fill) {
			size += len(blobs[n].Bytes)
			n++
		}
		err := x.frame(frameEvents, func(b []byte) []byte {
			return appendBlobs(binary.AppendUvarint(b, w.number), blobs[:n])
		})
		if x.given(blobs[:n], err); err != nil {
			return err
		}
		blobs = blobs[n:]
	}
	if len(w.ids) > 0 {
		return nil
	}
	x.serving = nil
	x.room.mu.Lock()
	x.open--
	x.room.mu.Unlock()
	return x.frame(frameEnd, func(b []byte) []byte { return binary.AppendUvarint(b, w.number) })
}

// frame writes a frame. Who reads nothing for minutes loses the session.
func (x *session) frame(kind byte, content func([]byte) []byte) error {
	x.out = frame.Close(content(frame.Begin(x.out[:0], kind)))
	x.stream.SetWriteDeadline(time.Now().Add(stuck)) //nolint:errcheck // the write shows it
	_, err := x.stream.Write(x.out)
	if cap(x.out) > 2*fill {
		x.out = nil // an exchange had much to say
	}
	return err
}
