package share

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// taking is the answer that is being read.
type taking struct {
	on       bool
	about    asked
	verifier tree.Verifier
	next     func() (part, bool) // the files of the answer
	stop     func()
	part     part
	blob     Blob

	nodes *overlay // of a manifest

	fresh tree.Run // groups that were written and the Store was not told of
}

// close lets go of what an answer was written to.
func (t *taking) close() {
	if t.stop != nil {
		t.stop()
	}
	if t.blob != nil {
		t.blob.Close() //nolint:errcheck // what counts is what was written
	}
	*t = taking{verifier: t.verifier}
}

// takeAnswer begins with an answer, which is to the first question that has none yet.
func (x *session) takeAnswer(p []byte) error {
	a, err := parseAnswer(p)
	if err != nil {
		return err
	}
	if x.taking.on {
		return fmt.Errorf("%w: an answer inside of another", errWire)
	}
	if err := x.begin(a); err != nil || x.taking.about.manifest > 0 {
		return err
	}
	return x.nextPart()
}

// begin finds the question that an answer is to.
func (x *session) begin(a answerHead) error {
	s, t := x.share, &x.taking
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(x.asks) == 0 || x.asks[0].number != a.number {
		return fmt.Errorf("%w: an answer without a question", errWire)
	}
	q := x.asks[0]
	switch {
	case q.any:
		if a.run.Len() < 1 || a.run.Len() > piece || a.run.To > q.known {
			return fmt.Errorf("%w: an answer that was not asked for", errWire)
		}
		q.run, q.r.run = a.run, a.run
		s.picker.taken.add(a.run)
	case a.run != q.run:
		return fmt.Errorf("%w: an answer to another question", errWire)
	}
	t.on, t.about = true, q
	if x.sealed != nil {
		x.sealed.unit, x.sealed.frame = unit{unitPiece, q.run.From / piece}, 0
		if q.manifest > 0 {
			x.sealed.unit.sort = unitManifest
		}
	}
	if q.manifest > 0 {
		t.nodes = &overlay{below: s.nodes, down: x.agreed == s.layout.index.Size()}
		f := tree.File{Shape: tree.Shape(q.manifest), Root: q.head.Hash, Nodes: t.nodes}
		return t.verifier.Start(f, q.run, 0, x.giveManifest)
	}
	t.next, t.stop = iter.Pull(s.layout.parts(q.run))
	return nil
}

// start has the verifier take the proof that comes for the file of an answer.
func (t *taking) start(f tree.File, give func(int64, []byte) error) error {
	if t.about.least > 0 {
		return t.verifier.StartNodes(f, t.part.run, t.about.skip, t.about.least)
	}
	return t.verifier.Start(f, t.part.run, t.about.skip, give)
}

// nextPart goes on with the next file of an answer.
func (x *session) nextPart() error {
	t := &x.taking
	if t.blob != nil {
		err := t.blob.Close()
		t.blob = nil
		if err != nil {
			return x.broken(err)
		}
	}
	var ok bool
	if t.part, ok = t.next(); !ok {
		return nil
	}
	var err error
	if t.blob, err = x.openPart(); err != nil {
		return x.broken(err)
	}
	f := tree.File{Shape: tree.Shape(t.part.entry.Size), Root: t.part.entry.Root, Nodes: t.blob.Nodes()}
	return t.start(f, x.give)
}

// openPart opens the file of the part that comes.
func (x *session) openPart() (Blob, error) {
	s, p := x.share, x.taking.part
	if x.sealed != nil {
		s.mu.Lock()
		lacks := s.lacks(p.whole())
		s.mu.Unlock()
		if !lacks {
			return void{}, nil
		}
	}
	return s.Store.Open(p.n, p.entry)
}

// broken notes that the Store has failed, which ends the whole share.
func (x *session) broken(err error) error {
	x.share.mu.Lock()
	defer x.share.mu.Unlock()
	x.share.end(err)
	return err
}

// takeData takes bytes of the proof, as which so many have come.
func (x *session) takeData(p []byte, sent int) error {
	t := &x.taking
	if !t.on {
		return fmt.Errorf("%w: data without an answer", errWire)
	}
	x.came(sent, len(p))
	for {
		rest, err := t.verifier.Feed(p)
		if err != nil {
			return x.about(err)
		}
		if p = rest; len(p) == 0 {
			return nil
		}
		if x.sealed != nil && (t.about.manifest > 0 || t.blob == nil) {
			return nil // a unit is filled up
		}
		if t.about.manifest > 0 || t.blob == nil {
			return fmt.Errorf("%w: an answer that is too long", errWire)
		}
		t.about.skip = 0
		if err := x.nextPart(); err != nil {
			return err
		}
		if t.blob == nil && x.sealed == nil {
			return fmt.Errorf("%w: an answer that is too long", errWire)
		}
	}
}

// about says which file an error is about.
func (x *session) about(err error) error {
	if x.taking.about.manifest > 0 {
		return fmt.Errorf("manifest: %w", err)
	}
	return fmt.Errorf("%q: %w", x.taking.part.entry.Path, err)
}

// give stores a verified group.
func (x *session) give(g int64, data []byte) error {
	s, t := x.share, &x.taking
	n := t.part.first + g
	s.mu.Lock()
	there := s.picker.done.has(n)
	unwanted := x.unwanted(n)
	s.mu.Unlock()
	if unwanted {
		return nil
	}
	if !there {
		if _, err := t.blob.WriteAt(data, g*tree.Group); err != nil {
			return x.broken(err)
		}
	}
	s.mu.Lock()
	s.moved = time.Now()
	s.alone = s.alone && x.m.all
	fresh := s.picker.got(x.m, n, s.moved)
	s.traffic.Got++
	switch {
	case !fresh:
		s.traffic.Lost++
	case n < s.weighed:
		s.had += int64(len(data))
	}
	s.down.add(len(data), s.moved)
	x.down.add(len(data), s.moved)
	s.mu.Unlock()
	if fresh {
		if t.fresh.To != n {
			x.stored()
			t.fresh = tree.Run{From: n, To: n}
		}
		t.fresh.To++
	}
	return nil
}

// stored tells the Store of groups that were written.
func (x *session) stored() {
	if t := &x.taking; t.fresh.Len() > 0 {
		x.share.Store.Got(t.fresh)
		x.share.mu.Lock()
		x.share.stored += t.fresh.Len()
		x.share.mu.Unlock()
		t.fresh = tree.Run{}
	}
}

// giveManifest takes a verified group of the manifest.
func (x *session) giveManifest(g int64, data []byte) error {
	s := x.share
	s.mu.Lock()
	defer s.mu.Unlock()
	at, h := g*tree.Group, x.taking.about.head
	have := s.layout.index.Size()
	if at+int64(len(data)) == h.Size && h.Final {
		s.sized = h
	}
	if have < at || have >= at+int64(len(data)) {
		return nil // asked for to prove the size
	}
	if ok, err := x.continues(at, data); err != nil || !ok {
		return err
	}
	if err := s.append(data[have-at:]); err != nil {
		err = fmt.Errorf("the manifest of the share is wrong: %w", err)
		s.end(err)
		return err
	}
	x.agreed = s.layout.index.Size()
	if err := s.learn(); err != nil {
		return err
	}
	if s.layout.index.Size() == h.Size {
		if err := s.keep(h); err != nil {
			return err
		}
		s.reached(h)
	}
	s.kickAll()
	return nil
}

// rest returns what of a run is in its first file: what cannot be had if nothing more came.
func (s *Share) rest(r tree.Run) tree.Run {
	if r.Len() > 0 {
		for p := range s.layout.parts(r) {
			return p.whole()
		}
	}
	return r
}

// takeEnd ends an answer.
func (x *session) takeEnd(p []byte) error {
	f := fields{p: p}
	number, how := f.number(), f.number()
	if err := f.end(); err != nil {
		return err
	}
	x.stored()
	s, begun, whole := x.share, x.taking.on, x.taking.verifier.Done()
	x.taking.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(x.asks) == 0 || x.asks[0].number != number || !begun && how != endNothing && how != endCannot {
		return fmt.Errorf("%w: an end without an answer", errWire)
	}
	if how == endAll && !whole {
		return fmt.Errorf("%w: an answer that is too short", errWire)
	}
	q := x.asks[0]
	s.unexpect(&q, q.due)
	x.asks = x.asks[1:]
	switch {
	case q.of != nil:
		x.answered(&q, how)
	case q.manifest == 0:
		s.picker.ended(x.m, s.rest(q.r.run))
		x.spent = x.spent || how == endNothing
	case how != endAll:
		return errors.New("it has no manifest of what it shares")
	default:
		s.fetching = nil
	}
	s.check()
	s.kickAll()
	return nil
}
