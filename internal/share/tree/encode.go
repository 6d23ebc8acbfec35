package tree

import (
	"errors"
	"io"
)

// Encoder writes proofs, one after another, and not at the same time. It keeps a buffer
// of 68 KiB between them, and one for nodes, of up to 16 KiB. The zero value is ready.
type Encoder struct {
	// Trust says that the data is known to be what was hashed, and need not be hashed
	// again, which takes a third of a second for a gigabyte.
	Trust bool

	walk  walk
	buf   []byte
	nodes []Node // of the run that is being written
}

// maxNodes is how many nodes are kept between the look whether they are there and the moment in
// which they are written: those of a run of 4 MiB, and more. Others are read twice.
const maxNodes = 256

// Encode writes the proof of a run: its groups and the nodes above them but those of a
// depth less than skip, which the other side has. Nodes that lead to a group are
// written together with it, by one call.
//
// An error that matches ErrMissing or ErrRun comes before anything is written, unless
// nodes are replaced meanwhile, as those of the edge of a file that grows are. One that
// matches ErrChanged names the first group that is not what it was, or is cut short;
// what has been written until then is a proof's beginning, and right.
func (e *Encoder) Encode(w io.Writer, f File, data io.ReaderAt, run Run, skip int) error {
	if err := e.check(f, run, 0); err != nil {
		return err
	}
	if e.buf == nil {
		e.buf = make([]byte, maxDepth*NodeSize+Group)
	}
	if err := e.walk.start(f, run); err != nil {
		return err
	}
	pending := 0 // bytes of nodes that wait for their group
	known := e.nodes
	for t, ok := e.walk.next(); ok; t, ok = e.walk.next() {
		if !t.Leaf() {
			if len(known) > 0 {
				e.walk.node, known = known[0], known[1:]
				e.walk.below(t)
			} else if err := e.walk.openKnown(t); err != nil {
				return err
			}
			if t.depth >= skip {
				pending += copy(e.buf[pending:], e.walk.node[:])
			}
			continue
		}
		group := e.buf[pending:][:f.Shape.GroupSize(t.From)]
		if err := e.read(data, group, t); err != nil {
			return err
		}
		if _, err := w.Write(e.buf[:pending+len(group)]); err != nil {
			return err
		}
		pending = 0
	}
	return nil
}

// EncodeNodes writes the nodes of a run that are above more than least groups each, which is
// at least 1, in pre-order, but those of a depth less than skip; and no groups. Who has another
// version of the file sees in them what is the same.
//
// The error is as of Encode.
func (e *Encoder) EncodeNodes(w io.Writer, f File, run Run, skip int, least int64) error {
	least = max(least, 1)
	if err := e.check(f, run, least); err != nil {
		return err
	}
	if err := e.walk.start(f, run); err != nil {
		return err
	}
	buf := make([]byte, 0, nodesAtOnce*NodeSize)
	for t, ok := e.walk.next(); ok; t, ok = e.walk.next() {
		if t.Len() <= least {
			continue
		}
		if err := e.walk.openKnown(t); err != nil {
			return err
		}
		if t.depth < skip {
			continue
		}
		if buf = append(buf, e.walk.node[:]...); len(buf) == cap(buf) {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	if len(buf) == 0 {
		return nil
	}
	_, err := w.Write(buf)
	return err
}

// nodesAtOnce is how many nodes EncodeNodes writes at once at most: 32 KiB.
const nodesAtOnce = 512

// check finds out whether all nodes are there that are above more than least groups each.
func (e *Encoder) check(f File, run Run, least int64) error {
	e.nodes = e.nodes[:0]
	if err := e.walk.start(f, run); err != nil {
		return err
	}
	for t, ok := e.walk.next(); ok; t, ok = e.walk.next() {
		if !t.Leaf() && t.Len() > least {
			if err := e.walk.openKnown(t); err != nil {
				return err
			}
			if len(e.nodes) < maxNodes {
				e.nodes = append(e.nodes, e.walk.node)
			}
		}
	}
	return nil
}

func (e *Encoder) read(data io.ReaderAt, p []byte, t subtree) error {
	n, err := data.ReadAt(p, t.From*Group)
	switch {
	case n < len(p) && !errors.Is(err, io.EOF):
		return groupError(t.From, err)
	case n < len(p), !e.Trust && !t.isGroup(p):
		return groupError(t.From, ErrChanged)
	}
	return nil
}

// Skip returns the depth above which all nodes that meet the run are known, to be asked
// for with it: maxDepth if all are.
func (f File) Skip(run Run) (int, error) {
	var w walk
	if err := w.start(f, run); err != nil {
		return 0, err
	}
	skip := maxDepth
	for t, ok := w.next(); ok; t, ok = w.next() {
		if t.Leaf() || t.depth >= skip {
			continue
		}
		switch err := w.openKnown(t); {
		case errors.Is(err, ErrMissing):
			skip = t.depth
		case err != nil:
			return 0, err
		}
	}
	return skip, nil
}
