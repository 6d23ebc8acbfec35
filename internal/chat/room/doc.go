// Package room says what a set of events of one room means: which of them may be in it,
// who is a member with what role and by what devices, whose acts count, which secret
// to write with, and what is shown. All of it is a function of the set: whoever has the
// same events gets the same answers, whatever order they came in.
//
// A [Room] keeps the control events, which are few, and of the others only what has no
// child yet. What it must know of the rest it asks of a [Past], which its user keeps.
// It is for one goroutine at a time, does no I/O but by the Past, and knows no clock.
// docs/protocol/chat.md has the rules.
package room
