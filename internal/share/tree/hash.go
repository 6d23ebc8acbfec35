package tree

import "lukechampine.com/blake3/guts"

// unit is what is hashed by one call: chunks side by side, in as many lanes as there
// are. A group is hashed in units, and everything above it node by node, which is
// little; blake3.Sum256 cuts smaller and takes three times the CPU.
const unit = guts.MaxSIMD * guts.ChunkSize

// groupChunks is how many chunks of BLAKE3 are in a group.
const groupChunks = Group / guts.ChunkSize

// Sum returns the BLAKE3 of p, the root of a file that has these bytes.
func Sum(p []byte) Hash { return value(compress(p, 0), true) }

// GroupValue returns the chaining value of group g of a file of more than one group.
func GroupValue(p []byte, g int64) Hash { return value(compress(p, g*groupChunks), false) }

// compress returns the node of BLAKE3 that stands for p, whose first chunk has the
// number given. It is not finished yet: it may be the root.
func compress(p []byte, chunk int64) guts.Node {
	if len(p) <= unit {
		return compressUnit(p, chunk)
	}
	mid := unit // the largest power of two that leaves something
	for mid < len(p)-mid {
		mid *= 2
	}
	left, right := compress(p[:mid], chunk), compress(p[mid:], chunk+int64(mid/guts.ChunkSize))
	return guts.ParentNode(guts.ChainingValue(left), guts.ChainingValue(right), &guts.IV, 0)
}

func compressUnit(p []byte, chunk int64) guts.Node {
	switch {
	case len(p) == unit:
		return guts.CompressBuffer((*[unit]byte)(p), unit, &guts.IV, uint64(chunk), 0)
	case len(p) <= guts.ChunkSize:
		return guts.CompressChunk(p, &guts.IV, uint64(chunk), 0)
	}
	return compressTail(p, chunk)
}

// compressTail copies what is no whole unit, since all lanes read, even those whose
// result nobody wants.
func compressTail(p []byte, chunk int64) guts.Node {
	var whole [unit]byte
	return guts.CompressBuffer(&whole, copy(whole[:], p), &guts.IV, uint64(chunk), 0)
}

// parent returns the node of BLAKE3 that has both values of n.
func parent(n *Node) guts.Node {
	return guts.Node{CV: guts.IV, Block: guts.BytesToWords(*n), BlockLen: guts.BlockSize, Flags: guts.FlagParent}
}

// value finishes a node of BLAKE3.
func value(n guts.Node, root bool) Hash {
	if root {
		n.Flags |= guts.FlagRoot
	}
	b := guts.WordsToBytes(guts.CompressNode(n))
	return Hash(b[:32])
}
