// Package term is what the kinds that deal with terminals share: opening pseudo
// terminals, and the modes and the size of a terminal. Nothing in it changes the
// blocking mode of a descriptor, and it knows no ends.
package term
