// Package manifest has the list of what is in a share: every file, directory and
// symbolic link with its name, size, times and root, in blocks of 256 KiB. One tree
// has one encoding. docs/protocol/share.md, chapter "Manifest", is the format.
//
// An [Encoder] takes entries in order and gives out blocks as they fill. A [Decoder]
// reads blocks in order and refuses whatever an Encoder would not have written;
// [OneBlock] reads a block by itself. A [Builder] keeps the bytes of a manifest, as
// they come, and its [Index] finds entries in them: a million take about 55 MB, which
// as structs they would not. How names and links do where they are to go is told by
// [Index.Collisions], [WindowsProblem], [LinkProblem] and [Marks]; a [List] is what a
// person sees of them before anything is put on a disk.
//
// It reads and writes no files, and does not hash: the roots come from the caller,
// and the bytes of a manifest are checked against the share's root before they get
// here.
package manifest

import (
	"encoding/hex"
	"fmt"
	"io/fs"
)

// Limits of the format.
const (
	BlockSize  = 256 << 10 // bytes of every block but the last
	MaxName    = 255       // bytes of a name
	MaxPath    = 4096      // bytes of a path, and of a link's target
	MaxDepth   = 128       // names in a path
	MaxEntries = 1 << 24   // unless an Encoder or Decoder is told otherwise
)

// Kind is what an entry is.
type Kind byte

// The kinds. There is nothing else in a share: no devices, pipes or sockets.
const (
	File    Kind = 1
	Dir     Kind = 2
	Symlink Kind = 3
)

// String returns "file", "dir" or "symlink".
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Dir:
		return "dir"
	case Symlink:
		return "symlink"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// An Entry is a file, a directory or a symbolic link of the share.
type Entry struct {
	Path    string      // names joined by "/", in the bytes that they have on disk
	Kind    Kind        // decides which of the other fields may be set
	Mode    fs.FileMode // the bits 0777 of a file or directory; a symlink has none
	ModTime int64       // nanoseconds since 1970
	Size    int64       // of a file, in bytes
	Root    [32]byte    // of a file: its BLAKE3, which is EmptyRoot if it has no bytes
	Target  string      // of a symlink, as it is on disk
	Holes   bool        // of a file that is not empty: it need not be stored in full
}

// EmptyRoot is the BLAKE3 of no bytes, and the root of every empty file.
var EmptyRoot = func() (root [32]byte) {
	hex.Decode(root[:], []byte("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")) //nolint:errcheck // it is hexadecimal
	return root
}()

// Totals are what all entries add up to.
type Totals struct {
	Entries int
	Files   int
	Bytes   int64 // the sum of the sizes of files
}

// Compare tells which path stands first in a manifest: it is negative for a, positive
// for b. A directory stands before what is in it, names in the order of their bytes.
func Compare(a, b string) int { return compare(a, b) }

// compare orders paths by their bytes, but "/" before all others.
func compare[A, B []byte | string](a A, b B) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}
