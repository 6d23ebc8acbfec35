package peer

import (
	"bytes"
	"testing"
)

// A datagram is read as it was written, and what is too short for one is none.
func FuzzDatagram(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1})
	f.Add([]byte{1, 2, 3})
	f.Add(AppendDatagram(nil, 1<<32-1, []byte("hello")))
	f.Fuzz(func(t *testing.T, b []byte) {
		label, p, ok := ParseDatagram(b)
		if ok != (len(b) >= DatagramHead) {
			t.Fatalf("%v of %d bytes", ok, len(b))
		}
		if got := AppendDatagram(nil, label, p); ok && !bytes.Equal(got, b) {
			t.Errorf("%x was read from %x", got, b)
		}
	})
}
