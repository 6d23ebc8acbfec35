package meet

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

const (
	partEvery  = 5 * time.Minute // one who is no member any more is told so at most this often
	partTime   = 2 * time.Minute // and for so long
	partQuiet  = 7 * time.Second // until more is pushed to who says nothing: he knows already, or has not asked
	maxPart    = 2000            // events that he is sent at a time,
	maxParted  = 10_000          // and in all
	maxPartIn  = 10_000          // frames of his
	maxParting = 1024            // of whom it is remembered when they were told
)

// A farewell is a stream with somebody who was a member once, and asks for the room: he was away when he was removed. He is told the event
// by which he is none, and what it stands on, as far as he asks for it: all of it was said by those who did not know of that
// event, while he was a member. It is a session to him. He learns nothing else: not what there is otherwise, nor whether there is any.
type farewell struct {
	room    *Room
	stream  transport.Stream
	in      *bufio.Reader
	allowed map[[32]byte]bool // what may be given: what was given stands on it
	sent    map[[32]byte]bool
}

// part tells who was a member once why he is none, if it is time to. It returns false if nothing was said.
func (r *Room) part(stream transport.Stream, in *bufio.Reader, who peer.ID) bool {
	if r.Parted == nil {
		return false
	}
	by, ok := r.Parted(who)
	if !ok || !r.beginPart(who) {
		return false
	}
	defer r.working.Done()
	ctx, stop := context.WithTimeout(r.ctx, partTime)
	defer stop()
	defer context.AfterFunc(ctx, func() { transport.Abort(stream, context.Cause(ctx)) })()
	f := &farewell{room: r, stream: stream, in: in, allowed: map[[32]byte]bool{}, sent: map[[32]byte]bool{}}
	err := writeHello(stream, tag(r.Secret, r.m.net.Self(), who))
	if err == nil {
		err = f.tell(ctx, by)
	}
	for n := 0; err == nil && n < maxPartIn; n++ {
		err = f.answer(ctx)
	}
	transport.Abort(stream, ErrGone)
	return true
}

// beginPart tells whether somebody is to be told now. If so, the Room waits for it when it is closed.
func (r *Room) beginPart(who peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for id, at := range r.parted {
		if now.Sub(at) >= partEvery {
			delete(r.parted, id)
		}
	}
	if _, lately := r.parted[who]; r.closed || lately || len(r.parted) >= maxParting {
		return false
	}
	if r.parted == nil {
		r.parted = map[peer.ID]time.Time{}
	}
	r.parted[who] = now
	r.working.Add(1)
	return true
}

// past returns events, and the latest that they stand on, that were not given yet, in the order of their keys.
func (f *farewell) past(ctx context.Context, ids [][32]byte) (all []Blob, err error) {
	seen := map[[32]byte]bool{}
	next := slices.Clone(ids)
	for len(next) > 0 && len(all) < maxPart {
		blobs, err := f.room.Set.Get(ctx, next[:min(len(next), getEvents)])
		if err != nil {
			return nil, err
		}
		next = next[min(len(next), getEvents):]
		rows := make([][]byte, len(blobs))
		for i := range blobs {
			rows[i] = blobs[i].Bytes
		}
		if blobs, err = f.room.Parse(rows); err != nil { // a Set does not say what they stand on
			return nil, err
		}
		for i := range blobs {
			for _, p := range blobs[i].Parents {
				if !seen[p] && !f.sent[p] {
					seen[p] = true
					next = append(next, p)
				}
			}
		}
		all = append(all, blobs...)
	}
	slices.SortFunc(all, func(a, b Blob) int { return a.Key.Compare(b.Key) })
	return slices.CompactFunc(all, func(a, b Blob) bool { return a.Key == b.Key }), nil
}

// tell pushes an event, and the latest that it stands on before it.
func (f *farewell) tell(ctx context.Context, by [32]byte) error {
	all, err := f.past(ctx, [][32]byte{by})
	if err != nil {
		return err
	}
	return f.give(all, framePush, nil)
}

// serve answers a question for what something stands on that was given: with what that stands on, in turn, before it.
func (f *farewell) serve(ctx context.Context, w want) error {
	head := binary.AppendUvarint(nil, w.number)
	ids := slices.DeleteFunc(w.ids, func(id [32]byte) bool { return !f.allowed[id] })
	if len(ids) > 0 && len(f.sent) < maxParted {
		all, err := f.past(ctx, ids)
		if err != nil {
			return err
		}
		asked := func(b Blob) bool { return slices.Contains(ids, b.ID) }
		before := slices.DeleteFunc(slices.Clone(all), asked)
		if err := f.give(before, framePush, nil); err != nil {
			return err
		}
		if err := f.give(slices.DeleteFunc(all, func(b Blob) bool { return !asked(b) }), frameEvents, head); err != nil {
			return err
		}
	}
	return f.write(frameEnd, head)
}

// give sends events in frames that begin with some bytes. What they stand on may be asked for from then on.
func (f *farewell) give(blobs []Blob, kind byte, head []byte) error {
	for len(blobs) > 0 {
		n, size := 0, 0
		for n < len(blobs) && (n == 0 || size+len(blobs[n].Bytes) < fill) {
			size += len(blobs[n].Bytes)
			f.sent[blobs[n].ID] = true
			for _, p := range blobs[n].Parents {
				f.allowed[p] = true
			}
			n++
		}
		if err := f.write(kind, appendBlobs(slices.Clone(head), blobs[:n])); err != nil {
			return err
		}
		blobs = blobs[n:]
	}
	return nil
}

// next waits until he says something. Who says nothing may wait for what an exchange, which has told him nothing, would have brought:
// what comes before is pushed to him.
func (f *farewell) next(ctx context.Context) error {
	for {
		f.stream.SetReadDeadline(time.Now().Add(partQuiet)) //nolint:errcheck // the read shows it
		_, err := f.in.Peek(1)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		var ids [][32]byte
		for id := range f.allowed {
			if !f.sent[id] {
				ids = append(ids, id)
			}
		}
		all, failed := f.past(ctx, ids)
		if failed != nil || len(all) == 0 || len(f.sent) >= maxParted {
			return cmp.Or(failed, err)
		}
		if err := f.give(all, framePush, nil); err != nil {
			return err
		}
	}
}

// answer takes a frame, and answers as one does who has nothing but what may be given.
func (f *farewell) answer(ctx context.Context) error {
	if err := f.next(ctx); err != nil {
		return err
	}
	f.stream.SetReadDeadline(time.Now().Add(silence)) //nolint:errcheck // the read shows it
	kind, p, err := readFrame(f.in)
	if err != nil {
		return err
	}
	switch kind {
	case frameSync:
		if len(p) < 2 || p[0] != 0 {
			return errWire
		}
		answer, err := rbsr.Same(p[1:])
		if err != nil {
			return err
		}
		return f.write(frameSync, append([]byte{1}, answer...)) // there is nothing that he lacks otherwise
	case frameWant:
		w, err := parseWant(p)
		if err != nil {
			return err
		}
		return f.serve(ctx, w)
	case frameGone:
		return ErrGone
	}
	return nil // what he has to say is of no use
}

func (f *farewell) write(kind byte, content []byte) error {
	f.stream.SetWriteDeadline(time.Now().Add(silence)) //nolint:errcheck // the write shows it
	_, err := f.stream.Write(frame.Close(append(frame.Begin(nil, kind), content...)))
	return err
}
