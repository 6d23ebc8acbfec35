// Package soak has no code, only a test: thousands of joints at once between
// clients and servers that half-close, stall, reset and disappear at random, for as
// long as one likes. Every byte says where it belongs, and what Tenon says of a
// joint must be what happened to it. "make soak" runs it for five minutes.
package soak
