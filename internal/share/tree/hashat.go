package tree

import (
	"errors"
	"io"
	"sync"
)

// stretch is what one goroutine of HashAt hashes at a time: 16 MiB. It is a power of
// two, so that it is a subtree.
const stretch = 256

// HashAt hashes a file on as many goroutines as workers says, and returns its root. It
// keeps the tree in nodes, unless that is nil. An error of data ends it; if data has
// fewer bytes than the shape says, that is io.ErrUnexpectedEOF.
func HashAt(data io.ReaderAt, s Shape, nodes Nodes, workers int) (Hash, error) {
	rest := s.All()
	if rest.Len() == 0 {
		return Sum(nil), nil
	}
	var e edge
	team := make([]worker, max(1, workers))
	for rest.Len() > 0 { // in rounds, so that stretches come to the edge in their order
		var wg sync.WaitGroup
		busy := team[:min(int64(len(team)), (rest.Len()-1)/stretch+1)]
		for i := range busy {
			r := Run{rest.From, min(rest.From+stretch, rest.To)}
			rest.From = r.To
			wg.Go(func() { busy[i].hash(data, s, nodes, r) })
		}
		wg.Wait()
		for _, w := range busy {
			if w.err != nil {
				return Hash{}, w.err
			}
			if err := e.add(nodes, w.top); err != nil {
				return Hash{}, err
			}
		}
	}
	last := e.pop()
	top, err := e.sum(nodes, last)
	return value(top.node, true), err
}

// A worker hashes stretches, one after another.
type worker struct {
	edge edge
	buf  []byte
	top  tip // of the last stretch
	err  error
}

func (w *worker) hash(data io.ReaderAt, s Shape, nodes Nodes, r Run) {
	w.top, w.err = w.subtree(data, s, nodes, r)
}

func (w *worker) subtree(data io.ReaderAt, s Shape, nodes Nodes, r Run) (tip, error) {
	if w.buf == nil {
		w.buf = make([]byte, min(Group, int64(s)))
	}
	w.edge.stack = w.edge.stack[:0]
	for g := r.From; g < r.To; g++ {
		p := w.buf[:s.GroupSize(g)]
		if n, err := data.ReadAt(p, g*Group); n < len(p) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return tip{}, groupError(g, err)
		}
		if err := w.edge.add(nodes, tip{Run{g, g + 1}, compress(p, g*groupChunks)}); err != nil {
			return tip{}, err
		}
	}
	last := w.edge.pop()
	return w.edge.sum(nodes, last)
}

// HashRun hashes the groups below one node of a file, or one group, and returns its value,
// which is the root's if that is all of the file. It keeps the nodes as HashAt does.
func HashRun(data io.ReaderAt, s Shape, nodes Nodes, r Run) (Hash, error) {
	if !r.in(s) || r.Len() == 0 {
		return Hash{}, ErrRun
	}
	var w worker
	top, err := w.subtree(data, s, nodes, r)
	return value(top.node, r == s.All()), err
}
