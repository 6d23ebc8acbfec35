package tree

import (
	"errors"
	"io"
	"math/bits"
)

// Hasher hashes a file from its front to its end. The zero value is ready; with Nodes
// set, it keeps the tree. After an error it is of no more use. It is for one goroutine.
//
// A file that grows keeps its nodes but those of the right edge, which Sum writes for
// the size of that moment.
type Hasher struct {
	Nodes Nodes // may be nil

	edge   edge
	groups int64 // whole ones, all in the edge
	buf    []byte
	have   int // bytes in buf, less than a group
}

// Resume goes on with a file of which the first groups, all whole, have been hashed and
// whose nodes are trusted; the error matches ErrMissing if one is not there. Size says
// then where to go on: a group that is the left half of a node does not count, since
// its value is kept nowhere. The Hasher must be new.
func (h *Hasher) Resume(groups int64) error {
	if h.Nodes == nil {
		return ErrMissing
	}
	for groups &^= 1; h.groups < groups; {
		n := int64(1) << (bits.Len64(uint64(groups-h.groups)) - 1)
		r := Run{h.groups, h.groups + n}
		if err := h.Nodes.Node(r.Split(), &h.edge.node); err != nil {
			return nodeError(r, err)
		}
		h.edge.stack = append(h.edge.stack, tip{r, parent(&h.edge.node)})
		h.groups += n
	}
	return nil
}

// Size returns how many bytes have been hashed.
func (h *Hasher) Size() int64 { return h.groups*Group + int64(h.have) }

// Write hashes the next bytes. Whole groups are hashed where they are.
func (h *Hasher) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		group := p
		if h.have > 0 || len(p) < Group {
			n := copy(h.space(), p)
			p = p[n:]
			if h.have += n; h.have < Group {
				break
			}
			group = h.buf
		} else {
			group, p = p[:Group], p[Group:]
		}
		if err := h.add(group); err != nil {
			return all - len(p), err
		}
	}
	return all, nil
}

// ReadFrom hashes all that r has.
func (h *Hasher) ReadFrom(r io.Reader) (int64, error) {
	before := h.Size()
	for {
		n, err := io.ReadFull(r, h.space())
		h.have += n
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return h.Size() - before, nil
		case err == nil:
			err = h.add(h.buf)
		}
		if err != nil {
			return h.Size() - before, err
		}
	}
}

func (h *Hasher) space() []byte {
	if h.buf == nil {
		h.buf = make([]byte, Group)
	}
	return h.buf[h.have:]
}

func (h *Hasher) add(group []byte) error {
	h.have = 0
	err := h.edge.add(h.Nodes, tip{Run{h.groups, h.groups + 1}, compress(group, h.groups*groupChunks)})
	h.groups++
	return err
}

// Sum returns the root of what has been hashed so far. More may follow.
func (h *Hasher) Sum() (Hash, error) {
	e := h.edge // a copy, from which a subtree can be taken away
	last := tip{Run{h.groups, h.groups + 1}, compress(h.buf[:h.have], h.groups*groupChunks)}
	if h.have == 0 && h.groups > 0 {
		last = e.pop()
	}
	top, err := e.sum(h.Nodes, last)
	return value(top.node, true), err
}
