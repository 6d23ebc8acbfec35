package stage

import (
	"io"
	"iter"
	"os"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A Known is a file that is in its place, verified.
type Known struct {
	manifest.Entry
	Path    string // at the target
	ModTime int64  // that it was given, or had
	n       int
	s       *Stage
}

// Known yields, after Finish and before Close, the files that are in their places and not
// empty, in the order of the manifest.
func (s *Stage) Known() iter.Seq[Known] {
	return func(yield func(Known) bool) {
		x := s.Index()
		for n, e := range x.From(0) {
			s.mu.Lock()
			ok := s.state == placed && e.Kind == manifest.File && e.Size > 0 && s.choice.has(n)
			s.mu.Unlock()
			if !ok {
				continue
			}
			k := Known{e, s.final(e.Path), e.ModTime, n, s}
			if in, there := s.insideOf(n); there {
				k.ModTime = in.mtime
			}
			if !yield(k) {
				return
			}
		}
	}
}

// Nodes opens the nodes of the file's tree, as a [tree.NodeFile] has them.
func (k Known) Nodes() (io.ReadCloser, error) {
	f, err := k.s.home.open(nodesOf(k.n), os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, (tree.Shape(k.Size).Groups()-1)*tree.NodeSize), f}, nil
}
