//go:build linux

package ipc

import (
	"bytes"
	"testing"
)

// TestCopyOut: it does what copy does, at every alignment and around the length at
// which it goes another way.
func TestCopyOut(t *testing.T) {
	from := make([]byte, 9000)
	fill(from, 0)
	for _, n := range []int{0, 1, 2047, 2048, 2049, 8191} {
		for off := range 17 {
			got, want := make([]byte, 9000), make([]byte, 9000)
			copy(want[off:off+n], from[2*off:])
			if k := copyOut(got[off:off+n], from[2*off:]); k != n || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes to offset %d: it copies %d, or others", n, off, k)
			}
			if k := copyOut(got, from[:n]); k != n || !bytes.Equal(got[:n], from[:n]) {
				t.Fatalf("%d bytes into more room: it copies %d, or others", n, k)
			}
		}
	}
}
