package share

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// errUsedUp ends a session: the share is for no more peers.
var errUsedUp = errors.New("it was fetched as often as it may be")

// errTrimmed ends an answer of which the rest is not wanted any more.
var errTrimmed = errors.New("not wanted any more")

// answer answers questions, one after the other.
func (x *session) answer() {
	w := answerWriter{x: x}
	asks := x.share.Use != nil
	for {
		var q want
		select {
		case q = <-x.wants:
		case <-x.gone:
			return
		}
		if asks && q.ofFiles() {
			if !x.share.Use(x.peer) {
				transport.Abort(x.stream, errUsedUp)
				return
			}
			asks = false
		}
		if err := x.answerOne(&w, q); err != nil {
			transport.Abort(x.stream, err)
			return
		}
	}
}

// answerOne answers a question. Errors are those of the stream.
func (x *session) answerOne(w *answerWriter, q want) error {
	s := x.share
	s.mu.Lock()
	if q.any {
		q.run = s.scarce(x, q.known)
	}
	if q.kind() == frameWant {
		s.given.add(tree.Run{From: q.run.From / piece, To: min(pieces(q.run.To), pieces(s.layout.groups))})
	}
	known := s.layout.groups
	if s.Passing {
		known = 0
	}
	if q.manifest > 0 {
		if known = 0; q.manifest <= s.head.Size {
			known = tree.Shape(q.manifest).Groups()
		}
	}
	layout, nodes := s.layout, s.nodes
	s.mu.Unlock()
	switch {
	case q.any && q.run.Len() == 0:
		return x.end(q.number, endNothing)
	case q.run.To > known:
		return x.end(q.number, endCannot)
	}
	if err := x.write(frameAnswer, answerHead{q.number, q.run}.append); err != nil {
		return err
	}
	*w = answerWriter{x: x, encoder: w.encoder, frames: w.frames, number: q.number, at: q.run.From, manifest: q.manifest > 0, nodes: q.least > 0}
	var err error
	switch {
	case q.least > 0:
		err = x.answerNodes(w, layout, q)
	case q.manifest > 0:
		var f tree.File
		if f, err = prefix(layout.index, q.manifest, nodes); err == nil {
			w.encoder.Trust = true
			err = w.encoder.Encode(w, f, io.NewSectionReader(layout.index, 0, q.manifest), q.run, 0)
		}
	default:
		for p := range layout.parts(q.run) {
			if err = x.answerPart(w, p, q.skip); err != nil {
				break
			}
			q.skip = 0
		}
	}
	s.mu.Lock()
	delete(x.trimmed, q.number)
	s.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case err == nil:
		return x.end(q.number, endAll)
	case errors.Is(err, errTrimmed):
		return x.end(q.number, endTrimmed)
	case q.least > 0:
		return x.end(q.number, endCannot) // the groups themselves may be there
	default:
		s.cannot(w.at, x.peer, err)
		return x.end(q.number, endCannot)
	}
}

// cannot says, once for each piece, that something cannot be sent.
func (s *Share) cannot(group int64, to peer.ID, err error) {
	s.mu.Lock()
	fresh := s.unsent.add(tree.Run{From: group / piece, To: group/piece + 1}) > 0
	l := s.layout
	s.mu.Unlock()
	if !fresh {
		return
	}
	e := Event{Kind: Unsent, Peer: to, Text: "cannot be sent what it asks for", Err: err}
	for p := range l.parts(tree.Run{From: group, To: group + 1}) {
		e.File, e.Offset = p.entry.Path, p.run.From*tree.Group
	}
	s.event(e)
}

func (x *session) end(number uint64, how uint64) error {
	return x.write(frameEnd, func(b []byte) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(b, number), how)
	})
}

// answerPart sends groups of one file.
func (x *session) answerPart(w *answerWriter, p part, skip int) error {
	s := x.share
	whole := p.whole()
	s.mu.Lock()
	there := s.picker.done.missing(whole.From, whole.To).Len() == 0
	s.mu.Unlock()
	if !there {
		return fmt.Errorf("%q: %w", p.entry.Path, tree.ErrMissing)
	}
	return s.prove(w, &w.encoder, p, skip, false)
}

// prove writes the proof of groups of one file. With check all is hashed again, also what is trusted.
func (s *Share) prove(w io.Writer, e *tree.Encoder, p part, skip int, check bool) error {
	blob, err := s.Store.Open(p.n, p.entry)
	if err != nil {
		return fmt.Errorf("%q: %w", p.entry.Path, err)
	}
	defer blob.Close() //nolint:errcheck // it was only read
	e.Trust = blob.Trusted() && !check
	f := tree.File{Shape: tree.Shape(p.entry.Size), Root: p.entry.Root, Nodes: blob.Nodes()}
	if err := e.Encode(w, f, blob, p.run, skip); err != nil {
		return fmt.Errorf("%q: %w", p.entry.Path, err)
	}
	return nil
}

// An answerWriter sends proofs in frames. Each Write is a group, with the nodes that lead to it.
type answerWriter struct {
	x        *session
	encoder  tree.Encoder
	number   uint64
	at       int64 // the group that comes next
	manifest bool
	nodes    bool
	frames   []byte // scratch
	err      error  // of the stream
}

func (w *answerWriter) Write(p []byte) (int, error) {
	s := w.x.share
	s.mu.Lock()
	to, short := w.x.trimmed[w.number]
	switch short = short && w.at >= to; {
	case short:
	case w.manifest:
		s.traffic.Manifest++
	case w.nodes:
		s.traffic.Nodes += int64(len(p) / tree.NodeSize)
	default:
		s.traffic.Sent++
	}
	s.mu.Unlock()
	if short {
		return 0, errTrimmed
	}
	w.at++
	if zeros := zerosBehind(p); zeros >= fewZeros && w.x.sealed == nil {
		if w.err = w.writeZeros(p[:len(p)-zeros], zeros); w.err != nil {
			return 0, w.err
		}
		return len(p), nil
	}
	for rest := p; len(rest) > 0 && w.err == nil; {
		cut := rest[:s.cut(len(rest))]
		rest = rest[len(cut):]
		if w.err = w.x.await(frameHeadN + len(cut)); w.err == nil {
			w.err = w.x.write(frameData, func(b []byte) []byte { return append(b, cut...) })
		}
		if w.err == nil && !w.manifest {
			w.x.sent(len(cut))
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// sent counts bytes that were sent.
func (x *session) sent(n int) {
	s := x.share
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.up.add(n, now)
	x.up.add(n, now)
}

// scarce chooses a piece for somebody who asks for any, and knows of so many groups: one that
// nobody was sent yet.
func (s *Share) scarce(x *session, known int64) tree.Run {
	known = min(known, s.layout.groups)
	for n := int64(0); ; n++ {
		n = s.given.scan(n, pieces(known), true)
		r := tree.Run{From: n * piece, To: min((n+1)*piece, known)}
		if r.Len() <= 0 {
			return tree.Run{}
		}
		if !x.m.have.has(n) && s.picker.done.missing(r.From, r.To).Len() == 0 {
			s.given.add(tree.Run{From: n, To: n + 1})
			return r
		}
	}
}

// answerNodes sends nodes of one file.
func (x *session) answerNodes(w *answerWriter, l layout, q want) error {
	for p := range l.parts(q.run) {
		if p.whole() != q.run || tree.Shape(p.entry.Size).Groups() < 2 {
			break
		}
		blob, err := x.share.Store.Open(p.n, p.entry)
		if err != nil {
			return err
		}
		defer blob.Close() //nolint:errcheck // it was only read
		f := tree.File{Shape: tree.Shape(p.entry.Size), Root: p.entry.Root, Nodes: blob.Nodes()}
		return w.encoder.EncodeNodes(w, f, p.run, q.skip, q.least)
	}
	return tree.ErrMissing
}
