// Package tree is the BLAKE3 tree of a file above groups of 64 KiB: its geometry, its
// hash, the nodes that are kept of it, and proofs that bytes belong to it, which who
// gets them can give to others. docs/protocol/share.md is the format.
//
// A file's root is its plain BLAKE3, what b3sum prints. The size of a file comes from
// whoever vouches for the root, and never from the peer that sends the bytes. Nothing
// here allocates by a size or a number that is announced.
//
//	who has the file:   Hasher or HashAt   fill Nodes, give the root
//	                    Encoder            writes the proof of a Run
//	who gets the file:  Verifier           checks a proof as it comes, fills Nodes
//	who has a part:     Encoder            out of the Nodes that are there
//
// It opens no files, and does not know which groups of a file are there: that is for
// who keeps the data.
package tree

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Sizes in bytes.
const (
	Group    = 64 << 10 // what is verified as one; the last of a file may be shorter
	NodeSize = 64
)

// maxDepth is more than the depth of any tree: 2^63 bytes are 2^47 groups.
const maxDepth = 64

// Hash is a root or a chaining value.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Node is the content of an inner node: the chaining values of its halves.
type Node [NodeSize]byte

// Left returns the chaining value of the half with the smaller numbers.
func (n *Node) Left() Hash { return Hash(n[:32]) }

// Right returns the chaining value of the other half.
func (n *Node) Right() Hash { return Hash(n[32:]) }

// File is what is known of a file: its size and root from whoever vouches for them,
// and the nodes of its tree that are there.
type File struct {
	Shape Shape
	Root  Hash
	Nodes Nodes // nil: none are known, and none are kept
}

// Errors of proofs. Those that come wrapped say which node or group it is about.
var (
	// ErrWrongNode and ErrWrongData: the other side has sent what does not belong
	// there. It is at fault, not the way: streams between peers are authenticated.
	ErrWrongNode = errors.New("wrong node")
	ErrWrongData = errors.New("wrong data")

	// ErrMissing: a node is not known, or what is kept in its place is of no use.
	ErrMissing = errors.New("node not known")

	// ErrChanged: the data is not what the nodes say.
	ErrChanged = errors.New("changed since it was hashed")

	// ErrRun: there is no such run in a file of this size.
	ErrRun = errors.New("no such run")
)

// A PlaceError says which group an error is about, or which node: the groups below it.
type PlaceError struct {
	Run Run // of one group, or of the groups of a node
	Err error
}

func (e *PlaceError) Error() string {
	if e.Run.Len() > 1 {
		return fmt.Sprintf("node %d (groups %d to %d): %v", e.Run.Split(), e.Run.From, e.Run.To-1, e.Err)
	}
	return fmt.Sprintf("group %d: %v", e.Run.From, e.Err)
}

func (e *PlaceError) Unwrap() error { return e.Err }

func nodeError(r Run, err error) error { return &PlaceError{r, err} }

func groupError(g int64, err error) error { return &PlaceError{Run{g, g + 1}, err} }
