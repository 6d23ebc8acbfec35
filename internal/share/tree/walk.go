package tree

// walk goes through the subtrees that meet a run in pre-order, and holds what each of
// them must hash to. A node that does not is not gone below.
type walk struct {
	file  File
	run   Run
	stack [maxDepth]subtree // what comes next is on top
	top   int
	node  Node // scratch, here so that Nodes can be given a pointer without an allocation
}

type subtree struct {
	Run
	depth int
	want  Hash
}

// start makes the root the next subtree.
func (w *walk) start(f File, run Run) error {
	if !run.in(f.Shape) {
		return ErrRun
	}
	w.file, w.run, w.top = f, run, 0
	w.push(subtree{f.Shape.All(), 0, f.Root})
	return nil
}

func (w *walk) push(t subtree) {
	w.stack[w.top] = t
	w.top++
}

func (w *walk) next() (subtree, bool) {
	if w.top == 0 {
		return subtree{}, false
	}
	w.top--
	return w.stack[w.top], true
}

// open checks that w.node is the node of t, and goes below it.
func (w *walk) open(t subtree) bool {
	if value(parent(&w.node), t.depth == 0) != t.want {
		return false
	}
	w.below(t)
	return true
}

// below goes below t, of which w.node is the node.
func (w *walk) below(t subtree) {
	left, right := t.Halves()
	if right.Meets(w.run) {
		w.push(subtree{right, t.depth + 1, w.node.Right()})
	}
	if left.Meets(w.run) {
		w.push(subtree{left, t.depth + 1, w.node.Left()})
	}
}

// openKnown does so with the node that is kept.
func (w *walk) openKnown(t subtree) error {
	if err := w.file.load(t.Split(), &w.node); err != nil {
		return nodeError(t.Run, err)
	}
	if !w.open(t) {
		return nodeError(t.Run, ErrMissing) // what is kept is of another file, or damaged
	}
	return nil
}

// isGroup checks the bytes of a leaf.
func (t subtree) isGroup(p []byte) bool {
	return value(compress(p, t.From*groupChunks), t.depth == 0) == t.want
}
