package scan

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A record is what is kept of a file that was hashed. Records stand one behind the other, in
// the order of the manifest:
//
//	uvarint   length of what follows, without the sum
//	uvarint   bytes of the path that are those of the record before
//	uvarint   length of the rest, and the rest
//	uvarint   device, inode, size; 8 bytes each, little endian: mtime, ctime
//	byte      flags
//	32 bytes  root
//	...       nodes, 64 bytes each, of a file of 2 to 64 groups
//	4 bytes   CRC-32C of all since the length, little endian
//
// The first that does not fit ends them.
type record struct {
	path        string
	stat        stat
	holes, racy bool
	come        bool // it was verified as it came from others, and not hashed here; it is racy, too
	root        tree.Hash
	nodes       inlineNodes
}

const (
	recordMagic = "tenon scan 1\n"
	holesFlag   = 1
	racyFlag    = 2
	comeFlag    = 4
	maxRecord   = manifest.MaxPath + inlineGroups*tree.NodeSize + 200
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append writes what follows the length, but not the sum. The nodes come last.
func (r *record) append(b []byte, last string) []byte {
	shared := 0
	for shared < min(len(last), len(r.path)) && last[shared] == r.path[shared] {
		shared++
	}
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(r.path)-shared))
	b = append(b, r.path[shared:]...)
	b = binary.AppendUvarint(b, r.stat.dev)
	b = binary.AppendUvarint(b, r.stat.ino)
	b = binary.AppendUvarint(b, uint64(r.stat.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.stat.mtime))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.stat.ctime))
	var flags byte
	if r.holes {
		flags |= holesFlag
	}
	if r.racy {
		flags |= racyFlag
	}
	if r.come {
		flags |= comeFlag
	}
	b = append(b, flags)
	b = append(b, r.root[:]...)
	return append(b, r.nodes...)
}

// parse reads it. What the sum has vouched for can still be anything, as anybody can make one.
func (r *record) parse(b []byte, last string) bool {
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		b = b[max(0, size):]
		return n
	}
	shared, rest := number(), number()
	if shared > uint64(len(last)) || rest > uint64(len(b)) {
		return false
	}
	r.path = last[:shared] + string(b[:rest])
	b = b[rest:]
	r.stat.dev, r.stat.ino, r.stat.size = number(), number(), int64(number())
	if len(b) < 16+1+len(r.root) || r.stat.size <= 0 {
		return false
	}
	r.stat.mtime = int64(binary.LittleEndian.Uint64(b))
	r.stat.ctime = int64(binary.LittleEndian.Uint64(b[8:]))
	r.holes, r.racy, r.come = b[16]&holesFlag != 0, b[16]&racyFlag != 0, b[16]&comeFlag != 0
	b = b[17:]
	b = b[copy(r.root[:], b):]
	if len(b) > 0 {
		r.nodes = append(r.nodes, b...)
	}
	return manifest.Compare(last, r.path) < 0
}

// records reads records one by one.
type records struct {
	in   *bufio.Reader
	file io.Closer
	next *record // nil at the end, and at what is no record
	last string
	buf  []byte
}

func newRecords(file io.ReadCloser) *records {
	r := &records{in: bufio.NewReaderSize(file, 256<<10), file: file}
	magic := make([]byte, len(recordMagic))
	if _, err := io.ReadFull(r.in, magic); err == nil && string(magic) == recordMagic {
		r.advance()
	}
	return r
}

// advance goes to the next record.
func (r *records) advance() {
	next, err := r.read()
	if err != nil {
		next = nil
	} else {
		r.last = next.path
	}
	r.next = next
}

var errNoRecord = errors.New("no record")

func (r *records) read() (*record, error) {
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return nil, err
	}
	if n > maxRecord {
		return nil, errNoRecord
	}
	if r.buf == nil {
		r.buf = make([]byte, maxRecord+4)
	}
	b := r.buf[:n+4]
	if _, err := io.ReadFull(r.in, b); err != nil {
		return nil, err
	}
	next := new(record)
	if crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) || !next.parse(b[:n], r.last) {
		return nil, errNoRecord
	}
	return next, nil
}
