//go:build !linux

package rawio

// calls is nothing: package net makes them all.
type calls struct{ reads, writes none }

type none struct{}

func newCalls(Socket) calls { return calls{} }

func (none) raw() bool                              { return false }
func (calls) read(s Socket, p []byte) (int, error)  { return s.Read(p) }
func (calls) write(s Socket, p []byte) (int, error) { return s.Write(p) }
