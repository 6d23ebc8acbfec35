package tree

import "lukechampine.com/blake3/guts"

// edge is the right edge of a tree that grows: the subtrees that stand side by side and
// have no parent yet. Each has a power of two of groups, and more than the next.
type edge struct {
	stack []tip
	node  Node
}

// A tip is a subtree whose value is not finished, for it may turn out to be the root.
type tip struct {
	Run
	node guts.Node
}

// add puts the next subtree to the others, and writes all nodes that are complete.
func (e *edge) add(nodes Nodes, t tip) (err error) {
	k := len(e.stack)
	for ; k > 0 && e.stack[k-1].Len() == t.Len() && err == nil; k-- {
		t, err = e.merge(nodes, e.stack[k-1], t)
	}
	e.stack = append(e.stack[:k], t)
	return err
}

// sum merges all there is with what comes last, and leaves the edge as it is.
func (e *edge) sum(nodes Nodes, last tip) (top tip, err error) {
	for k := len(e.stack); k > 0 && err == nil; k-- {
		last, err = e.merge(nodes, e.stack[k-1], last)
	}
	return last, err
}

// pop takes the last subtree away, which must be there.
func (e *edge) pop() tip {
	k := len(e.stack) - 1
	last := e.stack[k]
	e.stack = e.stack[:k]
	return last
}

// merge puts two neighbours together and writes their node.
func (e *edge) merge(nodes Nodes, left, right tip) (tip, error) {
	l, r := value(left.node, false), value(right.node, false)
	copy(e.node[:32], l[:])
	copy(e.node[32:], r[:])
	if nodes != nil {
		if err := nodes.SetNode(right.From, &e.node); err != nil {
			return tip{}, err
		}
	}
	return tip{Run{left.From, right.To}, parent(&e.node)}, nil
}
