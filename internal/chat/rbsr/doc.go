// Package rbsr finds out in what two sets of keys differ, without sending them: range-based
// set reconciliation. Both sides sort their keys by time and ID. One sends the fingerprint
// of a range; the other answers nothing if its own is the same, and else the fingerprints
// of sixteen parts of the range, or the keys themselves if there are few. After a few
// messages each side knows what it lacks.
//
//	Set       the keys of one side, with fingerprints of any range
//	Exchange  one side of a reconciliation: a message in, an answer out
//
// There is no state between two exchanges, and a Set may change during one: messages name
// ranges by keys and not by positions. docs/protocol/rooms-sync.md has the messages. The
// method is that of A. Meyer, "Range-Based Set Reconciliation" (SRDS 2023), the
// fingerprints are those of negentropy, version 1.
package rbsr
