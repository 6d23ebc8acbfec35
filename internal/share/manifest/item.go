package manifest

import (
	"encoding/binary"
	"math"
)

// magic begins every block.
const magic = "tenon share 1\n"

// First bytes of what can stand in a block: an entry begins with its kind and flags.
const (
	endOfBlock byte = 0
	footerMark byte = 4

	kindBits  byte = 0x0f
	rawFlag   byte = 0x10 // name or target is not valid UTF-8
	holesFlag byte = 0x20
)

// An item is an entry as it is written: after another one, with what they have in
// common left out. The slices are parts of the block or of the encoder's entry.
type item struct {
	kind       Kind
	raw, holes bool
	depth      int    // names before its own
	shared     int    // bytes that its name shares with its elder sibling's
	suffix     []byte // the rest of its name
	mode       uint16
	mtime      int64 // absolute
	size       int64
	root       [32]byte
	target     []byte
}

// usualMode is what modes are written relative to, so that most take one byte.
func (k Kind) usualMode() uint16 {
	if k == Dir {
		return 0o755
	}
	return 0o644
}

// append writes the item. The time is written relative to the entry before.
func (it *item) append(b []byte, before int64) []byte {
	head := byte(it.kind)
	if it.raw {
		head |= rawFlag
	}
	if it.holes {
		head |= holesFlag
	}
	b = append(b, head)
	b = binary.AppendUvarint(b, uint64(it.depth))
	b = binary.AppendUvarint(b, uint64(it.shared))
	b = binary.AppendUvarint(b, uint64(len(it.suffix)))
	b = append(b, it.suffix...)
	if it.kind != Symlink {
		b = binary.AppendUvarint(b, uint64(it.mode^it.kind.usualMode()))
	}
	b = binary.AppendVarint(b, it.mtime-before) // modulo 2^64, as it is added again
	switch it.kind {
	case File:
		b = binary.AppendUvarint(b, uint64(it.size))
		if it.size > 0 {
			b = append(b, it.root[:]...)
		}
	case Symlink:
		b = binary.AppendUvarint(b, uint64(len(it.target)))
		b = append(b, it.target...)
	}
	return b
}

// appendHeader writes the beginning of a block whose first entry is in the directory
// parent.
func appendHeader(b []byte, number int, parent []byte) []byte {
	b = append(b, magic...)
	b = binary.AppendUvarint(b, uint64(number))
	b = binary.AppendUvarint(b, uint64(len(parent)))
	return append(b, parent...)
}

// appendFooter writes the end of a manifest.
func appendFooter(b []byte, t Totals) []byte {
	b = append(b, footerMark)
	b = binary.AppendUvarint(b, uint64(t.Entries))
	b = binary.AppendUvarint(b, uint64(t.Files))
	return binary.AppendUvarint(b, uint64(t.Bytes))
}

// A reader takes a block apart. After the first rule that is broken, everything is
// zero. RuleCut may mean that the rest has not come yet.
type reader struct {
	b    []byte // what is left
	rule Rule
}

func (r *reader) fail(rule Rule) {
	if r.rule == "" {
		r.rule = rule
	}
}

// bytes returns the next n bytes, which stay the block's.
func (r *reader) bytes(n int) []byte {
	if r.rule != "" || n > len(r.b) {
		r.fail(RuleCut)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	if r.rule != "" {
		return 0
	}
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	switch {
	case n == 0:
		r.fail(RuleCut)
	case n < 0 || r.b[n-1] == 0:
		r.fail(RuleVarint)
	default:
		r.b = r.b[n:]
		return v
	}
	return 0
}

// number reads a number that may be limit at most, as rule says.
func (r *reader) number(limit int64, rule Rule) int64 {
	v := r.uvarint()
	if v > uint64(limit) {
		r.fail(rule)
		return 0
	}
	return int64(v)
}

// item reads an item into an empty one. What it says is still to be judged by [place.check].
func (r *reader) item(it *item, before int64) {
	head := r.bytes(1)
	if head == nil {
		return
	}
	it.kind, it.raw, it.holes = Kind(head[0]&kindBits), head[0]&rawFlag != 0, head[0]&holesFlag != 0
	if head[0]&^(kindBits|rawFlag|holesFlag) != 0 || it.kind < File || it.kind > Symlink {
		r.fail(RuleKind)
		return
	}
	it.depth = int(r.number(MaxDepth-1, RuleDepth))
	it.shared = int(r.number(MaxName, RuleName))
	it.suffix = r.bytes(int(r.number(MaxName, RuleName)))
	if it.kind != Symlink {
		it.mode = uint16(r.number(0o777, RuleMode)) ^ it.kind.usualMode()
	}
	zigzag := r.uvarint()
	it.mtime = before + (int64(zigzag>>1) ^ -int64(zigzag&1))
	switch it.kind {
	case File:
		if it.size = r.number(math.MaxInt64, RuleSize); it.size == 0 {
			it.root = EmptyRoot
		} else {
			copy(it.root[:], r.bytes(32))
		}
	case Symlink:
		it.target = r.bytes(int(r.number(MaxPath, RuleTarget)))
	}
}
