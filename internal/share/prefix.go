package share

import (
	"io"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// prefix returns the first bytes of a manifest as a file, to be proved. Others may ask for a
// beginning that they were told of, after more has come: the nodes at its right edge are then
// others than those that are kept.
func prefix(index manifest.Index, size int64, nodes tree.Nodes) (tree.File, error) {
	o := &overlay{below: nodes}
	h := tree.Hasher{Nodes: o}
	if err := h.Resume(size / tree.Group); err != nil {
		return tree.File{}, err
	}
	if _, err := h.ReadFrom(io.NewSectionReader(index, h.Size(), size-h.Size())); err != nil {
		return tree.File{}, err
	}
	root, err := h.Sum()
	return tree.File{Shape: tree.Shape(size), Root: root, Nodes: o}, err
}

// An overlay has nodes in place of others, which it leaves as they are until it is put down. It is
// for one goroutine.
type overlay struct {
	own   map[int64]tree.Node
	down  bool
	below tree.Nodes
}

func (o *overlay) Node(m int64, n *tree.Node) error {
	if own, ok := o.own[m]; ok {
		*n = own
		return nil
	}
	return o.below.Node(m, n)
}

func (o *overlay) SetNode(m int64, n *tree.Node) error {
	if o.down {
		return o.below.SetNode(m, n)
	}
	if o.own == nil {
		o.own = map[int64]tree.Node{}
	}
	o.own[m] = *n
	return nil
}

// put has all nodes, and those that follow, take the place of those below.
func (o *overlay) put() error {
	o.down = true
	for m, n := range o.own {
		if err := o.below.SetNode(m, &n); err != nil {
			return err
		}
	}
	o.own = nil
	return nil
}
