package lan

import (
	"net"
	"net/netip"
	"testing"
)

// What one floods does not take the place of what others say.
func TestHearsOthersBesideAFlood(t *testing.T) {
	s := newSockets()
	mallory, alice := net.IPv4(192, 168, 7, 3), net.IPv4(192, 168, 7, 1)
	to := make(chan packet, 2*heardBurst)
	sent := 0
	s.hear(to, func(b []byte) (n, link int, src net.Addr, err error) {
		from := mallory
		switch sent++; {
		case sent == 100*heardBurst:
			from = alice
		case sent > 100*heardBurst:
			return 0, 0, nil, net.ErrClosed
		}
		return copy(b, mark), 1, &net.UDPAddr{IP: from, Port: 5353}, nil
	})
	close(to)
	var last packet
	for last = range to {
	}
	if want := netip.MustParseAddrPort("192.168.7.1:5353"); last.src != want {
		t.Errorf("the last that was heard is from %v, not from %v", last.src, want)
	}
	if !s.lost.Load() {
		t.Error("nobody knows that something was lost")
	}
}
