package page

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"sort"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// The archive of a share is made as it is read, and can be read at any place: nothing is
// compressed, so that from the manifest alone it is known where everything stands. Only the
// checksums are not; those of files that were sent are remembered, and a part that has those of
// others has them read. (PKWARE's APPNOTE.TXT 6.3.10; the sections are its.)
//
// Every file is followed by a data descriptor (4.3.9), since its checksum is not known before. Sizes
// stand in front of it, too. Whatever does not fit into 32 bits has a zip64 field (4.5.3).

// sums remembers checksums of files, by their numbers.
type sums struct {
	mu  sync.Mutex
	all map[int]uint32
}

func (s *sums) get(n int) (sum uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, ok = s.all[n]
	return sum, ok
}

func (s *sums) put(n int, sum uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[int]uint32{}
	}
	s.all[n] = sum
}

// stride is how many entries are between two whose place is remembered.
const stride = 256

// A mark is where an entry begins, and what of it stands in the central directory.
type mark struct {
	entry   int
	local   int64 // of its header
	central int64 // from the beginning of the directory
}

// An archive is a zip of everything. It is for one goroutine.
type archive struct {
	index   manifest.Index
	source  source
	sums    *sums
	marks   []mark
	central int64 // where the directory begins
	end     int64 // where what follows it begins
	size    int64
	count   int // entries

	near []placed // the stretch that was read last

	open   *file // the file that was read last
	number int
	sum    uint32 // of its first summed bytes
	summed int64
}

// newArchive lays out the archive.
func newArchive(index manifest.Index, of source, s *sums) *archive {
	a := &archive{index: index, source: of, sums: s, number: -1}
	var at, central int64
	for n, e := range index.From(0) {
		if a.count%stride == 0 {
			a.marks = append(a.marks, mark{n, at, central})
		}
		a.count++
		central += centralSize(e, at)
		at += localSize(e)
	}
	a.central, a.end = at, at+central
	a.size = a.end + int64(len(a.tail()))
	return a
}

// tail makes what ends the archive (4.3.14 to 4.3.16).
func (a *archive) tail() []byte {
	le := binary.LittleEndian
	size := a.end - a.central
	var b []byte
	if a.count >= most16 || size >= most32 || a.central >= most32 {
		b = le.AppendUint64(append(b, 'P', 'K', 6, 6), 44)
		b = le.AppendUint16(le.AppendUint16(b, 3<<8|45), 45)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
		b = le.AppendUint64(le.AppendUint64(b, uint64(a.count)), uint64(a.count))
		b = le.AppendUint64(le.AppendUint64(b, uint64(size)), uint64(a.central))
		b = append(b, 'P', 'K', 6, 7, 0, 0, 0, 0)
		b = le.AppendUint32(le.AppendUint64(b, uint64(a.end)), 1)
	}
	count := uint16(min(a.count, most16))
	b = append(b, 'P', 'K', 5, 6, 0, 0, 0, 0)
	b = le.AppendUint16(le.AppendUint16(b, count), count)
	b = le.AppendUint32(le.AppendUint32(b, short(size)), short(a.central))
	return append(b, 0, 0)
}

// ReadAt implements [io.ReaderAt], but is for one goroutine.
func (a *archive) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < a.size && err == nil {
		var m int
		switch {
		case off < a.central:
			e := a.find(off, func(m mark) int64 { return m.local }, func(e placed) int64 { return e.local })
			m, err = a.readEntry(p[n:], e.number, e.entry, off-e.local)
		case off < a.end:
			m, err = a.readCentral(p[n:], off-a.central)
		default:
			m = copy(p[n:], a.tail()[off-a.end:])
		}
		n += m
		off += int64(m)
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// A placed entry is one with where it stands, and where its header in the directory does.
type placed struct {
	number         int
	entry          manifest.Entry
	local, central int64
}

// stretch returns the entries from a mark up to the next one.
func (a *archive) stretch(i int) []placed {
	if a.near != nil && a.near[0].number == a.marks[i].entry {
		return a.near
	}
	m := a.marks[i]
	a.near = make([]placed, 0, stride)
	for number, e := range a.index.From(m.entry) {
		if len(a.near) == stride {
			break
		}
		a.near = append(a.near, placed{number, e, m.local, m.central})
		m.central += centralSize(e, m.local)
		m.local += localSize(e)
	}
	return a.near
}

// find returns the last entry that does not begin behind off, by one of the two places.
func (a *archive) find(off int64, ofMark func(mark) int64, ofEntry func(placed) int64) placed {
	i := sort.Search(len(a.marks), func(i int) bool { return ofMark(a.marks[i]) > off }) - 1
	near := a.stretch(i)
	return near[sort.Search(len(near), func(i int) bool { return ofEntry(near[i]) > off })-1]
}

// readEntry reads of an entry, from its header on, what is left of it.
func (a *archive) readEntry(p []byte, number int, e manifest.Entry, off int64) (n int, err error) {
	head := local(e)
	if off < int64(len(head)) {
		n = copy(p, head[off:])
	}
	off += int64(n) - int64(len(head))
	if n == len(p) {
		return n, nil
	}
	if e.Kind == manifest.Symlink {
		return n + copy(p[n:], e.Target[off:]), nil
	}
	if off < e.Size {
		m, err := a.readFile(p[n:][:min(int64(len(p)-n), e.Size-off)], number, e, off)
		n += m
		if off += int64(m); err != nil || n == len(p) {
			return n, err
		}
	}
	if e.Kind == manifest.File {
		sum, err := a.checksum(number, e)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], descriptor(e, sum)[off-e.Size:])
	}
	return n, nil
}

// readFile reads bytes of a file, and goes on with its checksum if they follow what was read.
func (a *archive) readFile(p []byte, number int, e manifest.Entry, off int64) (n int, err error) {
	if a.number != number {
		a.close()
		if a.open, err = a.source.openFile(number, e); err != nil {
			return 0, err
		}
		a.number, a.sum, a.summed = number, 0, 0
	}
	n, err = a.open.ReadAt(p, off)
	if off == a.summed {
		a.sum = crc32.Update(a.sum, crc32.IEEETable, p[:n])
		if a.summed += int64(n); a.summed == e.Size {
			a.sums.put(number, a.sum)
		}
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// checksum returns that of a file, which is read for it if it was not sent yet.
func (a *archive) checksum(number int, e manifest.Entry) (uint32, error) {
	switch {
	case e.Kind == manifest.Symlink:
		return crc32.ChecksumIEEE([]byte(e.Target)), nil
	case e.Kind == manifest.Dir, e.Size == 0:
		return 0, nil
	}
	if sum, ok := a.sums.get(number); ok {
		return sum, nil
	}
	f, err := a.source.openFile(number, e)
	if err != nil {
		return 0, err
	}
	defer f.close()
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, e.Size)); err != nil {
		return 0, err
	}
	a.sums.put(number, h.Sum32())
	return h.Sum32(), nil
}

// readCentral reads of an entry in the central directory.
func (a *archive) readCentral(p []byte, off int64) (n int, err error) {
	e := a.find(off, func(m mark) int64 { return m.central }, func(e placed) int64 { return e.central })
	sum, err := a.checksum(e.number, e.entry)
	if err != nil {
		return 0, err
	}
	return copy(p, header(e.entry, e.local, sum)[off-e.central:]), nil
}

func (a *archive) close() {
	if a.open != nil {
		a.open.close()
	}
	a.open, a.number = nil, -1
}

// zip answers with everything, or a part of it.
func (p *Page) zip(w http.ResponseWriter, r *http.Request) {
	x, root := p.index()
	if !x.Done() || root == "" {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "It is not all known yet what there is. Please try again.", http.StatusServiceUnavailable)
		return
	}
	a := newArchive(x, p.source, &p.sums)
	defer a.close()
	attach(w, p.name+".zip")
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("ETag", `"`+root+`-1"`) // the number is that of the layout
	serve(w, r, time.Time{}, a, a.size)
}
