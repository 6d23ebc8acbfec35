package wslayer

import (
	"bufio"
	"bytes"
	"net/netip"
	"strings"
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

// FuzzExtensions checks that an answer to any offer is a good answer to ours, as far as
// it can be: the server's own parameters aside.
func FuzzExtensions(f *testing.F) {
	f.Add(`permessage-deflate; server_max_window_bits="1\5", foo; a="b,c;d"`)
	f.Add(`permessage-deflate; client_max_window_bits; x="`)
	f.Fuzz(func(t *testing.T, field string) {
		answer, window := deflateOffered([]string{field})
		if (answer != "") != (window != 0) || answer != "" && (window < minWindowBits || window > maxWindowBits || !deflateAccepted([]string{answer})) {
			t.Errorf("%q is answered with %q, a window of %d bits", field, answer, window)
		}
	})
}

// FuzzHost checks that what is read of a Host is read the same way again, and that a
// Host that is sent has no zone.
func FuzzHost(f *testing.F) {
	f.Add("[fe80::1%25eth0]:80")
	f.Add("fe80::1%eth0")
	f.Add("Example.ORG.:8080")
	f.Fuzz(func(t *testing.T, host string) {
		h := parseHost(host)
		if ip, ok := parseIP(h.name); ok && (ip.Zone() != "" || ip.String() != h.name) {
			t.Errorf("%q is read as %+v", host, h)
		}
		if _, err := netip.ParseAddr(host); err == nil && !strings.Contains(host, "]") {
			for _, field := range []string{host, "[" + host + "]", "[" + host + "]:80"} {
				if got := withoutZone(field); strings.Contains(got, "%") {
					t.Errorf("%q is sent as %q", field, got)
				}
			}
		}
	})
}
