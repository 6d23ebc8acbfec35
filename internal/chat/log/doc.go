// Package log keeps the events of rooms, in the database of [store]: in the order in which
// they are shown, with what is searched, how far who has read, and what nobody has been given yet.
// It knows no keys and no rules: what an event means, and whether it may be, is for those
// who add it.
//
//	Log   all rooms
//	Room  one of them: Add, Before, After, Get, Keys, Search
//
// What a method has said yes to outlives a crash; it is done whole or not at all. Pages and
// searches cost what they return and not what there is: no method reads a whole room but
// Keys and Export, which go on in parts, so that others get their turns.
package log
