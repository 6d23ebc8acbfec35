package closestatus

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tenon-net/tenon/transport"
)

func TestMarshal(t *testing.T) {
	for _, c := range []struct {
		protocol string
		s        transport.CloseStatus
		reason   int // bytes of it; -1 if there is nothing to be sent
	}{
		{"exit", transport.CloseStatus{Code: 143, Reason: "SIGTERM"}, 7},
		{"quic h3", transport.CloseStatus{Code: 1<<64 - 1}, 0},
		{"websocket", transport.CloseStatus{Code: 1000, Reason: strings.Repeat("é", 2000)}, MaxReason - 1},
		{strings.Repeat("p", MaxProtocol), transport.CloseStatus{Reason: strings.Repeat("x", 2000)}, MaxReason},
		{strings.Repeat("p", MaxProtocol+1), transport.CloseStatus{Code: 1}, -1}, {"", transport.CloseStatus{Code: 1}, -1},
	} {
		b := Marshal(c.protocol, c.s)
		protocol, got, ok := Parse(b)
		switch {
		case len(b) > Max || ok != (c.reason >= 0):
			t.Errorf("%.9s: %d bytes, %v", c.protocol, len(b), ok)
		case ok && (protocol != c.protocol || got.Code != c.s.Code || len(got.Reason) != c.reason):
			t.Errorf("%.9s: %.9s %d with %d bytes", c.protocol, protocol, got.Code, len(got.Reason))
		}
	}
	if _, _, ok := Parse(None); ok {
		t.Error("no status is one")
	}
}

// Whatever comes is text of a bounded length, and goes out again as it is understood.
func FuzzParse(f *testing.F) {
	f.Add(Marshal("exit", transport.CloseStatus{Code: 9}))
	f.Add([]byte{0})
	f.Add([]byte{4, 'e', 'x', 'i', 't', 0, 0, 0, 0, 0, 0, 0, 9, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		protocol, s, ok := Parse(b)
		if !ok {
			return
		}
		if !utf8.ValidString(s.Reason) || len(protocol) > MaxProtocol || len(b) > Max {
			t.Errorf("%q, %+v", protocol, s)
		}
		if got := Marshal(protocol, s); utf8.Valid(b[1+b[0]+8:]) && len(s.Reason) <= MaxReason && !bytes.Equal(got, b) {
			t.Errorf("%x was read from %x", got, b)
		}
	})
}
