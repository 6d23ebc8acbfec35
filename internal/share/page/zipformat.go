package page

import (
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

const (
	most16 = 1<<16 - 1
	most32 = 1<<32 - 1
)

func big(e manifest.Entry) bool { return e.Size >= most32 }

// nameOf is the name in the archive. Some systems take a backslash for what "/" is elsewhere.
func nameOf(e manifest.Entry) string {
	name := strings.ReplaceAll(e.Path, `\\`, "_")
	if e.Kind == manifest.Dir {
		name += "/"
	}
	return name
}

// body is how many bytes an entry has.
func body(e manifest.Entry) int64 {
	if e.Kind == manifest.Symlink {
		return int64(len(e.Target))
	}
	return e.Size
}

func localSize(e manifest.Entry) int64 {
	n := 30 + int64(len(nameOf(e))) + timeField + body(e)
	switch {
	case e.Kind != manifest.File:
	case big(e):
		n += 20 + 24
	default:
		n += 16
	}
	return n
}

func centralSize(e manifest.Entry, at int64) int64 {
	n := 46 + int64(len(nameOf(e))) + timeField
	if extra := 8 * (2*btoi(big(e)) + btoi(at >= most32)); extra > 0 {
		n += 4 + int64(extra)
	}
	return n
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// timeField is the length of the field with the time in seconds since 1970 (Info-ZIP's, 0x5455).
const timeField = 9

func appendTime(b []byte, e manifest.Entry) []byte {
	b = append(b, 0x55, 0x54, 5, 0, 1)
	return binary.LittleEndian.AppendUint32(b, uint32(time.Unix(0, e.ModTime).Unix()))
}

// dos is the time as MS-DOS has it, in UTC, of which the time field says that it is right.
func dos(e manifest.Entry) (date, clock uint16) {
	t := time.Unix(0, e.ModTime).UTC()
	if t.Year() < 1980 {
		return 1<<5 | 1, 0
	}
	if t.Year() > 2107 {
		return 127<<9 | 12<<5 | 31, 0
	}
	return uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day()), uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
}

// flags are the general purpose bits (4.4.4): a descriptor follows, names are UTF-8.
func flags(e manifest.Entry) (bits uint16) {
	if e.Kind == manifest.File {
		bits |= 1 << 3
	}
	if utf8.ValidString(e.Path) {
		bits |= 1 << 11
	}
	return bits
}

func version(e manifest.Entry, at int64) uint16 {
	if big(e) || at >= most32 {
		return 45
	}
	return 20
}

func short(n int64) uint32 { return uint32(min(n, most32)) }

// local makes the header in front of an entry (4.3.7). Its checksum is 0 if a descriptor follows.
func local(e manifest.Entry) []byte {
	name, le := nameOf(e), binary.LittleEndian
	date, clock := dos(e)
	b := append(make([]byte, 0, 128+len(name)), 'P', 'K', 3, 4)
	b = le.AppendUint16(b, version(e, 0))
	b = le.AppendUint16(b, flags(e))
	b = le.AppendUint16(b, 0) // stored
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, date)
	sum := uint32(0)
	if e.Kind == manifest.Symlink {
		sum = crc32.ChecksumIEEE([]byte(e.Target))
	}
	b = le.AppendUint32(b, sum)
	b = le.AppendUint32(b, short(body(e)))
	b = le.AppendUint32(b, short(body(e)))
	b = le.AppendUint16(b, uint16(len(name)))
	b = le.AppendUint16(b, uint16(timeField+20*btoi(big(e))))
	b = append(b, name...)
	if big(e) {
		b = append(b, 1, 0, 16, 0)
		b = le.AppendUint64(b, uint64(e.Size))
		b = le.AppendUint64(b, uint64(e.Size))
	}
	return appendTime(b, e)
}

// descriptor makes what follows a file (4.3.9).
func descriptor(e manifest.Entry, sum uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte{'P', 'K', 7, 8}, sum)
	if big(e) {
		return le.AppendUint64(le.AppendUint64(b, uint64(e.Size)), uint64(e.Size))
	}
	return le.AppendUint32(le.AppendUint32(b, uint32(e.Size)), uint32(e.Size))
}

// header makes an entry of the central directory (4.3.12).
func header(e manifest.Entry, at int64, sum uint32) []byte {
	name, le := nameOf(e), binary.LittleEndian
	date, clock := dos(e)
	var wide []byte
	if big(e) {
		wide = le.AppendUint64(le.AppendUint64(wide, uint64(e.Size)), uint64(e.Size))
	}
	if at >= most32 {
		wide = le.AppendUint64(wide, uint64(at))
	}
	if len(wide) > 0 {
		wide = append([]byte{1, 0, byte(len(wide)), 0}, wide...)
	}
	b := append(make([]byte, 0, 128+len(name)), 'P', 'K', 1, 2)
	b = le.AppendUint16(b, 3<<8|version(e, at)) // made by Unix
	b = le.AppendUint16(b, version(e, at))
	b = le.AppendUint16(b, flags(e))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, date)
	b = le.AppendUint32(b, sum)
	b = le.AppendUint32(b, short(body(e)))
	b = le.AppendUint32(b, short(body(e)))
	b = le.AppendUint16(b, uint16(len(name)))
	b = le.AppendUint16(b, uint16(timeField+len(wide)))
	b = append(b, 0, 0, 0, 0, 0, 0) // no comment, disk 0, no text
	b = le.AppendUint32(b, mode(e)<<16)
	b = le.AppendUint32(b, short(at))
	b = append(b, name...)
	return appendTime(append(b, wide...), e)
}

// mode is the type and mode as Unix has them.
func mode(e manifest.Entry) uint32 {
	switch e.Kind {
	case manifest.Dir:
		return 0o040000 | uint32(e.Mode&fs.ModePerm)
	case manifest.Symlink:
		return 0o120777
	}
	return 0o100000 | uint32(e.Mode&fs.ModePerm)
}
