package share

import (
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// A Patcher is a Store that has older versions of some files, of which groups may be taken
// that are still the same: they are not fetched. What is the same shows in the nodes of the
// new version, which come first, and are verified as always; those of large parts at once, and of
// small ones where these differ.
type Patcher interface {
	// Older returns, after each Learn, the groups of files that have come to be known of
	// which there is an older version; each file once. Nobody is asked for them until
	// Patch has seen what there is.
	Older() []tree.Run

	// Patch compares one of these files, by its groups, with the older version, as far as its nodes are
	// known. It takes what is the same, and calls had for it, which returns false when the
	// share is over, as it does for an empty run. More are parts of the file of which more nodes must be known to go
	// on. It may take long, and is called by one goroutine at a time.
	Patch(file tree.Run, had func(tree.Run) bool) (more []tree.Run)
}

// coarse is how many groups a part of a file has that is compared as one at first: 4 MiB.
const coarse = 64

// A patch is a file that is being compared. Share.mu guards it.
type patch struct {
	run   tree.Run // its groups
	since time.Time
	least int64      // of the nodes that are asked for
	asks  []tree.Run // to be asked
	open  int        // questions that are not answered
	lacks map[*session]bool
}

// patch has files compared, and nobody asked for their groups meanwhile.
func (s *Share) patch(files []tree.Run) {
	for _, r := range files {
		s.patched = true
		s.picker.taken.add(r)
		p := &patch{run: r, since: time.Now(), least: coarse, lacks: map[*session]bool{}}
		if r.Len() <= 2*coarse {
			p.least = 1
		}
		p.ask(r)
		s.patches = append(s.patches, p)
	}
}

// ask has the nodes of a run asked for, in parts that are not too large.
func (p *patch) ask(r tree.Run) {
	for most := p.least * maxNodes; r.From < r.To; r.From += most {
		p.asks = append(p.asks, tree.Run{From: r.From, To: min(r.From+most, r.To)})
	}
}

// askNodes finds a question about nodes that the other side can answer, as it has all of a
// file. If nobody can, the file is fetched whole; who has just come has not said yet what it has.
func (x *session) askNodes(q *asked, now time.Time) bool {
	s := x.share
	for _, p := range s.patches {
		switch {
		case len(p.asks) == 0:
		case p.able(x):
			q.run, q.least, q.of = p.asks[0], p.least, p
			p.asks = p.asks[1:]
			p.open++
			return true
		case now.Sub(p.since) > stallTime && now.Sub(x.began) > stallTime && !slices.ContainsFunc(s.picker.members, p.mayBe(s)):
			s.unpatch(p) // those who have parts of it are asked for these
			return x.askNodes(q, now)
		}
	}
	return false
}

// able tells whether the other side has all nodes of the file.
func (p *patch) able(x *session) bool {
	if p.lacks[x] || x.sealed != nil || !x.agrees() {
		return false
	}
	for i := p.run.From / piece; i < pieces(p.run.To) && !x.m.all; i++ {
		if !x.m.have.has(i) {
			return false
		}
	}
	return true
}

// mayBe tells which members can be asked.
func (p *patch) mayBe(s *Share) func(*member) bool {
	return func(m *member) bool {
		for _, x := range s.sessions {
			if x.m == m {
				return p.able(x)
			}
		}
		return false
	}
}

// unpatch ends a patch. What did not come of it is asked for, whoever has it.
func (s *Share) unpatch(p *patch) {
	s.patches = slices.DeleteFunc(s.patches, func(o *patch) bool { return o == p })
	s.picker.release(p.run)
	s.kickAll()
}

// answered notes that a question about nodes has been answered, or cannot be.
func (x *session) answered(q *asked, how uint64) {
	s, p := x.share, q.of
	p.open--
	p.since = time.Now()
	if how != endAll {
		p.lacks[x] = true
		p.asks = append(p.asks, q.run)
		return
	}
	if p.open > 0 || len(p.asks) > 0 || !slices.Contains(s.patches, p) {
		return
	}
	s.ready = append(s.ready, p)
	if !s.patching && !s.closed {
		s.patching = true
		s.working.Go(s.compare)
	}
}

// unanswered notes that a question will not be answered.
func (x *session) unanswered(q *asked) {
	if q.of != nil {
		x.answered(q, endCannot)
	}
}

// compare has files compared whose nodes have come, one after the other.
func (s *Share) compare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.patching = false }()
	for len(s.ready) > 0 && !s.closed {
		p := s.ready[0]
		s.ready = s.ready[1:]
		s.mu.Unlock()
		more := s.Store.(Patcher).Patch(p.run, s.goesOn)
		s.mu.Lock()
		if len(more) == 0 || p.least == 1 {
			s.unpatch(p)
			continue
		}
		p.least = 1
		for _, r := range more {
			p.ask(r)
		}
		s.kickAll()
	}
}

// goesOn takes what is there, and tells whether anybody still wants to know.
func (s *Share) goesOn(r tree.Run) bool {
	if r.Len() > 0 {
		s.Had(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.ended == nil
}
