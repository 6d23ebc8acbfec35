//go:build linux

package ipc

import (
	"sync/atomic"
	"unsafe"
)

// A word32 is a word of the memory that both sides have mapped. All that one side
// writes to a control goes through publish and claim, which are full memory barriers.
//
// That is what waiting rests on: each side publishes (data, or that it is going to
// wait) and then looks at what the other has published. If a processor delayed the
// write beyond the look, both sides could miss each other, and one would wait for
// ever. atomic.Store is not enough: a program built with -race keeps no order for
// memory that is not Go's, and its Store is then a plain write with release order,
// which x86 does delay. Swap is a barrier in every build, and costs the same: without
// -race, Store on x86 is the same instruction.
type word32 struct{ v atomic.Uint32 }

// load returns the word, and orders what is read later after it.
func (w *word32) load() uint32 { return w.v.Load() }

// publish sets the word. What was written before is visible to whoever loads it, and
// what is loaded later is at least as new.
func (w *word32) publish(v uint32) { w.v.Swap(v) }

// claim sets the word to 0 and tells whether it was 1.
func (w *word32) claim() bool { return w.v.CompareAndSwap(1, 0) }

// A word64 is as a [word32], but wider.
type word64 struct{ v atomic.Uint64 }

func (w *word64) load() uint64     { return w.v.Load() }
func (w *word64) publish(v uint64) { w.v.Swap(v) }

// expect announces that a word which holds v is about to be published, and changes
// nothing: v is what this side wrote there last. A swap fetches its cache line from the
// other processor only when all stores before it are done; a plain store has that
// begin at once, beside the fetching of the lines that data are put into.
func (w *word64) expect(v uint64) { *(*uint64)(unsafe.Pointer(&w.v)) = v }
