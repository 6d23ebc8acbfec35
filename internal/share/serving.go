package share

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// How a sealed copy is handed to those who have the share's secret. Its holder answers questions about the share
// with units that it cannot read.

// idle is how long who fetches a copy may ask for nothing.
const idle = 10 * time.Minute

// Hold has others find a sealed copy until drop is called, which ends no session.
func (h *Hub) Hold(k *Held) (drop func()) {
	id := k.HeldID(k.Owner)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[ID]*Held{}
	}
	h.held[id] = k
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.held[id] == k {
			delete(h.held, id)
		}
	}
}

// serve answers one who has shown that it has the secret.
func (h *Held) serve(x *session) {
	done, err := h.begin(x, false)
	if err == nil && !h.readable() {
		done()
		err = errClosed // for now
	}
	if err != nil {
		transport.Abort(x.stream, err)
		return
	}
	defer done()
	var telling sync.WaitGroup
	telling.Go(func() { h.tell(x) })
	err = h.answer(x)
	close(x.gone)
	var late interface{ Timeout() bool }
	if !errors.Is(err, io.EOF) && !(errors.As(err, &late) && late.Timeout()) {
		transport.Abort(x.stream, err)
	} else {
		x.stream.Close() //nolint:errcheck // all was said
	}
	telling.Wait()
}

// readable tells whether the manifest is there.
func (h *Held) readable() bool {
	for n := range h.Manifest {
		if !h.Units.Has(n) {
			return false
		}
	}
	return true
}

// tell says what is sealed, and which pieces are there, as they come.
func (h *Held) tell(x *session) {
	id := h.HeldID(h.Owner)
	first := appendFrame(nil, frameHello, 0)
	first = closeFrame(hello{id, prove(h.Access[:], id, h.Self, x.peer)}.append(first))
	first = append(append(first, appendFrame(nil, frameSeal, len(h.Head))...), h.Head...)
	err := x.send(first)
	var told set
	for err == nil {
		news := h.news()
		for _, c := range h.haves(&told) {
			if err = x.send(append(appendFrame(nil, frameHave, len(c)), c...)); err != nil {
				break
			}
		}
		timer := time.NewTimer(haveTime)
		select {
		case <-timer.C:
		case <-x.gone:
		}
		timer.Stop()
		select {
		case <-news:
		case <-x.gone:
			return
		}
	}
	transport.Abort(x.stream, err)
}

// haves returns what tells of pieces that were not told of.
func (h *Held) haves(told *set) (contents [][]byte) {
	if n, _ := h.Units.Count(); n == h.Offer.Units() {
		return [][]byte{{haveAll}}
	}
	c := []byte{haveSome}
	for i := range pieces(h.Pieces) {
		var w uint64
		for b := i * 64; b < min((i+1)*64, h.Pieces); b++ {
			if h.Units.Has(h.Manifest + b) {
				w |= 1 << (b % 64)
			}
		}
		if w == told.word(i) {
			continue
		}
		told.put(i, w)
		c = binary.LittleEndian.AppendUint64(binary.AppendUvarint(c, uint64(i)), w)
		if len(c) > maxHave-20 {
			contents = append(contents, c)
			c = []byte{haveSome}
		}
	}
	if len(c) > 1 {
		contents = append(contents, c)
	}
	return append(contents, []byte{haveEnough}) // it fetches nothing
}

// answer answers questions until there are no more.
func (h *Held) answer(x *session) error {
	buf := make([]byte, sealedMost)
	for {
		x.stream.SetReadDeadline(time.Now().Add(idle)) //nolint:errcheck // the read shows it
		kind, p, err := readFrame(x.in, &x.last)
		if err != nil {
			return err
		}
		switch kind {
		case frameWant, frameAny, frameManifest, frameNodes:
			w, err := parseWant(kind, p)
			if err == nil {
				err = h.answerOne(x, w, buf)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (h *Held) answerOne(x *session, w want, buf []byte) error {
	n, end := w.run.From/piece, h.Manifest
	if w.manifest == 0 {
		n, end = n+h.Manifest, h.Offer.Units()
	}
	switch {
	case w.any:
		return x.end(w.number, endNothing)
	case w.least > 0, w.run.From%piece != 0, n >= end, !h.Units.Has(n):
		return x.end(w.number, endCannot)
	}
	f, err := h.Units.Open(n)
	if err != nil {
		return x.end(w.number, endCannot)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if err := x.write(frameAnswer, answerHead{w.number, w.run}.append); err != nil {
		return err
	}
	for {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			if err := x.write(frameData, func(b []byte) []byte { return append(b, buf[:n]...) }); err != nil {
				return err
			}
			h.mu.Lock()
			h.up.add(n, time.Now())
			h.mu.Unlock()
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return x.end(w.number, endAll)
		case err != nil:
			return x.end(w.number, endCannot)
		}
	}
}
