package share

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// How a sealed copy is fetched from a holder: by a session that asks as always, but for whole units,
// and opens what comes before it is verified. A holder is told nothing but which units are wanted.

// opening is what a session with a holder has more than others.
type opening struct {
	*seal
	root  tree.Hash // of what is sealed; zero before SEAL
	unit  unit      // that is coming
	frame uint32    // of it
}

// openingFor returns how to open what a peer holds; nil if it is no holder.
func (s *Share) openingFor(to peer.ID) (*opening, error) {
	if !slices.Contains(s.Holders, to) {
		return nil, nil
	}
	seal, err := newSeal(s.ID, s.Secret)
	if err != nil {
		return nil, err
	}
	return &opening{seal: seal}, nil
}

// greeting is how a session begins with somebody: the share that is asked for, and the key by which it is shown
// that one may.
func (s *Share) greeting(o *opening) (ID, []byte) {
	if o == nil {
		return s.ID, s.Secret
	}
	return heldID(s.Sharer, o.id), o.access
}

// takeSealed takes a frame of a holder. It has nothing to ask, and nothing to say about others.
func (x *session) takeSealed(kind byte, p []byte) error {
	switch kind {
	case frameSeal:
		return x.takeSeal(p)
	case frameHave:
		return x.takeHave(p)
	case frameAnswer:
		return x.takeAnswer(p)
	case frameEnd:
		return x.takeEnd(p)
	case frameData:
		if !x.taking.on {
			return fmt.Errorf("%w: data without an answer", errWire)
		}
		text, err := x.sealed.open(x.sealed.root, x.sealed.unit, x.sealed.frame, p)
		if err != nil {
			return x.about(err)
		}
		x.sealed.frame++
		return x.takeData(text, len(text))
	case frameHead, frameWant, frameAny, frameManifest, frameNodes:
		return fmt.Errorf("%w: a holder that is more than that", errWire)
	}
	return nil
}

// takeSeal learns what is sealed.
func (x *session) takeSeal(p []byte) error {
	text, err := x.sealed.open(tree.Hash{}, unit{sort: unitHead}, 0, p)
	if err != nil {
		return x.about(err)
	}
	h, err := ParseHead(text)
	if err != nil {
		return err
	}
	if !h.Final || x.sealed.root != (tree.Hash{}) {
		return fmt.Errorf("%w: a copy of what is not whole", errWire)
	}
	x.sealed.root = h.Hash
	return x.takeHead(text)
}

// unitOf returns the groups of the unit that a group is in, of so many groups.
func unitOf(g, of int64) tree.Run {
	from := g / piece * piece
	return tree.Run{From: from, To: min(from+piece, of)}
}

// nextUnit asks for a piece. Only one whose files are all known can be taken apart.
func (x *session) nextUnit(q asked, now time.Time) (asked, bool) {
	s := x.share
	known := s.layout.groups
	if !s.head.Final {
		known = known / piece * piece
	}
	r := s.picker.nextPiece(x.m, q.number, known, now)
	if r.Len() == 0 {
		return q, false
	}
	q.run, q.r = unitOf(r.From, known), x.m.asked[len(x.m.asked)-1]
	return q, true
}

// nextPiece is next for a member that gives pieces as a whole only. All groups of the piece that are open are
// asked for, of those before known; the run is from the first to the last of them.
func (p *picker) nextPiece(m *member, number uint64, known int64, now time.Time) tree.Run {
	out := m.outstanding()
	if out > 0 && out+piece > max(p.window(m), 2*piece) {
		return tree.Run{}
	}
	at := m.cursor
	if at == 0 || !p.open(m, at) {
		at = p.start(m)
	}
	if at < 0 || at >= known {
		return tree.Run{}
	}
	whole := unitOf(at, known)
	if whole.To > p.groups && out > 0 {
		return tree.Run{} // there will be room for more of it
	}
	r := tree.Run{From: p.firstOpen(m, whole.From), To: min(whole.To, p.groups)}
	for !p.open(m, r.To-1) {
		r.To--
	}
	p.ask(m, number, r, now)
	return r
}

// lacks tells whether some group of a run is wanted, and not there.
func (s *Share) lacks(r tree.Run) bool {
	p := &s.picker
	for r.To = min(r.To, p.groups); r.From < r.To; r.From++ {
		if r.From = p.done.scan(r.From, r.To, true); r.From < r.To && !p.skipped.has(r.From) {
			return true
		}
	}
	return false
}

// unwanted tells whether a group comes only because it is in a unit with others, or was unwanted when its file
// was opened.
func (x *session) unwanted(g int64) bool {
	if x.sealed == nil {
		return false
	}
	_, nowhere := x.taking.blob.(void)
	return nowhere || x.share.picker.skipped.has(g) || g >= x.share.picker.groups
}

// A void takes files of a unit of which nothing is wanted.
type void struct{}

func (void) ReadAt([]byte, int64) (int, error)      { return 0, errors.ErrUnsupported }
func (void) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (void) Close() error                           { return nil }
func (void) Nodes() tree.Nodes                      { return nil }
func (void) Trusted() bool                          { return false }

var _ Blob = void{}
