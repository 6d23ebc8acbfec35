package share

import (
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// stallTime is how long those who fetch a share wait for each other before they ask
// somebody who has sent everything to one of them already.
const (
	stallTime = 2 * time.Second
	maxStall  = 5 * time.Minute // more than that is not added to it
)

// questions returns as many questions as the other side should have to do, and notes them
// as asked.
func (x *session) questions(now time.Time) (all []want) {
	s := x.share
	x.paused = 0
	for len(x.asks) < maxAsked/2 {
		if x.paused = s.pause(x, now); x.paused > 0 {
			break
		}
		q, ok := x.question(now)
		s.served(x)
		if !ok {
			break
		}
		s.expect(&q)
		x.asks = append(x.asks, q)
		all = append(all, q.want)
	}
	return all
}

// ask sends a question. What is known of the tree of its first file is looked up only now:
// that may wait for a disk, and nobody else shall wait for it.
func (x *session) ask(q want) error {
	if k := q.kind(); x.sealed == nil && (k == frameWant || k == frameNodes) {
		s := x.share
		s.mu.Lock()
		l := s.layout
		s.mu.Unlock()
		for p := range l.parts(q.run) {
			q.skip = s.known(p)
			break
		}
		s.mu.Lock()
		for i := range x.asks {
			if x.asks[i].number == q.number {
				x.asks[i].skip = q.skip
			}
		}
		s.mu.Unlock()
	}
	b := q.append(appendFrame(nil, q.kind(), 0))
	return x.send(closeFrame(b))
}

// question returns what to ask next.
func (x *session) question(now time.Time) (q asked, ok bool) {
	s := x.share
	x.number++
	q.number = x.number
	if q.run = s.nextManifest(x); q.run.Len() > 0 {
		s.fetching, q.manifest, q.head = x, x.head.Size, x.head
		if x.sealed != nil {
			q.run = unitOf(q.run.From, tree.Shape(x.head.Size).Groups())
		}
		return q, true
	}
	switch {
	case !x.agrees():
		return q, false
	case x.sealed != nil:
		return x.nextUnit(q, now)
	case x.askNodes(&q, now):
		return q, true
	case x.spent && x.crowd > 0 && !s.stalled(x, now):
		return q, false
	case !x.spent && x.asksAny():
		return x.anything(q, now)
	}
	if q.run = s.picker.next(x.m, q.number, now); q.run.Len() == 0 {
		return q, false
	}
	q.r = x.m.asked[len(x.m.asked)-1]
	return q, true
}

// asksAny tells whether the other side shall choose what it sends, because several fetch
// the share from it and nobody else has everything.
func (x *session) asksAny() bool {
	if p := &x.share.picker; !x.m.all || x.crowd == 0 || p.inOrder || p.skipped.count > 0 || x.share.patched {
		return false
	}
	for _, o := range x.share.sessions {
		if o != x && o.m.all {
			return false
		}
	}
	return true
}

// anything asks for a piece of the other side's choice.
func (x *session) anything(q asked, now time.Time) (asked, bool) {
	s := x.share
	open := s.layout.groups - s.picker.taken.count
	if waiting := int64(len(x.asks)); open <= waiting*piece || waiting*piece >= max(s.picker.window(x.m), 2*piece) {
		return q, false
	}
	q.any, q.known = true, s.picker.groups
	s.picker.ask(x.m, q.number, tree.Run{}, now)
	q.r = x.m.asked[len(x.m.asked)-1]
	return q, true
}

// stalled tells whether nothing has come from anybody for a while, nor is about to: for longer
// than one who has everything needs to send others the two pieces that each of them has asked
// it for, if it sends to them as fast as to us. From then on nobody is waited for until something
// comes from one who has not everything: those who fetch the share may be out of each other's
// reach.
func (s *Share) stalled(x *session, now time.Time) bool {
	for _, o := range s.sessions {
		if len(o.asks) > 0 {
			return s.alone
		}
	}
	wait := stallTime
	if x.m.rate > 0 {
		wait += time.Duration(min(2*piece/x.m.rate, maxStall.Seconds()) * float64(time.Second))
	}
	s.alone = s.alone || now.Sub(s.moved) > wait
	return s.alone
}

// nextManifest returns which groups of the manifest to ask for.
func (s *Share) nextManifest(x *session) tree.Run {
	shape := tree.Shape(x.head.Size)
	have := s.layout.index.Size()
	switch {
	case s.fetching != nil, s.sharing, x.other, x.head.Size <= have:
		return tree.Run{}
	case x.head.Sig == [64]byte{} && s.sized.Size != x.head.Size: // the last group proves the size
		return tree.Run{From: shape.Groups() - 1, To: shape.Groups()}
	}
	from := have / tree.Group
	return tree.Run{From: from, To: min(from+s.picker.atMost(maxRequest), shape.Groups())}
}

// known returns the depth above which the tree of a file is known. It opens the file.
func (s *Share) known(p part) int {
	if tree.Shape(p.entry.Size).Groups() < 2 {
		return 0
	}
	blob, err := s.Store.Open(p.n, p.entry)
	if err != nil {
		return 0 // it will show when the answer comes
	}
	defer blob.Close() //nolint:errcheck // it was only read
	skip, err := tree.File{Shape: tree.Shape(p.entry.Size), Root: p.entry.Root, Nodes: blob.Nodes()}.Skip(p.run)
	if err != nil {
		return 0
	}
	return min(skip, maxSkip)
}
