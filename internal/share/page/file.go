package page

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// ahead is how many groups are verified at a time.
const ahead = 4

// A file is one that is open: what is read of it was verified. It is for one goroutine.
type file struct {
	of      source
	entry   manifest.Entry
	blob    share.Blob // nil if the file is empty
	encoder tree.Encoder
	have    tree.Run // what is in buf
	buf     bytes.Buffer
}

// A source is where files are read.
type source struct {
	store  share.Store
	unsent func(path string, err error) // nil: nobody is told
}

func (s source) tell(e manifest.Entry, err error) {
	if s.unsent != nil {
		s.unsent(e.Path, err)
	}
}

// openFile opens a file of the share.
func (s source) openFile(n int, e manifest.Entry) (*file, error) {
	f := &file{entry: e, of: s}
	if e.Size == 0 {
		return f, nil
	}
	var err error
	if f.blob, err = s.store.Open(n, e); err != nil {
		s.tell(e, err)
		return nil, err
	}
	f.encoder.Trust = f.blob.Trusted()
	return f, nil
}

func (f *file) close() {
	if f.blob != nil {
		f.blob.Close() //nolint:errcheck // it was only read
	}
}

// ReadAt implements [io.ReaderAt], but is for one goroutine.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < f.entry.Size {
		if g := off / tree.Group; g < f.have.From || g >= f.have.To {
			if err := f.load(g); err != nil {
				return n, err
			}
		}
		m := copy(p[n:], f.buf.Bytes()[off-f.have.From*tree.Group:])
		n += m
		off += int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load reads some groups.
func (f *file) load(g int64) error {
	shape := tree.Shape(f.entry.Size)
	f.buf.Reset()
	f.have = tree.Run{}
	run := tree.Run{From: g, To: min(g+ahead, shape.Groups())}
	of := tree.File{Shape: shape, Root: f.entry.Root, Nodes: f.blob.Nodes()}
	err := f.encoder.Encode(&f.buf, of, f.blob, run, 1<<10) // no node is wanted
	if err == nil && f.encoder.Trust && !f.blob.Trusted() {
		f.encoder.Trust = false // somebody has touched it while it was read
		return f.load(g)
	}
	if err != nil {
		f.of.tell(f.entry, err)
		return err
	}
	f.have = run
	return nil
}

// serve answers with what can be read at any place, or the part of it that is asked for.
func serve(w http.ResponseWriter, r *http.Request, when time.Time, of io.ReaderAt, size int64) {
	from := &failing{of: of}
	http.ServeContent(w, r, "", when, io.NewSectionReader(from, 0, size))
	if from.failed() != nil {
		// A response that ends early must not look whole: the connection is cut.
		panic(http.ErrAbortHandler)
	}
}

// failing remembers why it could not be read.
type failing struct {
	of  io.ReaderAt
	mu  sync.Mutex
	err error
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.of.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
	}
	return n, err
}

func (f *failing) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
