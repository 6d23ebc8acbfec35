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

// An overlay has nodes in place of others, which it leaves as they are.
type overlay struct {
	tree.NodeMap
	below tree.Nodes
}

func (o *overlay) Node(m int64, n *tree.Node) error {
	if err := o.NodeMap.Node(m, n); err == nil {
		return nil
	}
	return o.below.Node(m, n)
}
