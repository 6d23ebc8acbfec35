package event

import (
	"encoding/binary"
	"unicode/utf8"
)

// maxFields is how many fields a body may have. The largest known body, an epoch, has
// one for each device.
const maxFields = 1024

// Bodies are fields: a tag, the length as a number, the value. Tags ascend; the
// fields of a list have the same tag. Fields whose tags a version does not know are
// passed over.
const (
	tagRules    = 1
	tagSalt     = 2
	tagCert     = 3
	tagPrekey   = 4
	tagDirect   = 5
	tagVia      = 6
	tagProof    = 7
	tagMember   = 8
	tagRole     = 9
	tagCut      = 10
	tagKey      = 11
	tagExpiry   = 12
	tagUses     = 13
	tagSuite    = 14
	tagCommit   = 15
	tagWrap     = 16
	tagProperty = 17
	tagValue    = 18
	tagCalled   = 19
	tagTarget   = 32
	tagText     = 33
	tagReply    = 34
	tagMention  = 35
	tagEmoji    = 36
	tagOff      = 37
	tagTicket   = 38
	tagName     = 39
	tagSize     = 40
	tagMedia    = 41
)

type field struct {
	tag   byte
	value []byte // part of the body
}

// appendField appends a field, and nothing if the value is empty: no field has an
// empty value.
func appendField(b []byte, tag byte, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = binary.AppendUvarint(append(b, tag), uint64(len(value)))
	return append(b, value...)
}

func appendUint(b []byte, tag byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	return appendField(b, tag, binary.BigEndian.AppendUint64(nil, n))
}

func appendByte(b []byte, tag, n byte) []byte {
	if n == 0 {
		return b
	}
	return appendField(b, tag, []byte{n})
}

func appendIDs[T ~[32]byte](b []byte, tag byte, ids []T) []byte {
	for _, id := range ids {
		b = appendField(b, tag, id[:])
	}
	return b
}

func parseFields(b []byte) ([]field, error) {
	var all []field
	for len(b) > 0 {
		tag := b[0]
		length, n := binary.Uvarint(b[1:])
		if n <= 0 || length == 0 || length > uint64(len(b)-1-n) || n > 1 && b[n] == 0 {
			return nil, malformed("a field has no proper length")
		}
		if len(all) == maxFields || len(all) > 0 && tag < all[len(all)-1].tag {
			return nil, malformed("too many fields, or out of order")
		}
		b = b[1+n:]
		all = append(all, field{tag, b[:length]})
		b = b[length:]
	}
	return all, nil
}

// fields takes a body apart. The first mistake is kept in err, and what is returned
// after one is zero.
type fields struct {
	all []field
	err error
}

func (f *fields) fail(what string) {
	if f.err == nil {
		f.err = malformed("%s", what)
	}
}

// list returns the values of a tag, at most max of them, each with least to most bytes.
func (f *fields) list(tag byte, max, least, most int) (values [][]byte) {
	for _, x := range f.all {
		if x.tag != tag {
			continue
		}
		if len(values) == max || len(x.value) < least || len(x.value) > most {
			f.fail("a field that is too long, too short, or there too often")
			return nil
		}
		values = append(values, x.value)
	}
	return values
}

// maybe returns the only value of a tag, or nil.
func (f *fields) maybe(tag byte, least, most int) []byte {
	if all := f.list(tag, 1, least, most); len(all) == 1 {
		return all[0]
	}
	return nil
}

// must returns the only value of a tag, which has to be there.
func (f *fields) must(tag byte, least, most int) []byte {
	v := f.maybe(tag, least, most)
	if v == nil {
		f.fail("a field is missing")
		return make([]byte, least)
	}
	return v
}

func (f *fields) id(tag byte) [32]byte { return [32]byte(f.must(tag, 32, 32)) }

// key returns a public key, checked.
func (f *fields) key(tag byte) [32]byte {
	k := f.id(tag)
	if f.err == nil {
		f.err = checkKey(k)
	}
	return k
}

func (f *fields) uint(tag byte) uint64 {
	v := f.maybe(tag, 8, 8)
	if v == nil {
		return 0
	}
	n := binary.BigEndian.Uint64(v)
	if n == 0 {
		f.fail("a zero that is written out")
	}
	return n
}

// flag returns a byte from 1 to most, or 0 if there is none.
func (f *fields) flag(tag, most byte) byte {
	v := f.maybe(tag, 1, 1)
	if v == nil {
		return 0
	}
	if v[0] == 0 || v[0] > most {
		f.fail("a byte that means nothing")
	}
	return v[0]
}

func (f *fields) role() Role {
	r := Role(f.flag(tagRole, byte(Owner)))
	if r == Nobody {
		f.fail("the role is missing")
	}
	return r
}

func (f *fields) text(tag byte, most int) string {
	v := f.maybe(tag, 1, most)
	if !utf8.Valid(v) {
		f.fail("text that is not UTF-8")
	}
	return string(v)
}

// ids returns a list of IDs that ascend, so that there is one way to write it.
func ids[T ~[32]byte](f *fields, tag byte, max int) (all []T) {
	for _, v := range f.list(tag, max, 32, 32) {
		id := T(v)
		if n := len(all); n > 0 && !ID(all[n-1]).Less(ID(id)) {
			f.fail("a list that does not ascend")
			return nil
		}
		all = append(all, id)
	}
	return all
}
