package tree

import (
	"errors"
	"io"
	"sync"
)

// Nodes keeps the nodes of one file's tree, or some of them. Its methods may be called
// at the same time, and keep no argument.
//
// It need not be trusted: what is read from it is verified against the root, and a node
// that does not fit is as good as none. So it may lose nodes, or have them wrong,
// when a machine stops.
type Nodes interface {
	// Node reads the node with the split point m, or returns an error that matches
	// ErrMissing.
	Node(m int64, n *Node) error

	// SetNode puts a node, in the place of one that may be there.
	SetNode(m int64, n *Node) error
}

// NodeMap keeps nodes in memory: about 100 bytes for each that is there. The zero value
// has none.
type NodeMap struct {
	mu    sync.RWMutex // guards nodes
	nodes map[int64]Node
}

var _ Nodes = (*NodeMap)(nil)

// Node implements Nodes.
func (s *NodeMap) Node(m int64, n *Node) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	node, ok := s.nodes[m]
	if !ok {
		return ErrMissing
	}
	*n = node
	return nil
}

// SetNode implements Nodes.
func (s *NodeMap) SetNode(m int64, n *Node) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes == nil {
		s.nodes = make(map[int64]Node)
	}
	s.nodes[m] = *n
	return nil
}

// NodeFile keeps nodes in a file, node m at 64*(m-1). Where nothing has been written
// there are zeros, or no file any more, and these mean a node that is not known: no
// data has two chaining values of zeros. So a file with holes needs no list of what
// is in it, and one that a crash has cut is as good as what is left of it.
type NodeFile struct {
	File interface {
		io.ReaderAt
		io.WriterAt
	}
}

var _ Nodes = NodeFile{}

// Node implements Nodes.
func (s NodeFile) Node(m int64, n *Node) error {
	read, err := s.File.ReadAt(n[:], NodeSize*(m-1))
	switch {
	case read == NodeSize && *n != Node{}:
		return nil
	case read == NodeSize || errors.Is(err, io.EOF):
		return ErrMissing
	}
	return err
}

// SetNode implements Nodes.
func (s NodeFile) SetNode(m int64, n *Node) error {
	_, err := s.File.WriteAt(n[:], NodeSize*(m-1))
	return err
}

// load reads a node of the file, without a look at what it says.
func (f *File) load(m int64, n *Node) error {
	if f.Nodes == nil {
		return ErrMissing
	}
	return f.Nodes.Node(m, n)
}

func (f *File) store(m int64, n *Node) error {
	if f.Nodes == nil {
		return nil
	}
	return f.Nodes.SetNode(m, n)
}
