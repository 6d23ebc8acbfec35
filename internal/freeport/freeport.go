// Package freeport finds ports for tests that must name one before anybody listens there.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Get returns the number of a port at which nobody listened a moment ago, at no address, with TCP or UDP. It is none
// of those that systems hand out by themselves (RFC 6335 and Linux's, from 32768), which other tests, and other
// programs, take all the time.
func Get(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		port := strconv.Itoa(10000 + rand.IntN(22000))
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			continue
		}
		l.Close() //nolint:errcheck // for its number
		c, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			continue
		}
		c.Close() //nolint:errcheck // for its number
		return port
	}
	tb.Fatal("no port is free")
	return ""
}
