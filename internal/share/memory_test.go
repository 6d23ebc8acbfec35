package share

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A memory is a Store in memory.
type memory struct {
	mu      sync.Mutex
	files   map[int]*memoryFile
	sparse  bool                  // fill makes files of zeros, but for some bytes in the middle
	groups  int64                 // that Got was told of
	spoil   func(n int, p []byte) // changes what is read, as a bad provider does
	broken  error                 // of every write
	changed map[int]bool          // these files
	opened  int
	opens   func(n int)            // before a file is opened
	reads   func(n int, off int64) // before a group is read
}

type memoryFile struct {
	of    *memory
	n     int
	data  []byte
	nodes *tree.NodeMap
}

func (m *memory) Open(n int, e manifest.Entry) (Blob, error) {
	if m.opens != nil {
		m.opens(n)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[int]*memoryFile{}
	}
	f := m.files[n]
	if m.changed[n] {
		return nil, tree.ErrChanged
	}
	if f == nil {
		f = &memoryFile{m, n, make([]byte, e.Size), new(tree.NodeMap)}
		m.files[n] = f
	}
	m.opened++
	return f, nil
}

func (m *memory) Got(r tree.Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups += r.Len()
}

func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.of.reads != nil {
		f.of.reads(f.n, off)
	}
	n, err := bytes.NewReader(f.data).ReadAt(p, off)
	if f.of.spoil != nil {
		f.of.spoil(f.n, p[:n])
	}
	return n, err
}

func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.of.broken != nil {
		return 0, f.of.broken
	}
	if off+int64(len(p)) > int64(len(f.data)) {
		return 0, io.ErrShortWrite
	}
	return copy(f.data[off:], p), nil
}

func (f *memoryFile) Close() error {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	f.of.opened--
	return nil
}
func (f *memoryFile) Nodes() tree.Nodes { return f.nodes }
func (f *memoryFile) Trusted() bool     { return true }

// fill makes files of these sizes and returns their manifest.
func (m *memory) fill(sizes ...int64) (blocks [][]byte) {
	random := rand.NewChaCha8([32]byte{byte(len(sizes))})
	e := manifest.Encoder{Emit: func(block []byte) error {
		blocks = append(blocks, bytes.Clone(block))
		return nil
	}}
	m.files = map[int]*memoryFile{}
	for n, size := range sizes {
		f := &memoryFile{m, n, make([]byte, size), new(tree.NodeMap)}
		if random.Read(f.data); m.sparse { //nolint:errcheck // it does not fail
			clear(f.data[:len(f.data)/2])
			clear(f.data[min(len(f.data), len(f.data)/2+3*group):])
		}
		root, err := tree.HashAt(bytes.NewReader(f.data), tree.Shape(size), f.nodes, 1)
		if err == nil {
			err = e.Add(manifest.Entry{Path: fmt.Sprintf("file %06d", n), Kind: manifest.File, Mode: 0o644, Size: size, Root: root})
		}
		if err != nil {
			panic(err)
		}
		m.files[n] = f
	}
	if err := e.Finish(); err != nil {
		panic(err)
	}
	return blocks
}
