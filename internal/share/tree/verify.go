package tree

import (
	"errors"
	"io"
)

// Verifier takes a proof apart as it comes, in pieces of any size. It hands on what is
// verified and nothing else: a node to the file's Nodes before any group below it, a
// group to a function. It needs a buffer of a group only for groups that come in
// several pieces, and keeps it from proof to proof. The zero value waits for Start. It
// is for one goroutine.
type Verifier struct {
	walk  walk
	skip  int
	least int64 // 0, or: only nodes above more groups than that come, and no group
	give  func(group int64, data []byte) error

	part subtree // whose bytes come next, if need is not 0
	need int     // bytes of it
	have int     // how many of them are in buf
	buf  []byte
	err  error
}

// Start begins with the proof of a run, from which nodes of a depth less than skip are
// left out; these are taken from the file's Nodes, and an error that matches
// ErrMissing says, now or later, that they are not there. give gets the groups in
// their order, and the data until it returns; its error ends the proof.
//
// An empty file has an empty proof, and Start checks its root.
func (v *Verifier) Start(f File, run Run, skip int, give func(group int64, data []byte) error) error {
	v.give = give
	return v.start(f, run, skip, 0)
}

// StartNodes begins with the nodes of a run that are above more than least groups each, which
// is at least 1, and no groups; see [Encoder.EncodeNodes].
func (v *Verifier) StartNodes(f File, run Run, skip int, least int64) error {
	return v.start(f, run, skip, max(least, 1))
}

func (v *Verifier) start(f File, run Run, skip int, least int64) error {
	v.skip, v.least, v.need, v.have = skip, least, 0, 0
	if v.err = v.walk.start(f, run); v.err == nil {
		v.err = v.advance()
	}
	return v.err
}

// Done reports whether the proof is complete and all of it has been handed on.
func (v *Verifier) Done() bool { return v.need == 0 && v.err == nil }

// Feed takes the next bytes. Groups that are in p as a whole are verified and handed on
// where they are, without a copy. The rest is what comes after the end of the proof,
// and none of it. After an error, every call returns it again.
func (v *Verifier) Feed(p []byte) (rest []byte, err error) {
	for v.err == nil && v.need > 0 && len(p) > 0 {
		part := p
		if v.have > 0 || len(p) < v.need {
			n := copy(v.space(), p)
			p = p[n:]
			if v.have += n; v.have < v.need {
				break
			}
			part = v.buf[:v.need]
		} else {
			part, p = p[:v.need], p[v.need:]
		}
		v.err = v.take(part)
	}
	return p, v.err
}

// ReadProof reads a proof, and no byte after it. If r ends too early, the error is
// io.ErrUnexpectedEOF.
func (v *Verifier) ReadProof(r io.Reader) error {
	for v.err == nil && v.need > 0 {
		n, err := io.ReadFull(r, v.space())
		v.have += n
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		v.err = v.take(v.buf[:v.need])
	}
	return v.err
}

// space returns where the bytes that are missing go.
func (v *Verifier) space() []byte {
	if v.buf == nil {
		v.buf = make([]byte, Group)
	}
	return v.buf[v.have:v.need]
}

// take verifies a part that is there as a whole and hands it on.
func (v *Verifier) take(p []byte) error {
	v.have = 0
	if v.part.Leaf() {
		if !v.part.isGroup(p) {
			return groupError(v.part.From, ErrWrongData)
		}
		if err := v.give(v.part.From, p); err != nil {
			return err
		}
		return v.advance()
	}
	copy(v.walk.node[:], p)
	if !v.walk.open(v.part) {
		return nodeError(v.part.Run, ErrWrongNode)
	}
	if err := v.walk.file.store(v.part.Split(), &v.walk.node); err != nil {
		return nodeError(v.part.Run, err)
	}
	return v.advance()
}

// advance finds the part that comes next.
func (v *Verifier) advance() error {
	for {
		t, ok := v.walk.next()
		switch {
		case !ok:
			v.need = 0
			return nil
		case v.least > 0 && t.Len() <= v.least:
			continue
		case !t.Leaf() && t.depth < v.skip:
			if err := v.walk.openKnown(t); err != nil {
				return err
			}
			continue
		case !t.Leaf():
			v.need = NodeSize
		case t.Len() == 0:
			if !t.isGroup(nil) {
				return groupError(0, ErrWrongData)
			}
			continue
		default:
			v.need = v.walk.file.Shape.GroupSize(t.From)
		}
		v.part = t
		return nil
	}
}
