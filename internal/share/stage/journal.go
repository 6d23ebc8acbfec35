package stage

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"github.com/tenon-net/tenon/internal/share"
)

const (
	journalMagic = "tenon journal 1\n"
	recordHead   = 8
	maxRecord    = 64 << 10 // bytes behind the head
	longJournal  = 1 << 20  // bytes, from which on it may be written anew
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A journal is the file of that name. Stage.syncing guards it.
type journal struct {
	s     *Stage
	f     *os.File
	size  int64
	sum   uint32 // of all records
	short int64  // its size when it was written anew
}

func (j *journal) close() {
	if j.f != nil {
		j.f.Close() //nolint:errcheck // what counts was synced
	}
}

// A recorder makes records.
type recorder struct {
	out []byte
	sum uint32
	p   []byte // what the record has, from its letter on
}

func (r *recorder) begin(letter byte) { r.p = append(r.p[:0], letter) }

func (r *recorder) number(n int64) { r.p = binary.AppendUvarint(r.p, uint64(n)) }

func (r *recorder) full() bool { return len(r.p) > maxRecord-100 }

func (r *recorder) end() {
	if len(r.p) == 0 {
		return
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(r.p)))
	r.sum = crc32.Update(crc32.Update(r.sum, castagnoli, head), castagnoli, r.p)
	r.out = append(binary.BigEndian.AppendUint32(append(r.out, head...), r.sum), r.p...)
	r.p = r.p[:0]
}

// one makes a record of one number and some text.
func (r *recorder) one(letter byte, n int64, text string) {
	r.begin(letter)
	r.number(n)
	r.p = append(r.p, text...)
	r.end()
}

// head makes a record of the head of the manifest, if there is one.
func (r *recorder) head(h share.Head) {
	if h.Size == 0 {
		return
	}
	r.begin('H')
	r.p = h.Append(r.p)
	r.end()
}

// runs makes records of the runs of a set.
func (r *recorder) runs(letter byte, of *set) {
	last := int64(0)
	for run := range of.runs(everything) {
		if len(r.p) == 0 || r.full() {
			r.end()
			r.begin(letter)
			last = 0
		}
		r.number(run.From - last)
		r.number(run.Len())
		last = run.To
	}
	r.end()
}

// inside makes records of files at the target.
func (r *recorder) inside(all []inside) {
	for i, in := range all {
		if i == 0 || r.full() {
			r.end()
			r.begin('E')
		}
		r.number(int64(in.n))
		r.number(in.mtime)
	}
	r.end()
}

// append writes records and makes them last.
func (j *journal) append(r *recorder) error {
	if err := j.write(r); err != nil {
		return err
	}
	return j.s.home.sync(j.f, "journal")
}

// write writes records.
func (j *journal) write(r *recorder) error {
	if err := j.s.home.write(j.f, "journal", r.out, j.size); err != nil {
		return err
	}
	j.size += int64(len(r.out))
	j.sum = r.sum
	return nil
}

// replace puts a journal in the place of the one that there is.
func (j *journal) replace(r *recorder) error {
	home := j.s.home
	if err := home.remove("journal.new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := home.create("journal.new", private)
	if err != nil {
		return err
	}
	content := append([]byte(journalMagic), r.out...)
	if err = home.write(f, "journal.new", content, 0); err == nil {
		err = home.sync(f, "journal.new")
	}
	if err == nil {
		j.close() // Windows renames nothing that is open
		j.f = nil
		f.Close() //nolint:errcheck // it was synced
		err = home.rename("journal.new", "journal")
	}
	if err == nil {
		err = home.syncDir(".")
	}
	if err == nil {
		j.f, err = home.open("journal", os.O_RDWR)
	}
	if err != nil {
		f.Close() //nolint:errcheck // a second time does no harm
		return err
	}
	j.size, j.sum, j.short = int64(len(content)), r.sum, int64(len(content))
	return nil
}

// load opens the journal, if there is one, and calls f for every record. What is not whole
// at its end is cut off.
func (j *journal) load(flag int, f func(letter byte, p []byte) error) error {
	home := j.s.home
	file, err := home.open("journal", flag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	j.f = file
	in := bufio.NewReaderSize(file, 2*maxRecord)
	magic := make([]byte, len(journalMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != journalMagic {
		return ErrDamaged
	}
	j.size = int64(len(magic))
	var head [recordHead]byte
	p := make([]byte, maxRecord)
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return cut(err)
		}
		n := binary.BigEndian.Uint32(head[:4])
		if n == 0 || n > maxRecord {
			return nil
		}
		if _, err := io.ReadFull(in, p[:n]); err != nil {
			return cut(err)
		}
		sum := crc32.Update(crc32.Update(j.sum, castagnoli, head[:4]), castagnoli, p[:n])
		if sum != binary.BigEndian.Uint32(head[4:]) {
			return nil
		}
		if err := f(p[0], p[1:n]); err != nil {
			return err
		}
		j.size, j.sum = j.size+recordHead+int64(n), sum
	}
}

// cut makes nothing of the end of the journal, wherever it is.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
