package ipc

import "golang.org/x/sys/cpu"

// longCopy is the length in bytes from which copyOut is worth its start.
const longCopy = 2048

// repMovsb copies n bytes with REP MOVSB.
//
//go:noescape
func repMovsb(to, from *byte, n int)

// copyOut is copy to memory that another processor has been reading. A store of a few
// bytes first fetches the rest of its cache line from there, which takes longer than
// all else. REP MOVSB stores whole lines and fetches none of them, which makes long
// copies four times as fast; the copy built into Go does not use it.
func copyOut(to, from []byte) int {
	n := min(len(to), len(from))
	if n < longCopy || !cpu.X86.HasERMS {
		return copy(to, from)
	}
	repMovsb(&to[0], &from[0], n)
	return n
}
