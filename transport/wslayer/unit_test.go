package wslayer

import (
	"bufio"
	"bytes"
	"testing"
	"unicode/utf8"
)

// FuzzUTF8 compares the check of text in pieces with that of the whole.
func FuzzUTF8(f *testing.F) {
	f.Add([]byte("grüße €𝄞"), 3)
	f.Add([]byte("\xf4\x90\x80\x80"), 1)
	f.Add([]byte("\xe0\x80"), 1)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		step = max(step, 1)
		var u utf8Check
		ok := true
		for rest := text; len(rest) > 0 && ok; rest = rest[min(step, len(rest)):] {
			ok = u.write(rest[:min(step, len(rest))])
		}
		if got, want := ok && u.done(), utf8.Valid(text); got != want {
			t.Errorf("%q in steps of %d: %v, want %v", text, step, got, want)
		}
	})
}

// FuzzHeader checks that what is read of a header is what was written.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x81, 0x05})
	f.Add([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4})
	f.Add([]byte{0x02, 0x7e, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, size, err := peekHeader(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		again, _, err := peekHeader(bufio.NewReader(bytes.NewReader(h.appendTo(nil))))
		if err != nil || again != h || size < len(h.appendTo(nil)) {
			t.Errorf("%+v is written and read as %+v, %v", h, again, err)
		}
	})
}

func TestMask(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	for size := range 100 {
		for pos := range 4 {
			p, want := make([]byte, size), make([]byte, size)
			for i := range p {
				p[i] = byte(i * 7)
				want[i] = p[i] ^ key[(pos+i)%4]
			}
			if next := mask(p, key, pos); !bytes.Equal(p, want) || next != (pos+size)%4 {
				t.Fatalf("size %d from %d: %x, want %x; next %d", size, pos, p, want, next)
			}
		}
	}
}
