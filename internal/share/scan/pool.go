package scan

import (
	"os"
	"slices"
	"sync"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// opened is a file that is open, and the nodes of its tree.
type opened struct {
	number    int // of the entry
	top       *top
	file      *file
	stat      stat // when it was opened
	large     bool // its nodes are in a file
	nodes     tree.Nodes
	nodesFile *os.File
}

func (o *opened) close() {
	o.file.close()
	if o.nodesFile != nil {
		o.nodesFile.Close() //nolint:errcheck // it was only read
	}
}

// poolSize is how many files stay open that nobody reads.
const poolSize = 16

// A pool keeps large files open for who asks for their next run. The zero pool is ready.
type pool struct {
	mu     sync.Mutex // guards what follows
	idle   []*opened  // those used last come last
	closed bool
}

// take takes a file out, if it is there.
func (p *pool) take(number int) *opened {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range slices.Backward(p.idle) {
		if o.number == number {
			p.idle = slices.Delete(p.idle, i, i+1)
			return o
		}
	}
	return nil
}

// put puts a file in that is not read any more. Small ones are sent at once, and are closed.
func (p *pool) put(o *opened) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !o.large {
		o.close()
		return
	}
	if len(p.idle) == poolSize {
		p.idle[0].close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.idle = append(p.idle, o)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, o := range p.idle {
		o.close()
	}
	p.idle = nil
}
